package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Matrix products: x[rows, in], w[out, in], y[rows, out], each at its place in {@code mem}. A bias of -1 means none.
 */
final class LinearKernels {
    private LinearKernels() {}

    /** Parallel over rows and over columns of y. */
    static void forward(FloatArray mem, int x, int w, int bias, int y, int rows, int in, int out) {
        for (@Parallel int row = 0; row < rows; row++) {
            for (@Parallel int m = 0; m < out; m++) {
                float sum = 0;
                for (int i = 0; i < in; i++) {
                    sum += mem.get(x + row * in + i) * mem.get(w + m * in + i);
                }
                if (bias >= 0) {
                    sum += mem.get(bias + m);
                }
                mem.set(y + row * out + m, sum);
            }
        }
    }

    /** dx = dy w; parallel over rows and columns of dx. */
    static void gradInput(FloatArray mem, int dy, int w, int dx, int rows, int in, int out) {
        for (@Parallel int row = 0; row < rows; row++) {
            for (@Parallel int i = 0; i < in; i++) {
                float sum = 0;
                for (int m = 0; m < out; m++) {
                    sum += mem.get(dy + row * out + m) * mem.get(w + m * in + i);
                }
                mem.set(dx + row * in + i, sum);
            }
        }
    }

    /** dw += the transpose of dy times x; parallel over rows and columns of dw. */
    static void gradWeight(FloatArray mem, int x, int dy, int dw, int rows, int in, int out) {
        for (@Parallel int m = 0; m < out; m++) {
            for (@Parallel int i = 0; i < in; i++) {
                float sum = 0;
                for (int row = 0; row < rows; row++) {
                    sum += mem.get(dy + row * out + m) * mem.get(x + row * in + i);
                }
                mem.set(dw + m * in + i, mem.get(dw + m * in + i) + sum);
            }
        }
    }

    /** dBias += the sum of dy over the rows; parallel over columns. */
    static void gradBias(FloatArray mem, int dy, int dBias, int rows, int out) {
        for (@Parallel int m = 0; m < out; m++) {
            float sum = 0;
            for (int row = 0; row < rows; row++) {
                sum += mem.get(dy + row * out + m);
            }
            mem.set(dBias + m, mem.get(dBias + m) + sum);
        }
    }
}
