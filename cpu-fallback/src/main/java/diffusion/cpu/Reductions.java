package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.at;
import static diffusion.cpu.Memory.first;
import static diffusion.cpu.Memory.load;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * Sums over a run of floats, always in the same order: lanes of every fourth vector, then the four, then across lanes.
 *
 * <p>With two sums at a time instead of four the methods are small enough for the compiler to inline them into a group norm
 * together with SiLU, until it is out of nodes in the midst of that and boxes its vectors: twice the time, measured.
 */
final class Reductions {
    private Reductions() {}

    static float sum(long x, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i + 4 * LANES <= n; i += 4 * LANES) {
            long at = at(x + 4L * i);
            s0 = s0.add(load(at));
            s1 = s1.add(load(at + VECTOR));
            s2 = s2.add(load(at + 2 * VECTOR));
            s3 = s3.add(load(at + 3 * VECTOR));
        }
        for (; i < n; i += LANES) {
            s0 = s0.add(load(x + 4L * i, mask(n - i)));
        }
        return Memory.sum(s0.add(s1).add(s2.add(s3)));
    }

    /** The sum of (x - mean)^2. */
    static float squares(long x, int n, float mean) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        FloatVector s2 = s0;
        FloatVector s3 = s0;
        int i = 0;
        for (; i + 4 * LANES <= n; i += 4 * LANES) {
            long at = at(x + 4L * i);
            FloatVector d0 = load(at).sub(mean);
            FloatVector d1 = load(at + VECTOR).sub(mean);
            FloatVector d2 = load(at + 2 * VECTOR).sub(mean);
            FloatVector d3 = load(at + 3 * VECTOR).sub(mean);
            s0 = d0.fma(d0, s0);
            s1 = d1.fma(d1, s1);
            s2 = d2.fma(d2, s2);
            s3 = d3.fma(d3, s3);
        }
        for (; i < n; i += LANES) {
            VectorMask<Float> mask = mask(n - i);
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector d = zero.blend(load(x + 4L * i, mask).sub(mean), mask);
            s0 = d.fma(d, s0);
        }
        return Memory.sum(s0.add(s1).add(s2.add(s3)));
    }

    /** The lanes of the last, shorter vector of a run with {@code left} elements to go; all lanes if there are enough. */
    static VectorMask<Float> mask(int left) {
        return left >= LANES ? SPECIES.maskAll(true) : first(left);
    }
}
