package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.first;
import static diffusion.cpu.Memory.load;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/** Sums over a run of floats, always in the same order: lanes first, then across lanes. */
final class Reductions {
    private Reductions() {}

    static float sum(long x, int n) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        int i = 0;
        for (; i + 2 * LANES <= n; i += 2 * LANES) {
            s0 = s0.add(load(x + 4L * i));
            s1 = s1.add(load(x + 4L * (i + LANES)));
        }
        for (; i < n; i += LANES) {
            s0 = s0.add(load(x + 4L * i, mask(n - i)));
        }
        return Memory.sum(s0.add(s1));
    }

    /** The sum of (x - mean)^2. */
    static float squares(long x, int n, float mean) {
        FloatVector s0 = FloatVector.zero(SPECIES);
        FloatVector s1 = s0;
        int i = 0;
        for (; i + 2 * LANES <= n; i += 2 * LANES) {
            FloatVector d0 = load(x + 4L * i).sub(mean);
            FloatVector d1 = load(x + 4L * (i + LANES)).sub(mean);
            s0 = d0.fma(d0, s0);
            s1 = d1.fma(d1, s1);
        }
        for (; i < n; i += LANES) {
            VectorMask<Float> mask = mask(n - i);
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector d = zero.blend(load(x + 4L * i, mask).sub(mean), mask);
            s0 = d.fma(d, s0);
        }
        return Memory.sum(s0.add(s1));
    }

    /** The lanes of the last, shorter vector of a run with {@code left} elements to go; all lanes if there are enough. */
    static VectorMask<Float> mask(int left) {
        return left >= LANES ? SPECIES.maskAll(true) : first(left);
    }
}
