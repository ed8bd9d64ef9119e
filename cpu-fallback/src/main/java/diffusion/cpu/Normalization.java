package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.PointOp.GroupNormGrad;
import jdk.incubator.vector.FloatVector;

/** Group normalisation with optional SiLU; parallel over (sample, group). */
final class Normalization {
    private Normalization() {}

    static void forward(CpuEmitter out, GroupNorm op) {
        int channels = op.x().dim(1);
        int perGroup = channels / op.groups();
        int pixels = op.x().sizeFrom(2);
        int units = op.x().dim(0) * op.groups();
        long x = out.address(op.x());
        long y = out.address(op.y());
        long gamma = out.address(op.gamma());
        long beta = out.address(op.beta());
        out.step((worker, workers) -> {
            int last = Crew.from(units, worker + 1, workers);
            for (int unit = Crew.from(units, worker, workers); unit < last; unit++) {
                long from = (long) unit * perGroup * pixels * Float.BYTES;
                int size = perGroup * pixels;
                Moments moments = Moments.of(x + from, size, op.eps());
                float mean = moments.mean;
                float inverse = moments.inverse;
                if (pixels == 1) {
                    long first = 4L * (unit % op.groups() * perGroup);
                    features(y + from, x + from, mean, inverse, gamma + first, beta + first, op.silu(), perGroup);
                    continue;
                }
                for (int c = 0; c < perGroup; c++) {
                    int channel = unit % op.groups() * perGroup + c;
                    float a = get(gamma + 4L * channel) * inverse;
                    float b = get(beta + 4L * channel);
                    long at = from + (long) c * pixels * Float.BYTES;
                    scaleRow(y + at, x + at, mean, a, b, op.silu(), pixels, size - c * pixels);
                }
            }
        });
    }

    /** A group whose channels lie side by side: one element each, as in layer normalisation. */
    private static void features(
            long y, long x, float mean, float inverse, long gamma, long beta, boolean silu, int n) {
        int whole = n & -LANES;
        for (long i = 0; i < 4L * whole; i += VECTOR) {
            FloatVector normal = load(x + i).sub(mean).mul(inverse);
            store(y + i, normal.mul(load(gamma + i)).add(load(beta + i)));
        }
        if (whole < n) {
            var mask = Memory.first(n - whole);
            long i = 4L * whole;
            FloatVector normal = load(x + i, mask).sub(mean).mul(inverse);
            store(y + i, normal.mul(load(gamma + i, mask)).add(load(beta + i, mask)), mask);
        }
        for (int i = 0; silu && i < n; i += LANES) {
            var mask = Reductions.mask(n - i);
            store(y + 4L * i, Memory.silu(load(y + 4L * i, mask)), mask);
        }
    }

    /** Mean and 1 / sqrt(variance + eps) of a group. */
    private record Moments(float mean, float inverse) {
        /** Floats that are read twice: as many as the nearest cache keeps. */
        private static final int BLOCK = 4096;

        /** Goes through memory once, block by block, and joins their sums (Chan, Golub and LeVeque 1979). */
        static Moments of(long x, int size, float eps) {
            double mean = 0;
            double squares = 0;
            for (int done = 0; done < size; done += BLOCK) {
                int n = Math.min(BLOCK, size - done);
                long from = x + (long) done * Float.BYTES;
                float local = Reductions.sum(from, n) / n;
                double apart = local - mean;
                double share = (double) n / (done + n);
                mean += apart * share;
                squares += Reductions.squares(from, n, local) + apart * apart * done * share;
            }
            return new Moments((float) mean, (float) (1 / Math.sqrt(squares / size + eps)));
        }
    }

    /**
     * In three methods, as the compiler does not inline a second {@link Memory#silu}.
     *
     * @param room floats from here to the end of the group: into rows that are written later the last vector may reach
     */
    private static void scaleRow(long y, long x, float mean, float a, float b, boolean silu, int n, int room) {
        int vectors = Gemm.panels(n, LANES) * LANES;
        int whole = vectors <= room ? vectors : n & -LANES;
        if (silu) {
            scaleSilu(y, x, mean, a, b, whole);
        } else {
            scale(y, x, mean, a, b, whole);
        }
        if (whole < n) {
            scaleLast(y + 4L * whole, x + 4L * whole, mean, a, b, silu, n - whole);
        }
    }

    private static void scaleSilu(long y, long x, float mean, float a, float b, int n) {
        FloatVector scale = FloatVector.broadcast(SPECIES, a);
        FloatVector shift = FloatVector.broadcast(SPECIES, b);
        for (int i = 0; i < n; i += LANES) {
            FloatVector z = load(x + 4L * i).sub(mean).fma(scale, shift);
            store(y + 4L * i, Memory.silu(z));
        }
    }

    private static void scale(long y, long x, float mean, float a, float b, int n) {
        FloatVector scale = FloatVector.broadcast(SPECIES, a);
        FloatVector shift = FloatVector.broadcast(SPECIES, b);
        for (int i = 0; i < n; i += LANES) {
            store(y + 4L * i, load(x + 4L * i).sub(mean).fma(scale, shift));
        }
    }

    private static void scaleLast(long y, long x, float mean, float a, float b, boolean silu, int n) {
        var mask = Memory.first(n);
        FloatVector scale = FloatVector.broadcast(SPECIES, a);
        FloatVector z = load(x, mask).sub(mean).fma(scale, FloatVector.broadcast(SPECIES, b));
        store(y, silu ? Memory.silu(z) : z, mask);
    }

    /** Sums for gamma and beta are kept per sample and added up afterwards, in the order of the samples. */
    static void gradient(CpuEmitter out, GroupNormGrad op) {
        int batch = op.x().dim(0);
        int channels = op.x().dim(1);
        int perGroup = channels / op.groups();
        int pixels = op.x().sizeFrom(2);
        int units = batch * op.groups();
        long x = out.address(op.x());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        long gamma = out.address(op.gamma());
        long beta = out.address(op.beta());
        long dGamma = out.address(op.dGamma());
        long dBeta = out.address(op.dBeta());
        Scratch scratch = out.scratch();
        scratch.reserveShared(2L * batch * channels);
        scratch.reserveWorker(3L * LANES);
        out.step((worker, workers) -> {
            int last = Crew.from(units, worker + 1, workers);
            long row = scratch.worker();
            for (int unit = Crew.from(units, worker, workers); unit < last; unit++) {
                long from = (long) unit * perGroup * pixels * Float.BYTES;
                int size = perGroup * pixels;
                Moments moments = Moments.of(x + from, size, op.eps());
                float mean = moments.mean;
                float inverse = moments.inverse;
                float sum = 0;
                float product = 0;
                for (int c = 0; c < perGroup; c++) {
                    int channel = unit % op.groups() * perGroup + c;
                    long at = from + (long) c * pixels * Float.BYTES;
                    float g = get(gamma + 4L * channel);
                    float b = get(beta + 4L * channel);
                    long sums = scratch.shared() + ((long) unit * perGroup + c) * 2 * Float.BYTES;
                    Memory.set(sums, 0);
                    Memory.set(sums + Float.BYTES, 0);
                    int whole = pixels & -LANES;
                    addSums(sums, dx + at, dy + at, x + at, mean, inverse, g, b, op.silu(), whole);
                    if (whole < pixels) { // as a vector that ends in zeros
                        var mask = Memory.first(pixels - whole);
                        store(row, load(dy + at + 4L * whole, mask));
                        store(row + VECTOR, load(x + at + 4L * whole, mask));
                        addSums(sums, row + 2 * VECTOR, row, row + VECTOR, mean, inverse, g, b, op.silu(), LANES);
                        store(dx + at + 4L * whole, load(row + 2 * VECTOR), mask);
                    }
                    sum += g * get(sums);
                    product += g * get(sums + Float.BYTES);
                }
                for (int c = 0; c < perGroup; c++) {
                    float g = get(gamma + 4L * (unit % op.groups() * perGroup + c));
                    long at = from + (long) c * pixels * Float.BYTES;
                    inputRow(dx + at, x + at, mean, inverse, g, sum / size, product / size, pixels);
                }
            }
        });
        out.step((worker, workers) -> {
            int last = Crew.from(channels, worker + 1, workers);
            for (int c = Crew.from(channels, worker, workers); c < last; c++) {
                float b = 0;
                float g = 0;
                for (int n = 0; n < batch; n++) {
                    long sums = scratch.shared() + ((long) n * channels + c) * 2 * Float.BYTES;
                    b += get(sums);
                    g += get(sums + Float.BYTES);
                }
                Memory.set(dBeta + 4L * c, get(dBeta + 4L * c) + b);
                Memory.set(dGamma + 4L * c, get(dGamma + 4L * c) + g);
            }
        });
    }

    /** Leaves dz, the gradient before SiLU, in dx and adds the sums of dz and of dz * (x - mean) * inverse; whole vectors. */
    private static void addSums(
            long sums, long dx, long dy, long x, float mean, float inverse, float g, float b, boolean silu, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        for (int i = 0; i < n; i += LANES) {
            FloatVector normal = load(x + 4L * i).sub(mean).mul(inverse);
            FloatVector dz = load(dy + 4L * i);
            if (silu) {
                FloatVector z = normal.mul(g).add(b);
                FloatVector sigmoid = Memory.sigmoid(z);
                dz = dz.mul(sigmoid).mul(z.mul(sigmoid.neg().add(1f)).add(1f));
            }
            store(dx + 4L * i, dz);
            s0 = s0.add(dz);
            s1 = dz.fma(normal, s1);
        }
        Memory.set(sums, get(sums) + Memory.sum(s0));
        Memory.set(sums + Float.BYTES, get(sums + Float.BYTES) + Memory.sum(s1));
    }

    private static void inputRow(long dx, long x, float mean, float inverse, float g, float sum, float product, int n) {
        int i = 0;
        for (; i + LANES <= n; i += LANES) {
            FloatVector normal = load(x + 4L * i).sub(mean).mul(inverse);
            FloatVector d = load(dx + 4L * i).mul(g).sub(sum).sub(normal.mul(product));
            store(dx + 4L * i, d.mul(inverse));
        }
        if (i < n) {
            var mask = Memory.first(n - i);
            FloatVector normal = load(x + 4L * i, mask).sub(mean).mul(inverse);
            FloatVector d = load(dx + 4L * i, mask).mul(g).sub(sum).sub(normal.mul(product));
            store(dx + 4L * i, d.mul(inverse), mask);
        }
    }
}
