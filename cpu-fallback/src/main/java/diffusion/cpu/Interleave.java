package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;

import jdk.incubator.vector.FloatVector;

/** Every other lane of two vectors, and the way back. */
final class Interleave {
    private static final FloatVector EVEN = lanes(i -> 2 * i);
    private static final FloatVector ODD = lanes(i -> 2 * i + 1);
    static final FloatVector LOWER = lanes(i -> i / 2 + i % 2 * LANES);
    static final FloatVector UPPER = lanes(i -> LANES / 2 + i / 2 + i % 2 * LANES);
    private static final FloatVector NEXT = lanes(i -> i + 1);

    private Interleave() {}

    /** Indices of lanes for {@code selectFrom}. */
    static FloatVector lanes(java.util.function.IntUnaryOperator from) {
        float[] lanes = new float[LANES];
        for (int i = 0; i < LANES; i++) {
            lanes[i] = from.applyAsInt(i);
        }
        return FloatVector.fromArray(SPECIES, lanes, 0);
    }

    /** a0 a2 a4 .. b0 b2 b4 .. */
    static FloatVector even(FloatVector a, FloatVector b) {
        return EVEN.selectFrom(a, b);
    }

    /** a1 a3 a5 .. b1 b3 b5 .. */
    static FloatVector odd(FloatVector a, FloatVector b) {
        return ODD.selectFrom(a, b);
    }

    /** a0 b0 a1 b1 .., of the lower half of the lanes. */
    static FloatVector lower(FloatVector a, FloatVector b) {
        return LOWER.selectFrom(a, b);
    }

    /** The same of the upper half. */
    static FloatVector upper(FloatVector a, FloatVector b) {
        return UPPER.selectFrom(a, b);
    }

    /** a1 a2 a3 .. last. */
    static FloatVector next(FloatVector a, float last) {
        return NEXT.selectFrom(a, FloatVector.broadcast(SPECIES, last));
    }
}
