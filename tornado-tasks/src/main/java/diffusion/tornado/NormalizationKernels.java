package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Group normalisation of x[n, groups * width, pixels], each tensor at its place in {@code mem}: first the moments of each
 * group, then the elements.
 */
final class NormalizationKernels {
    private NormalizationKernels() {}

    /** moments[rows, 2] = mean and 1 / standard deviation of rows of {@code size} elements; parallel over rows. */
    static void moments(FloatArray mem, int x, int moments, int rows, int size, float eps) {
        for (@Parallel int row = 0; row < rows; row++) {
            float sum = 0;
            for (int i = 0; i < size; i++) {
                sum += mem.get(x + row * size + i);
            }
            float mean = sum / size;
            float squares = 0;
            for (int i = 0; i < size; i++) {
                float d = mem.get(x + row * size + i) - mean;
                squares += d * d;
            }
            mem.set(moments + 2 * row, mean);
            mem.set(moments + 2 * row + 1, 1 / TornadoMath.sqrt(squares / size + eps));
        }
    }

    /** y = gamma (x - mean) / deviation + beta, then SiLU if {@code silu} is 1; parallel over planes and pixels. */
    static void apply(
            FloatArray mem,
            int x,
            int gamma,
            int beta,
            int y,
            int moments,
            int n,
            int channels,
            int width,
            int pixels,
            int silu) {
        for (@Parallel int plane = 0; plane < n * channels; plane++) {
            for (@Parallel int i = 0; i < pixels; i++) {
                int c = plane % channels;
                int group = moments + plane / width * 2;
                float normal = (mem.get(x + plane * pixels + i) - mem.get(group)) * mem.get(group + 1);
                float z = normal * mem.get(gamma + c) + mem.get(beta + c);
                mem.set(y + plane * pixels + i, silu == 1 ? z * Functions.sigmoid(z) : z);
            }
        }
    }

    /** dz = the gradient by the value before SiLU. */
    private static float slope(float dy, float normal, float gamma, float beta, int silu) {
        return silu == 1 ? dy * Functions.slope(Functions.SILU, normal * gamma + beta) : dy;
    }

    /** sums[n, channels, 2] = the sums of dz and of dz times the normalised value; parallel over planes. */
    static void gradSums(
            FloatArray mem,
            int x,
            int gamma,
            int beta,
            int dy,
            int moments,
            int sums,
            int n,
            int channels,
            int width,
            int pixels,
            int silu) {
        for (@Parallel int plane = 0; plane < n * channels; plane++) {
            int c = plane % channels;
            int group = moments + plane / width * 2;
            float sum = 0;
            float product = 0;
            for (int i = 0; i < pixels; i++) {
                int at = plane * pixels + i;
                float normal = (mem.get(x + at) - mem.get(group)) * mem.get(group + 1);
                float dz = slope(mem.get(dy + at), normal, mem.get(gamma + c), mem.get(beta + c), silu);
                sum += dz;
                product += dz * normal;
            }
            mem.set(sums + 2 * plane, sum);
            mem.set(sums + 2 * plane + 1, product);
        }
    }

    /** Adds the gradients by gamma and beta; parallel over channels. */
    static void gradParameters(FloatArray mem, int sums, int dGamma, int dBeta, int n, int channels) {
        for (@Parallel int c = 0; c < channels; c++) {
            float sum = 0;
            float product = 0;
            for (int sample = 0; sample < n; sample++) {
                sum += mem.get(sums + 2 * (sample * channels + c));
                product += mem.get(sums + 2 * (sample * channels + c) + 1);
            }
            mem.set(dBeta + c, mem.get(dBeta + c) + sum);
            mem.set(dGamma + c, mem.get(dGamma + c) + product);
        }
    }

    /** The gradient by x; parallel over planes and pixels. */
    static void gradInput(
            FloatArray mem,
            int x,
            int gamma,
            int beta,
            int dy,
            int dx,
            int moments,
            int sums,
            int n,
            int channels,
            int width,
            int pixels,
            int silu) {
        for (@Parallel int plane = 0; plane < n * channels; plane++) {
            for (@Parallel int i = 0; i < pixels; i++) {
                int c = plane % channels;
                int group = plane / width;
                float sum = 0;
                float product = 0;
                for (int j = 0; j < width; j++) {
                    int other = group * width + j;
                    float weight = mem.get(gamma + other % channels);
                    sum += weight * mem.get(sums + 2 * other);
                    product += weight * mem.get(sums + 2 * other + 1);
                }
                int at = plane * pixels + i;
                float inverse = mem.get(moments + 2 * group + 1);
                float normal = (mem.get(x + at) - mem.get(moments + 2 * group)) * inverse;
                float dz = slope(mem.get(dy + at), normal, mem.get(gamma + c), mem.get(beta + c), silu);
                float size = width * pixels;
                mem.set(dx + at, inverse * (dz * mem.get(gamma + c) - sum / size - normal * product / size));
            }
        }
    }
}
