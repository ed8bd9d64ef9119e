package diffusion.cpu;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
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

    /** Packs some panels of the weight at {@code source}. */
    @FunctionalInterface
    interface Packer {
        void pack(long source, long target, int fromPanel, int toPanel);
    }

    private record Key(Tensor tensor, Use use) {}

    private final Crew crew;
    private final Set<Tensor> packedOnly;
    private final Map<Key, Packed> packed = new HashMap<>();
    private final Map<Tensor, List<Packed>> byTensor = new HashMap<>();
    private long bytes;
    private @Nullable Arena staging;
    private long staged; // where a weight lies before it is packed
    private long stagedBytes;

    Weights(Crew crew, Set<Tensor> packedOnly) {
        this.crew = crew;
        this.packedOnly = packedOnly;
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

    /** A packed weight; as a step, it packs if the parameter has changed. */
    static final class Packed implements Crew.Step {
        long address; // known when the graphs are compiled
        private final long source;
        private final long offset;
        private final long floats;
        private final int panels;
        private final Packer packer;
        private boolean stale;

        private Packed(long source, long offset, long floats, int panels, Packer packer) {
            this.source = source;
            this.offset = offset;
            this.floats = floats;
            this.panels = panels;
            this.packer = packer;
            stale = source != 0;
        }

        @Override
        public boolean needed() {
            return stale;
        }

        @Override
        public void run(int worker, int workers) {
            packer.pack(source, address, Crew.from(panels, worker, workers), Crew.from(panels, worker + 1, workers));
        }

        @Override
        public void finished() {
            stale = false;
        }
    }

    /** The weight packed for a use: {@code panels} panels, {@code floats} in all; {@code source} is read if it has one. */
    Packed get(
            Tensor tensor,
            Use use,
            long floats,
            int panels,
            Packer packer,
            java.util.function.ToLongFunction<Tensor> source) {
        return packed.computeIfAbsent(new Key(tensor, use), _ -> {
            long from = packedOnly.contains(tensor) ? 0 : source.applyAsLong(tensor);
            Packed made = new Packed(from, bytes, floats, panels, packer);
            bytes += (floats * Float.BYTES + 1024 + 63) / 64 * 64;
            byTensor.computeIfAbsent(tensor, _ -> new ArrayList<>()).add(made);
            return made;
        });
    }

    /** Gives all weights their memory: one block, which goes back to the system when it is freed. */
    void place(Arena arena) {
        long start = NativeMemory.allocate(arena, bytes);
        packed.values().forEach(copy -> copy.address = start + copy.offset);
    }

    boolean isPackedOnly(Tensor tensor) {
        return packedOnly.contains(tensor);
    }

    /** Fills a weight that is kept packed only, by way of memory that is kept for the next until {@link #settle}. */
    void fill(Tensor tensor, Consumer<MemorySegment> values) {
        long size = (long) tensor.size() * Float.BYTES;
        if (size > stagedBytes) {
            settle();
            staging = Arena.ofShared();
            staged = NativeMemory.allocate(staging, size + 4096);
            stagedBytes = size;
        }
        values.accept(Memory.ALL.asSlice(staged, size));
        for (Packed copy : byTensor.getOrDefault(tensor, List.of())) {
            crew.run((part, parts) -> copy.packer.pack(
                    staged,
                    copy.address,
                    Crew.from(copy.panels, part, parts),
                    Crew.from(copy.panels, part + 1, parts)));
        }
    }

    /** Frees what only filling needs; called before every run, and at the end. */
    void settle() {
        if (staging != null) {
            staging.close();
            staging = null;
            stagedBytes = 0;
        }
    }

    /** Reads back a weight that is kept packed only: packing the numbers of its elements tells where each one went. */
    void read(Tensor tensor, float[] into) {
        Packed copy = byTensor.getOrDefault(tensor, List.of()).getFirst();
        try (Arena temporary = Arena.ofShared()) {
            MemorySegment numbers = temporary.allocate((long) tensor.size() * Integer.BYTES + 4096, 64);
            for (int i = 0; i < tensor.size(); i++) {
                numbers.setAtIndex(ValueLayout.JAVA_INT, i, i + 1);
            }
            MemorySegment places = temporary.allocate(copy.floats * Integer.BYTES + 1024, 64);
            copy.packer.pack(numbers.address(), places.address(), 0, copy.panels);
            for (long i = 0; i < copy.floats; i++) {
                int number = places.getAtIndex(ValueLayout.JAVA_INT, i);
                if (number > 0) {
                    into[number - 1] = Memory.get(copy.address + i * Float.BYTES);
                }
            }
        }
    }

    /** Notes that a tensor has new values. */
    void changed(Tensor tensor) {
        List<Packed> copies = byTensor.get(tensor);
        if (copies != null) {
            copies.forEach(copy -> copy.stale = true);
        }
    }

    long bytes() {
        return bytes;
    }
}
