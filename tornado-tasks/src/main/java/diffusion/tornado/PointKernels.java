package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Elementwise ops over tensors at their places in {@code mem}; parallel over elements unless said otherwise. */
final class PointKernels {
    private PointKernels() {}

    static void activation(FloatArray mem, int x, int y, int size, int function) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(y + i, Functions.value(function, mem.get(x + i)));
        }
    }

    static void activationGrad(FloatArray mem, int x, int dy, int dx, int size, int function) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(dx + i, mem.get(dy + i) * Functions.slope(function, mem.get(x + i)));
        }
    }

    /** y[row, c] = x[row, c] f(x[row, width + c]). */
    static void gate(FloatArray mem, int x, int y, int size, int width, int function) {
        for (@Parallel int i = 0; i < size; i++) {
            int at = x + i + i / width * width;
            mem.set(y + i, mem.get(at) * Functions.value(function, mem.get(at + width)));
        }
    }

    static void gateGrad(FloatArray mem, int x, int dy, int dx, int size, int width, int function) {
        for (@Parallel int i = 0; i < size; i++) {
            int at = i + i / width * width;
            float d = mem.get(dy + i);
            float b = mem.get(x + at + width);
            mem.set(dx + at, d * Functions.value(function, b));
            mem.set(dx + at + width, d * mem.get(x + at) * Functions.slope(function, b));
        }
    }

    /** y = alpha a + beta b. */
    static void add(FloatArray mem, int a, int b, int y, int size, float alpha, float beta) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(y + i, alpha * mem.get(a + i) + beta * mem.get(b + i));
        }
    }

    /** y = alpha a. */
    static void scale(FloatArray mem, int a, int y, int size, float alpha) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(y + i, alpha * mem.get(a + i));
        }
    }

    /** y[plane, pixel] = x[plane, pixel] + c[plane]. */
    static void addChannel(FloatArray mem, int x, int c, int y, int planes, int pixels) {
        for (@Parallel int i = 0; i < planes * pixels; i++) {
            mem.set(y + i, mem.get(x + i) + mem.get(c + i / pixels));
        }
    }

    /** y[plane] = the sum of x[plane, pixel]; parallel over planes. */
    static void sumChannel(FloatArray mem, int x, int y, int planes, int pixels) {
        for (@Parallel int plane = 0; plane < planes; plane++) {
            float sum = 0;
            for (int i = 0; i < pixels; i++) {
                sum += mem.get(x + plane * pixels + i);
            }
            mem.set(y + plane, sum);
        }
    }

    /** y[n, c, pixel] = x (1 + s[n, c]) + s[n, channels + c]. */
    static void modulate(FloatArray mem, int x, int s, int y, int n, int channels, int pixels) {
        for (@Parallel int i = 0; i < n * channels * pixels; i++) {
            int plane = i / pixels;
            int at = s + plane / channels * 2 * channels + plane % channels;
            mem.set(y + i, mem.get(x + i) * (1 + mem.get(at)) + mem.get(at + channels));
        }
    }

    static void modulateGradInput(FloatArray mem, int s, int dy, int dx, int n, int channels, int pixels) {
        for (@Parallel int i = 0; i < n * channels * pixels; i++) {
            int plane = i / pixels;
            int at = s + plane / channels * 2 * channels + plane % channels;
            mem.set(dx + i, mem.get(dy + i) * (1 + mem.get(at)));
        }
    }

    /** Parallel over planes. */
    static void modulateGradScale(FloatArray mem, int x, int dy, int ds, int n, int channels, int pixels) {
        for (@Parallel int plane = 0; plane < n * channels; plane++) {
            float sum = 0;
            float product = 0;
            for (int i = 0; i < pixels; i++) {
                float d = mem.get(dy + plane * pixels + i);
                sum += d;
                product += d * mem.get(x + plane * pixels + i);
            }
            int at = ds + plane / channels * 2 * channels + plane % channels;
            mem.set(at, product);
            mem.set(at + channels, sum);
        }
    }

    /** y[n, i] = c[n * stride + term] x[n, i], added to y unless it is the first term; stride 0: one c for all. */
    static void linearTerm(FloatArray mem, int x, int c, int y, int term, int stride, int n, int size, int first) {
        for (@Parallel int i = 0; i < n * size; i++) {
            float product = mem.get(c + i / size * stride + term) * mem.get(x + i);
            mem.set(y + i, first == 1 ? product : mem.get(y + i) + product);
        }
    }

    /** See {@link diffusion.graph.PointOp.Dropout#keeps}. */
    static void dropout(FloatArray mem, int x, int seed, int y, int size, int layer, float p) {
        for (@Parallel int i = 0; i < size; i++) {
            int h = i * 0x9E3779B9 + ((int) mem.get(seed) + 1) * 0x85EBCA6B + layer * 0xC2B2AE35;
            h = (h ^ ((h >> 16) & 0xFFFF)) * 0x7FEB352D; // TornadoVM's OpenCL has no unsigned shift
            h = (h ^ ((h >> 15) & 0x1FFFF)) * 0x846CA68B;
            h ^= (h >> 16) & 0xFFFF;
            mem.set(y + i, ((h >> 8) & 0xFFFFFF) * 5.9604645e-8f >= p ? mem.get(x + i) / (1 - p) : 0);
        }
    }
}
