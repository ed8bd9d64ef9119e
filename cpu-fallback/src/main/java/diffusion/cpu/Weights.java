package diffusion.cpu;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Parameters in the order kernels read them: copies that are made anew only after the parameter has changed, or, for
 * parameters that nothing but layers reads, the only place where they are kept.
 */
final class Weights {
    /** What a weight was packed for. */
    enum Use {
        CONVOLUTION,
        CONVOLUTION_GRADIENT,
        WINOGRAD,
        WINOGRAD_GRADIENT,
        LINEAR,
        LINEAR_GRADIENT
    }

    private record Key(Tensor tensor, Use use) {}

    /** Weights that take less together are kept as floats: nothing is saved that is worth their widening. */
    static final long LARGE = 64L << 20;

    /** Memory is taken from the system in blocks of so much. */
    private static final long BLOCK_BYTES = 256L << 20;

    private final Crew crew;
    private final Set<Tensor> packedOnly;
    private final Map<Key, Packed> packed = new HashMap<>();
    private final Map<Tensor, List<Packed>> byTensor = new HashMap<>();
    private final Arena arena;
    private final boolean narrow;
    private long free; // where the next weight goes
    private long freeBytes;
    private long unplaced; // bytes of what has no place yet, as floats
    private @Nullable Arena staging;
    private long staged; // where a weight lies before it is packed
    private long stagedBytes;

    /** Weights in memory that lives as long as {@code arena}, kept narrow if they would be {@code large} bytes of floats. */
    Weights(Crew crew, Set<Tensor> packedOnly, Arena arena, long large) {
        this.crew = crew;
        this.packedOnly = packedOnly;
        this.arena = arena;
        narrow = packedOnly.stream().mapToLong(Tensor::size).sum() * Float.BYTES >= large;
    }

    /** Weights that the graphs read in convolutions and linear layers and nowhere else, least of all in training. */
    static Set<Tensor> packedOnly(List<Graph> graphs) {
        Set<Tensor> layers = new HashSet<>();
        Set<Tensor> others = new HashSet<>();
        for (Graph graph : graphs) {
            others.addAll(graph.outputs());
            for (Op op : graph.ops()) {
                Set<Tensor> used = new HashSet<>(op.reads());
                used.addAll(op.writes());
                Tensor w = switch (op) {
                    case Conv2d conv -> conv.w();
                    case Linear linear -> linear.w();
                    default -> null;
                };
                if (w != null && w.role() == Tensor.Role.PARAMETER) {
                    layers.add(w);
                    used.remove(w);
                }
                others.addAll(used);
            }
        }
        layers.removeAll(others);
        return layers;
    }

    /** The weight packed for a use: {@code panels} panels, {@code floats} in all; {@code source} is read if it has one. */
    Packed get(
            Tensor tensor,
            Use use,
            long floats,
            int panels,
            Packed.Packer packer,
            java.util.function.ToLongFunction<Tensor> source) {
        return packed.computeIfAbsent(new Key(tensor, use), _ -> {
            long from = packedOnly.contains(tensor) ? 0 : source.applyAsLong(tensor);
            Packed made = new Packed(tensor, use, from, narrow, floats, panels, packer);
            unplaced += made.bytes();
            byTensor.computeIfAbsent(tensor, _ -> new ArrayList<>()).add(made);
            return made;
        });
    }

    /** Gives weights that are copies their memory; the others get theirs when it is known how they are stored. */
    void place() {
        packed.values().stream().filter(copy -> !copy.isPackedOnly()).forEach(copy -> place(copy, GgmlType.F32));
    }

    private void place(Packed copy, GgmlType type) {
        if (copy.isPlaced() && copy.type() == type) {
            return;
        }
        unplaced -= copy.isPlaced() ? 0 : copy.bytes();
        long size = copy.size(type);
        if (size > freeBytes) {
            freeBytes = Math.max(size, Math.min(BLOCK_BYTES, size + unplaced));
            free = NativeMemory.allocate(arena, freeBytes);
        }
        copy.place(type, free);
        free += size;
        freeBytes -= size;
    }

    boolean isPackedOnly(Tensor tensor) {
        return packedOnly.contains(tensor);
    }

    /** Fills a weight that is kept packed only, by way of memory that is kept for the next until {@link #settle}. */
    void fill(Tensor tensor, Consumer<MemorySegment> values) {
        for (Packed copy : byTensor.getOrDefault(tensor, List.of())) {
            if (values instanceof Elements elements) {
                place(copy, narrow ? copy.typeFor(elements.type()) : GgmlType.F32);
                fill(copy, elements);
            } else {
                place(copy, GgmlType.F32);
                stage((long) tensor.size() * Float.BYTES);
                values.accept(Memory.ALL.asSlice(staged, (long) tensor.size() * Float.BYTES));
                crew.run((part, parts) -> copy.pack(staged, part, parts));
            }
        }
    }

    private void fill(Packed copy, Elements elements) {
        long each = copy.stagedBytes();
        stage(each * crew.size());
        AtomicReference<RuntimeException> failure = new AtomicReference<>();
        crew.run((part, parts) -> {
            try {
                copy.fill(elements, staged + Crew.worker() * each, part, parts);
            } catch (RuntimeException e) {
                failure.set(e);
            }
        });
        RuntimeException failed = failure.get();
        if (failed != null) {
            throw failed;
        }
    }

    private void stage(long size) {
        if (size > stagedBytes) {
            release();
            staging = Arena.ofShared();
            staged = NativeMemory.allocate(staging, size + 4096);
            stagedBytes = size;
        }
    }

    /** Gives weights that were never filled their zeros, and frees what only filling needs; called before every run. */
    void settle() {
        if (unplaced > 0) {
            packed.values().stream().filter(copy -> !copy.isPlaced()).forEach(copy -> place(copy, GgmlType.F32));
        }
        release();
    }

    /** Frees what only filling needs. */
    void release() {
        if (staging != null) {
            staging.close();
            staging = null;
            stagedBytes = 0;
        }
    }

    /** Reads back a weight that is kept packed only. */
    void read(Tensor tensor, float[] into) {
        Packed copy = byTensor.getOrDefault(tensor, List.of()).getFirst();
        settle();
        try (Arena temporary = Arena.ofShared()) {
            long bytes = copy.floats() * Float.BYTES + 4096;
            copy.read(
                    temporary.allocate((long) tensor.size() * Integer.BYTES + 4096, 64),
                    temporary.allocate(bytes, 64),
                    temporary.allocate(bytes, 64),
                    into);
        }
    }

    /** Notes that a tensor has new values. */
    void changed(Tensor tensor) {
        List<Packed> copies = byTensor.get(tensor);
        if (copies != null) {
            copies.forEach(Packed::changed);
        }
    }

    long bytes() {
        return packed.values().stream().mapToLong(Packed::bytes).sum();
    }
}
