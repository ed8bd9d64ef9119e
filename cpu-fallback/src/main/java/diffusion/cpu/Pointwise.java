package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.PointOp.Activation;
import diffusion.graph.PointOp.ActivationGrad;
import diffusion.graph.PointOp.Add;
import diffusion.graph.PointOp.AddChannel;
import diffusion.graph.PointOp.Dropout;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.PointOp.Modulate;
import diffusion.graph.PointOp.ModulateGrad;
import diffusion.graph.PointOp.SumChannel;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/** Elementwise ops, parallel over vectors or over (sample, channel) rows. */
final class Pointwise {
    private Pointwise() {}

    /** A part of a tensor, in bytes from its start; both bounds are whole vectors. */
    @FunctionalInterface
    interface Range {
        void run(long from, long to);
    }

    /** A run of elements that share a sample and a channel. */
    @FunctionalInterface
    interface Row {
        void run(int row);
    }

    /** Splits a tensor into runs of whole vectors; the last may reach into its padding. */
    static void vectors(CpuEmitter out, Tensor tensor, Range body) {
        int vectors = Gemm.panels(tensor.size(), LANES);
        out.step((worker, workers) -> body.run(
                (long) Crew.from(vectors, worker, workers) * Memory.VECTOR,
                (long) Crew.from(vectors, worker + 1, workers) * Memory.VECTOR));
    }

    static void rows(CpuEmitter out, int rows, Row body) {
        out.step((worker, workers) -> {
            int last = Crew.from(rows, worker + 1, workers);
            for (int row = Crew.from(rows, worker, workers); row < last; row++) {
                body.run(row);
            }
        });
    }

    static void activation(CpuEmitter out, Activation op) {
        long x = out.address(op.x());
        long y = out.address(op.y());
        vectors(out, op.x(), (from, to) -> {
            Functions.run(op.function(), x + from, y + from, to - from);
        });
    }

    static void activationGrad(CpuEmitter out, ActivationGrad op) {
        long x = out.address(op.x());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        vectors(out, op.x(), (from, to) -> {
            for (long i = from; i < to; i += Memory.VECTOR) {
                store(dx + i, load(dy + i).mul(Functions.slope(op.function(), load(x + i))));
            }
        });
    }

    static void add(CpuEmitter out, Add op) {
        long a = out.address(op.a());
        long y = out.address(op.y());
        float alpha = op.alpha();
        float beta = op.beta();
        if (op.b() == null) {
            vectors(out, op.a(), (from, to) -> {
                for (long i = from; i < to; i += Memory.VECTOR) {
                    store(y + i, load(a + i).mul(alpha));
                }
            });
            return;
        }
        long b = out.address(op.b());
        vectors(out, op.a(), (from, to) -> {
            for (long i = from; i < to; i += Memory.VECTOR) {
                store(y + i, load(a + i).mul(alpha).add(load(b + i).mul(beta)));
            }
        });
    }

    static void addChannel(CpuEmitter out, AddChannel op) {
        int pixels = op.x().sizeFrom(2);
        long x = out.address(op.x());
        long c = out.address(op.c());
        long y = out.address(op.y());
        rows(out, op.c().size(), row -> {
            float value = Memory.get(c + 4L * row);
            long at = (long) row * pixels * Float.BYTES;
            int i = 0;
            for (; i + LANES <= pixels; i += LANES) {
                store(y + at + 4L * i, load(x + at + 4L * i).add(value));
            }
            if (i < pixels) {
                var mask = Memory.first(pixels - i);
                store(y + at + 4L * i, load(x + at + 4L * i, mask).add(value), mask);
            }
        });
    }

    static void sumChannel(CpuEmitter out, SumChannel op) {
        int pixels = op.x().sizeFrom(2);
        long x = out.address(op.x());
        long y = out.address(op.y());
        rows(
                out,
                op.y().size(),
                row -> Memory.set(y + 4L * row, Reductions.sum(x + (long) row * pixels * Float.BYTES, pixels)));
    }

    static void modulate(CpuEmitter out, Modulate op) {
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        long x = out.address(op.x());
        long s = out.address(op.s());
        long y = out.address(op.y());
        rows(out, op.x().dim(0) * channels, row -> {
            long scaleAt = s + 4L * ((long) row / channels * 2 * channels + row % channels);
            float scale = 1 + Memory.get(scaleAt);
            float shift = Memory.get(scaleAt + 4L * channels);
            long at = (long) row * pixels * Float.BYTES;
            for (int i = 0; i < pixels; i += LANES) {
                var mask = Reductions.mask(pixels - i);
                store(y + at + 4L * i, load(x + at + 4L * i, mask).mul(scale).add(shift), mask);
            }
        });
    }

    static void modulateGrad(CpuEmitter out, ModulateGrad op) {
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        long x = out.address(op.x());
        long s = out.address(op.s());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        long ds = out.address(op.ds());
        rows(out, op.x().dim(0) * channels, row -> {
            long index = 4L * ((long) row / channels * 2 * channels + row % channels);
            float scale = 1 + Memory.get(s + index);
            long at = (long) row * pixels * Float.BYTES;
            FloatVector product = FloatVector.zero(SPECIES);
            for (int i = 0; i < pixels; i += LANES) {
                var mask = Reductions.mask(pixels - i);
                FloatVector d = load(dy + at + 4L * i, mask);
                product = product.add(d.mul(load(x + at + 4L * i, mask)));
                store(dx + at + 4L * i, d.mul(scale), mask);
            }
            Memory.set(ds + index, Memory.sum(product));
            Memory.set(ds + index + 4L * channels, Reductions.sum(dy + at, pixels));
        });
    }

    static void linearCombination(CpuEmitter out, LinearCombination op) {
        int terms = op.xs().size();
        long[] xs = op.xs().stream().mapToLong(out::address).toArray();
        long c = out.address(op.c());
        long y = out.address(op.y());
        if (op.c().rank() == 1) {
            vectors(out, op.y(), (from, to) -> combine(y, xs, c, from, to));
            return;
        }
        int samples = op.y().dim(0);
        int size = op.y().sizeFrom(1);
        rows(out, samples, n -> {
            for (int i = 0; i < size; i += LANES) {
                var mask = Reductions.mask(size - i);
                long at = ((long) n * size + i) * Float.BYTES;
                FloatVector sum = FloatVector.zero(SPECIES);
                for (int k = 0; k < terms; k++) {
                    float factor = Memory.get(c + 4L * ((long) n * terms + k));
                    sum = sum.add(load(xs[k] + at, mask).mul(factor));
                }
                store(y + at, sum, mask);
            }
        });
    }

    private static void combine(long y, long[] xs, long c, long from, long to) {
        for (long i = from; i < to; i += Memory.VECTOR) {
            FloatVector sum = FloatVector.zero(SPECIES);
            for (int k = 0; k < xs.length; k++) {
                sum = sum.add(load(xs[k] + i).mul(Memory.get(c + 4L * k)));
            }
            store(y + i, sum);
        }
    }

    static void dropout(CpuEmitter out, Dropout op) {
        long x = out.address(op.x());
        long y = out.address(op.y());
        long seedAt = out.address(op.seed());
        float scale = 1 / (1 - op.p());
        vectors(out, op.x(), (from, to) -> {
            int seed = (int) Memory.get(seedAt);
            for (long i = from; i < to; i += Float.BYTES) {
                boolean keeps = Dropout.keeps(seed, op.layer(), (int) (i / Float.BYTES), op.p());
                Memory.set(y + i, keeps ? Memory.get(x + i) * scale : 0);
            }
        });
    }
}
