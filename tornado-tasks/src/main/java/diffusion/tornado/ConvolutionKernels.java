package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Convolutions. {@code mem} holds every tensor; the first integers say where each one starts, the others are its sizes:
 * x[n, c, h, width], w[k, c, r, s], y[n, k, outH, outW]. A bias of -1 means none.
 */
final class ConvolutionKernels {
    private ConvolutionKernels() {}

    /** Parallel over samples with four channels of y each, and over pixels of y. */
    static void forward(
            FloatArray mem,
            int x,
            int w,
            int bias,
            int y,
            int n,
            int c,
            int h,
            int width,
            int k,
            int r,
            int s,
            int stride,
            int top,
            int left,
            int outH,
            int outW) {
        for (@Parallel int block = 0; block < n * ((k + 3) / 4); block++) {
            for (@Parallel int pixel = 0; pixel < outH * outW; pixel++) {
                int sample = block / ((k + 3) / 4);
                int k0 = block % ((k + 3) / 4) * 4;
                int k1 = k0 + 1 < k ? k0 + 1 : k0;
                int k2 = k0 + 2 < k ? k0 + 2 : k0;
                int k3 = k0 + 3 < k ? k0 + 3 : k0;
                int row0 = pixel / outW * stride - top;
                int column0 = pixel % outW * stride - left;
                float sum0 = 0;
                float sum1 = 0;
                float sum2 = 0;
                float sum3 = 0;
                for (int ch = 0; ch < c; ch++) {
                    int plane = x + (sample * c + ch) * h * width;
                    for (int i = 0; i < r; i++) {
                        int row = row0 + i;
                        if (row >= 0 && row < h) {
                            for (int j = 0; j < s; j++) {
                                int column = column0 + j;
                                if (column >= 0 && column < width) {
                                    float value = mem.get(plane + row * width + column);
                                    int weight = (ch * r + i) * s + j;
                                    sum0 += value * mem.get(w + k0 * c * r * s + weight);
                                    sum1 += value * mem.get(w + k1 * c * r * s + weight);
                                    sum2 += value * mem.get(w + k2 * c * r * s + weight);
                                    sum3 += value * mem.get(w + k3 * c * r * s + weight);
                                }
                            }
                        }
                    }
                }
                if (bias >= 0) {
                    sum0 += mem.get(bias + k0);
                    sum1 += mem.get(bias + k1);
                    sum2 += mem.get(bias + k2);
                    sum3 += mem.get(bias + k3);
                }
                int at = y + (sample * k + k0) * outH * outW + pixel;
                mem.set(at, sum0);
                if (k1 > k0) {
                    mem.set(at + outH * outW, sum1);
                }
                if (k2 > k0) {
                    mem.set(at + 2 * outH * outW, sum2);
                }
                if (k3 > k0) {
                    mem.set(at + 3 * outH * outW, sum3);
                }
            }
        }
    }

    /** The gradient by x; parallel over planes and pixels of dx. */
    static void gradInput(
            FloatArray mem,
            int dy,
            int w,
            int dx,
            int n,
            int c,
            int h,
            int width,
            int k,
            int r,
            int s,
            int stride,
            int top,
            int left,
            int outH,
            int outW) {
        for (@Parallel int plane = 0; plane < n * c; plane++) {
            for (@Parallel int pixel = 0; pixel < h * width; pixel++) {
                int sample = plane / c;
                int ch = plane % c;
                int row = pixel / width + top;
                int column = pixel % width + left;
                int firstRow = TornadoMath.max(0, (row - r + stride) / stride);
                int lastRow = TornadoMath.min(outH - 1, row / stride);
                int firstColumn = TornadoMath.max(0, (column - s + stride) / stride);
                int lastColumn = TornadoMath.min(outW - 1, column / stride);
                float sum = 0;
                for (int out = 0; out < k; out++) {
                    int from = dy + (sample * k + out) * outH * outW;
                    int weights = w + (out * c + ch) * r * s;
                    for (int i = firstRow; i <= lastRow; i++) {
                        int weightRow = weights + (row - i * stride) * s + column;
                        for (int j = firstColumn; j <= lastColumn; j++) {
                            sum += mem.get(from + i * outW + j) * mem.get(weightRow - j * stride);
                        }
                    }
                }
                mem.set(dx + plane * h * width + pixel, sum);
            }
        }
    }

    /** Adds the gradient by w; parallel over the elements of dw. */
    static void gradWeight(
            FloatArray mem,
            int x,
            int dy,
            int dw,
            int n,
            int c,
            int h,
            int width,
            int k,
            int r,
            int s,
            int stride,
            int top,
            int left,
            int outH,
            int outW) {
        for (@Parallel int out = 0; out < k; out++) {
            for (@Parallel int weight = 0; weight < c * r * s; weight++) {
                int ch = weight / (r * s);
                int i = weight / s % r;
                int j = weight % s;
                float total = 0;
                for (int sample = 0; sample < n; sample++) {
                    float sum = 0;
                    for (int y = 0; y < outH; y++) {
                        int row = y * stride - top + i;
                        if (row >= 0 && row < h) {
                            int from = x + ((sample * c + ch) * h + row) * width;
                            int gradient = dy + ((sample * k + out) * outH + y) * outW;
                            for (int z = 0; z < outW; z++) {
                                int column = z * stride - left + j;
                                if (column >= 0 && column < width) {
                                    sum += mem.get(from + column) * mem.get(gradient + z);
                                }
                            }
                        }
                    }
                    total += sum;
                }
                int at = dw + out * c * r * s + weight;
                mem.set(at, mem.get(at) + total);
            }
        }
    }

    /** Adds the sum of dy over samples and pixels; parallel over channels. */
    static void gradBias(FloatArray mem, int dy, int dBias, int n, int k, int pixels) {
        for (@Parallel int out = 0; out < k; out++) {
            float total = 0;
            for (int sample = 0; sample < n; sample++) {
                int from = dy + (sample * k + out) * pixels;
                float sum = 0;
                for (int i = 0; i < pixels; i++) {
                    sum += mem.get(from + i);
                }
                total += sum;
            }
            mem.set(dBias + out, mem.get(dBias + out) + total);
        }
    }
}
