package diffusion.cpu;

import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.PointOp.Function;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * The functions of one variable, and their slopes.
 *
 * <p>Each has a loop of its own: a choice between functions inside the loop makes the compiler box its vectors (six times slower).
 */
final class Functions {
    /** Beyond it the tail of a normal distribution is 0 in floats. */
    private static final float MOST = 14;

    private Functions() {}

    /** y = f(x) on so many bytes, whole vectors. */
    static void run(Function function, long x, long y, long bytes) {
        switch (function) {
            case RELU -> relu(x, y, bytes);
            case SILU -> silu(x, y, bytes);
            case GELU -> gelu(x, y, bytes);
            case QUICK_GELU -> quickGelu(x, y, bytes);
            case MISH -> mish(x, y, bytes);
            case TANH -> tanh(x, y, bytes);
            case RECIPROCAL -> reciprocal(x, y, bytes);
        }
    }

    private static void relu(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, relu(load(x + i)));
        }
    }

    private static void silu(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, silu(load(x + i)));
        }
    }

    /** Stores by itself: {@link Memory#store} would be more than the compiler inlines. */
    private static void gelu(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            gelu(load(x + i)).intoMemorySegment(Memory.ALL, y + i, Memory.ORDER);
        }
    }

    private static void quickGelu(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, quickGelu(load(x + i)));
        }
    }

    private static void mish(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, mish(load(x + i)));
        }
    }

    private static void tanh(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, tanh(load(x + i)));
        }
    }

    private static void reciprocal(long x, long y, long bytes) {
        for (long i = 0; i < bytes; i += Memory.VECTOR) {
            store(y + i, reciprocal(load(x + i)));
        }
    }

    /** f(x) of a single vector. */
    static FloatVector apply(Function function, FloatVector x) {
        return switch (function) {
            case RELU -> relu(x);
            case SILU -> silu(x);
            case GELU -> gelu(x);
            case QUICK_GELU -> quickGelu(x);
            case MISH -> mish(x);
            case TANH -> tanh(x);
            case RECIPROCAL -> reciprocal(x);
        };
    }

    private static FloatVector relu(FloatVector x) {
        return x.max(0f);
    }

    private static FloatVector silu(FloatVector x) {
        return Memory.silu(x);
    }

    private static FloatVector gelu(FloatVector x) {
        return x.mul(normalCdf(x));
    }

    private static FloatVector quickGelu(FloatVector x) {
        return x.mul(Memory.sigmoid(x.mul(1.702f)));
    }

    private static FloatVector mish(FloatVector x) {
        return x.mul(tanhSoftplus(x));
    }

    private static FloatVector reciprocal(FloatVector x) {
        return FloatVector.broadcast(SPECIES, 1f).div(x);
    }

    /** f'(x) of a single vector. */
    static FloatVector slope(Function function, FloatVector x) {
        return switch (function) {
            case RELU -> FloatVector.zero(SPECIES).blend(1f, x.compare(VectorOperators.GT, 0f));
            case SILU -> {
                FloatVector s = Memory.sigmoid(x);
                yield s.mul(x.mul(s.neg().add(1f)).add(1f));
            }
            case GELU -> {
                FloatVector density = Memory.exp(x.mul(x).mul(-0.5f)).mul(0.3989422804f);
                yield x.mul(density).add(normalCdf(x));
            }
            case MISH -> {
                FloatVector t = tanhSoftplus(x);
                FloatVector s = Memory.sigmoid(x);
                yield t.add(x.mul(s).mul(t.mul(t).neg().add(1f)));
            }
            case QUICK_GELU -> {
                FloatVector s = Memory.sigmoid(x.mul(1.702f));
                yield s.mul(x.mul(1.702f).mul(s.neg().add(1f)).add(1f));
            }
            case TANH -> {
                FloatVector e = Memory.exp(x.abs().mul(-2f)); // 1 - tanh^2 would cancel
                yield e.mul(4f).div(e.add(1f).mul(e.add(1f)));
            }
            case RECIPROCAL -> FloatVector.broadcast(SPECIES, -1f).div(x.mul(x));
        };
    }

    /** 1 - 2 / (e^2x + 1). */
    private static FloatVector tanh(FloatVector x) {
        FloatVector one = FloatVector.broadcast(SPECIES, 1f);
        return one.sub(
                FloatVector.broadcast(SPECIES, 2f).div(Memory.exp(x.mul(2f)).add(1f)));
    }

    /** tanh(log(1 + e^x)) = n / (n + 2) with n = e^x (e^x + 2). */
    private static FloatVector tanhSoftplus(FloatVector x) {
        FloatVector e = Memory.exp(x.min(20f));
        FloatVector n = e.mul(e.add(2f));
        return n.div(n.add(2f));
    }

    /**
     * Phi(x), of whose smaller tail even the last digits count: e^(-x^2 / 2) times Mills' ratio over sqrt(2 pi), for which stands a
     * quotient of polynomials, fitted to 5e-9 of it.
     */
    private static FloatVector normalCdf(FloatVector x) {
        FloatVector density = Memory.exp2(x.mul(x).mul(-0.72134752f));
        FloatVector z = x.abs();
        z = z.blend(MOST, z.compare(VectorOperators.GT, MOST));
        FloatVector p = FloatVector.broadcast(SPECIES, 0.004020184278488159f);
        p = p.fma(z, FloatVector.broadcast(SPECIES, 0.03998412936925888f));
        p = p.fma(z, FloatVector.broadcast(SPECIES, 0.1813066303730011f));
        p = p.fma(z, FloatVector.broadcast(SPECIES, 0.4356861412525177f));
        p = p.fma(z, FloatVector.broadcast(SPECIES, 0.5f));
        FloatVector q = FloatVector.broadcast(SPECIES, 0.010076964274048805f);
        q = q.fma(z, FloatVector.broadcast(SPECIES, 0.10023272782564163f));
        q = q.fma(z, FloatVector.broadcast(SPECIES, 0.4643799960613251f));
        q = q.fma(z, FloatVector.broadcast(SPECIES, 1.1944836378097534f));
        q = q.fma(z, FloatVector.broadcast(SPECIES, 1.6692571640014648f));
        q = q.fma(z, FloatVector.broadcast(SPECIES, 1f));
        FloatVector tail = p.div(q).mul(density);
        return FloatVector.broadcast(SPECIES, 1f).sub(tail).blend(tail, x.compare(VectorOperators.LT, 0f));
    }
}
