package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * The variational bound's term for learned variances, see {@link diffusion.graph.TrainOp.VlbLoss}.
 *
 * <p>In float: the Gaussian's mass on an 8-bit level is a difference of two logistic functions, taken on the side where both
 * are small, so that little of it cancels.
 */
final class VariationalKernels {
    private static final float ROOT = 0.79788456f; // sqrt(2 / pi)
    private static final float HALF_STEP = 1f / 255;

    private VariationalKernels() {}

    private static float logVariance(FloatArray mem, int v, int c) {
        float min = mem.get(c + 1);
        return min + (mem.get(c + 2) - min) * (mem.get(v) + 1) / 2;
    }

    /** Twice the argument of tanh in the approximation of the normal distribution. */
    private static float angle(float z) {
        return 2 * ROOT * (z + 0.044715f * z * z * z);
    }

    private static float cdfSlope(float z) {
        float angle = angle(z);
        return 2 * Functions.sigmoid(angle) * Functions.sigmoid(-angle) * ROOT * (1 + 3 * 0.044715f * z * z);
    }

    private static float likelihood(float x, float d, float inverse) {
        float upper = angle((d + HALF_STEP) * inverse);
        float lower = angle((d - HALF_STEP) * inverse);
        if (x > 0.999f) {
            return Functions.sigmoid(-lower);
        }
        if (x < -0.999f) {
            return Functions.sigmoid(upper);
        }
        return upper + lower > 0
                ? Functions.sigmoid(-lower) - Functions.sigmoid(-upper)
                : Functions.sigmoid(upper) - Functions.sigmoid(lower);
    }

    /** sums[n] over the elements of one sample, in nats; parallel over samples. */
    static void loss(FloatArray mem, int v, int trueMean, int mean, int x0, int c, int sums, int n, int size) {
        for (@Parallel int sample = 0; sample < n; sample++) {
            float sum = 0;
            for (int i = sample * size; i < (sample + 1) * size; i++) {
                float l = logVariance(mem, v + i, c + 4 * sample);
                if (mem.get(c + 4 * sample + 3) == 0) {
                    float q = mem.get(c + 4 * sample);
                    float d = mem.get(trueMean + i) - mem.get(mean + i);
                    sum += 0.5f * (l - q - 1 + TornadoMath.exp(q - l) + d * d * TornadoMath.exp(-l));
                } else {
                    float x = mem.get(x0 + i);
                    float p = likelihood(x, x - mem.get(mean + i), TornadoMath.exp(-l / 2));
                    sum -= TornadoMath.log(p > 1e-12f ? p : 1e-12f);
                }
            }
            mem.set(sums + sample, sum);
        }
    }

    /** Parallel over elements. */
    static void gradient(
            FloatArray mem,
            int v,
            int trueMean,
            int mean,
            int x0,
            int c,
            int dy,
            int dv,
            int n,
            int size,
            float factor) {
        for (@Parallel int i = 0; i < n * size; i++) {
            int at = c + i / size * 4;
            float l = logVariance(mem, v + i, at);
            float range = (mem.get(at + 2) - mem.get(at + 1)) / 2;
            float slope;
            if (mem.get(at + 3) == 0) {
                float d = mem.get(trueMean + i) - mem.get(mean + i);
                slope = 0.5f * (1 - TornadoMath.exp(mem.get(at) - l) - d * d * TornadoMath.exp(-l));
            } else {
                float x = mem.get(x0 + i);
                float d = x - mem.get(mean + i);
                float inverse = TornadoMath.exp(-l / 2);
                float p = likelihood(x, d, inverse);
                float up = (d + HALF_STEP) * inverse;
                float low = (d - HALF_STEP) * inverse;
                float upper = x > 0.999f ? 0 : -0.5f * up * cdfSlope(up);
                float lower = x < -0.999f ? 0 : -0.5f * low * cdfSlope(low);
                slope = p <= 1e-12f ? 0 : -(upper - lower) / p;
            }
            mem.set(dv + i, slope * range * factor * mem.get(dy));
        }
    }
}
