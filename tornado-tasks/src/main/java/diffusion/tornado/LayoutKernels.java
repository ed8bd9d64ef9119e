package diffusion.tornado;

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/** Ops that move, repeat, pool or look up elements of {@code mem}; parallel over the elements written. */
final class LayoutKernels {
    private LayoutKernels() {}

    /** y[n, columns, rows] = x[n, rows, columns]. */
    static void transpose(FloatArray mem, int x, int y, int n, int rows, int columns) {
        for (@Parallel int i = 0; i < n * rows * columns; i++) {
            int sample = i / (rows * columns);
            int row = i % rows;
            int column = i / rows % columns;
            mem.set(y + i, mem.get(x + (sample * rows + row) * columns + column));
        }
    }

    /** Copies bands: outer runs of {@code length} elements, {@code fromStride} and {@code toStride} apart. */
    static void copy(FloatArray mem, int from, int to, int outer, int length, int fromStride, int toStride) {
        for (@Parallel int i = 0; i < outer * length; i++) {
            mem.set(to + i / length * toStride + i % length, mem.get(from + i / length * fromStride + i % length));
        }
    }

    /** y = value. */
    static void fill(FloatArray mem, int y, int size, float value) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(y + i, value);
        }
    }

    /** y[plane, f h, g width] = every pixel of x[plane, h, width] repeated. */
    static void repeatPixels(FloatArray mem, int x, int y, int planes, int h, int width, int f, int g) {
        for (@Parallel int i = 0; i < planes * h * f * width * g; i++) {
            int column = i % (width * g) / g;
            int row = i / (width * g) % (h * f) / f;
            int plane = i / (width * g) / (h * f);
            mem.set(y + i, mem.get(x + (plane * h + row) * width + column));
        }
    }

    /** small[plane, i, j] = factor times the sum of an f x g window of large[plane, h, width]. */
    static void sumWindows(
            FloatArray mem,
            int large,
            int small,
            int planes,
            int h,
            int width,
            int outH,
            int outW,
            int f,
            int g,
            float factor) {
        for (@Parallel int i = 0; i < planes * outH * outW; i++) {
            int column = i % outW * g;
            int row = i / outW % outH * f;
            int plane = large + i / (outW * outH) * h * width;
            float sum = 0;
            for (int r = 0; r < f; r++) {
                for (int s = 0; s < g; s++) {
                    sum += mem.get(plane + (row + r) * width + column + s);
                }
            }
            mem.set(small + i, sum * factor);
        }
    }

    /** dx[plane, h, width] = dy of the window that holds the pixel, over f g; 0 outside. */
    static void averageGrad(
            FloatArray mem, int dy, int dx, int planes, int h, int width, int outH, int outW, int f, int g) {
        for (@Parallel int i = 0; i < planes * h * width; i++) {
            int column = i % width / g;
            int row = i / width % h / f;
            int plane = i / (width * h);
            boolean inside = row < outH && column < outW;
            int from = inside ? (plane * outH + row) * outW + column : 0;
            mem.set(dx + i, inside ? mem.get(dy + from) / (f * g) : 0);
        }
    }

    /** y[n, size] = row index[n] of table[rows, size]; an index outside gives NaN. */
    static void embedding(FloatArray mem, int index, int table, int y, int n, int rows, int size) {
        for (@Parallel int i = 0; i < n * size; i++) {
            float chosen = mem.get(index + i / size);
            boolean inside = chosen >= 0 && chosen < rows;
            int row = inside ? (int) chosen : 0;
            mem.set(y + i, inside ? mem.get(table + row * size + i % size) : Functions.nan(chosen));
        }
    }

    /** dTable[rows, size] += dy[n, size] where index[n] is the row. */
    static void embeddingGrad(FloatArray mem, int index, int dy, int dTable, int n, int rows, int size) {
        for (@Parallel int i = 0; i < rows * size; i++) {
            float sum = mem.get(dTable + i);
            for (int sample = 0; sample < n; sample++) {
                if ((int) mem.get(index + sample) == i / size) {
                    sum += mem.get(dy + sample * size + i % size);
                }
            }
            mem.set(dTable + i, sum);
        }
    }

    /** y[n, size] = sines, then cosines (the other way round if {@code flip} is 1), of t[n] * f[count], t or its logarithm. */
    static void sinusoidal(FloatArray mem, int t, int f, int y, int n, int size, int count, int flip, int byLog) {
        for (@Parallel int i = 0; i < n * size; i++) {
            float time = mem.get(t + i / size);
            float scaled = byLog == 1 ? TornadoMath.log(time) : time;
            int d = i % size;
            float angle = d < 2 * count ? scaled * mem.get(f + d % count) : 0;
            boolean sine = (d < count) == (flip == 0);
            float value = sine ? TornadoMath.sin(angle) : TornadoMath.cos(angle);
            mem.set(y + i, d < 2 * count ? value : 0);
        }
    }
}
