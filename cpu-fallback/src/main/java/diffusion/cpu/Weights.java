package diffusion.cpu;

import diffusion.graph.Tensor;
import java.lang.foreign.Arena;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Copies of parameters in the order kernels read them, made anew only after a parameter has changed. */
final class Weights {
    /** What a weight was packed for. */
    enum Use {
        CONVOLUTION,
        CONVOLUTION_GRADIENT,
        LINEAR,
        LINEAR_GRADIENT
    }

    /** Packs some panels of a weight. */
    @FunctionalInterface
    interface Packer {
        void pack(long target, int fromPanel, int toPanel);
    }

    private record Key(Tensor tensor, Use use) {}

    private final Arena arena;
    private final Map<Key, Packed> packed = new HashMap<>();
    private final Map<Tensor, List<Packed>> byTensor = new HashMap<>();
    private long bytes;

    Weights(Arena arena) {
        this.arena = arena;
    }

    /** A packed weight; as a step, it packs if the parameter has changed. */
    static final class Packed implements Crew.Step {
        final long address;
        private final int panels;
        private final Packer packer;
        private boolean stale = true;

        private Packed(long address, int panels, Packer packer) {
            this.address = address;
            this.panels = panels;
            this.packer = packer;
        }

        @Override
        public boolean needed() {
            return stale;
        }

        @Override
        public void run(int worker, int workers) {
            packer.pack(address, Crew.from(panels, worker, workers), Crew.from(panels, worker + 1, workers));
        }

        @Override
        public void finished() {
            stale = false;
        }
    }

    /** The weight packed for a use: {@code panels} panels, {@code floats} in all. */
    Packed get(Tensor tensor, Use use, long floats, int panels, Packer packer) {
        return packed.computeIfAbsent(new Key(tensor, use), _ -> {
            long size = floats * Float.BYTES + 1024;
            bytes += size;
            Packed made = new Packed(arena.allocate(size, 64).address(), panels, packer);
            byTensor.computeIfAbsent(tensor, _ -> new ArrayList<>()).add(made);
            return made;
        });
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
