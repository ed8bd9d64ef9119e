package diffusion.backend;

import diffusion.graph.Graph;
import diffusion.graph.LayoutOp.Reshape;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where each tensor of a set of graphs lies in one slab of floats.
 *
 * <p>Inputs, parameters, states and outputs have places of their own. Activations are laid behind them by liveness:
 * largest first, each at the lowest place that is free while it lives; graphs run one at a time and share that region.
 * A reshaped tensor has the place of its origin. Places are multiples of {@link #ALIGNMENT} floats.
 */
public final class MemoryPlan {
    /** 64 bytes: a cache line and the widest vector. */
    public static final int ALIGNMENT = 16;

    private final Map<Tensor, Long> offsets = new HashMap<>();
    private final Map<Tensor, Tensor> roots = new HashMap<>();
    private long persistentFloats;
    private long totalFloats;

    /** Plans the graphs together. */
    public MemoryPlan(List<Graph> graphs) {
        this(graphs, Set.of());
    }

    /** Plans the graphs together but for tensors that the backend keeps elsewhere. */
    public MemoryPlan(List<Graph> graphs, Set<Tensor> elsewhere) {
        Set<Tensor> persistent = new LinkedHashSet<>();
        for (Graph graph : graphs) {
            for (Op op : graph.ops()) {
                if (op instanceof Reshape(Tensor x, Tensor y)) {
                    roots.put(y, root(x));
                }
            }
            for (Tensor tensor : graph.tensors()) {
                if (tensor.role() != Tensor.Role.ACTIVATION && !elsewhere.contains(tensor)) {
                    persistent.add(tensor);
                }
            }
            graph.outputs().forEach(output -> persistent.add(root(output)));
        }
        for (Tensor tensor : persistent) {
            offsets.put(tensor, persistentFloats);
            persistentFloats += align(tensor.size());
        }
        totalFloats = persistentFloats;
        for (Graph graph : graphs) {
            placeActivations(graph, persistent, elsewhere);
        }
    }

    /** Offset of the tensor's first element in the slab, in floats. */
    public long offset(Tensor tensor) {
        Long offset = offsets.get(root(tensor));
        if (offset == null) {
            throw new IllegalArgumentException(tensor + " is not part of the compiled graphs");
        }
        return offset;
    }

    /** Whether the graphs mention the tensor. */
    public boolean contains(Tensor tensor) {
        return offsets.containsKey(root(tensor));
    }

    /** Floats before the activations. */
    public long persistentFloats() {
        return persistentFloats;
    }

    /** Floats of the whole slab. */
    public long totalFloats() {
        return totalFloats;
    }

    private Tensor root(Tensor tensor) {
        return roots.getOrDefault(tensor, tensor);
    }

    private record Life(Tensor tensor, int first, int last) {
        boolean overlaps(Life other) {
            return first <= other.last && other.first <= last;
        }
    }

    private void placeActivations(Graph graph, Set<Tensor> persistent, Set<Tensor> elsewhere) {
        Map<Tensor, int[]> spans = new HashMap<>();
        List<Op> ops = graph.ops();
        for (int i = 0; i < ops.size(); i++) {
            Set<Tensor> used = new HashSet<>(ops.get(i).reads());
            used.addAll(ops.get(i).writes());
            for (Tensor tensor : used) {
                Tensor root = root(tensor);
                if (!persistent.contains(root) && !elsewhere.contains(root)) {
                    int now = i;
                    spans.computeIfAbsent(root, _ -> new int[] {now, now})[1] = now;
                }
            }
        }
        List<Life> lives = new ArrayList<>();
        spans.forEach((tensor, span) -> lives.add(new Life(tensor, span[0], span[1])));
        lives.sort(Comparator.<Life>comparingInt(life -> -life.tensor.size())
                .thenComparingInt(Life::first)
                .thenComparing(life -> life.tensor.name()));
        List<Life> placed = new ArrayList<>();
        for (Life life : lives) {
            long offset = lowestFree(life, placed);
            offsets.put(life.tensor, offset);
            placed.add(life);
            totalFloats = Math.max(totalFloats, offset + align(life.tensor.size()));
        }
    }

    private long lowestFree(Life life, List<Life> placed) {
        List<Life> busy = placed.stream()
                .filter(life::overlaps)
                .sorted(Comparator.comparingLong(other -> offset(other.tensor)))
                .toList();
        long candidate = persistentFloats;
        for (Life other : busy) {
            long start = offset(other.tensor);
            if (candidate + align(life.tensor.size()) <= start) {
                break;
            }
            candidate = Math.max(candidate, start + align(other.tensor.size()));
        }
        return candidate;
    }

    private static long align(long floats) {
        return (floats + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    }
}
