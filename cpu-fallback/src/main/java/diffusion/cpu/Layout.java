package diffusion.cpu;

import static diffusion.cpu.Interleave.lower;
import static diffusion.cpu.Interleave.upper;
import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.copy;
import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.set;
import static diffusion.cpu.Memory.store;

import diffusion.graph.LayoutOp.AvgPool;
import diffusion.graph.LayoutOp.AvgPoolGrad;
import diffusion.graph.LayoutOp.Concat;
import diffusion.graph.LayoutOp.Embedding;
import diffusion.graph.LayoutOp.SinusoidalEmbedding;
import diffusion.graph.LayoutOp.Slice;
import diffusion.graph.LayoutOp.SliceGrad;
import diffusion.graph.LayoutOp.Transpose;
import diffusion.graph.LayoutOp.Upsample;
import diffusion.graph.LayoutOp.UpsampleGrad;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/** Ops that move data; parallel over rows of the tensor that is written. */
final class Layout {
    private Layout() {}

    static void transpose(CpuEmitter out, Transpose op) {
        int rows = op.x().dim(1);
        int columns = op.x().dim(2);
        long x = out.address(op.x());
        long y = out.address(op.y());
        int block = 4 * Memory.LANES;
        int blocks = Gemm.panels(columns, block);
        Pointwise.rows(out, op.x().dim(0) * blocks, unit -> {
            long at = (long) unit / blocks * rows * columns;
            int first = unit % blocks * block;
            int last = Math.min(columns, first + block);
            Transposition.run(
                    y + 4 * (at + (long) first * rows), rows, x + 4 * (at + first), columns, rows, last - first);
        });
    }

    static void concat(CpuEmitter out, Concat op) {
        int start = 0;
        for (Tensor x : op.xs()) {
            band(out, x, op.y(), op.axis(), start, false);
            start += x.dim(op.axis());
        }
    }

    static void slice(CpuEmitter out, Slice op) {
        band(out, op.y(), op.x(), op.axis(), op.start(), true);
    }

    static void sliceGrad(CpuEmitter out, SliceGrad op) {
        long dx = out.address(op.dx());
        Pointwise.vectors(out, op.dx(), (from, to) -> {
            if (to > from) {
                Memory.zero(dx + from, (to - from) / Float.BYTES);
            }
        });
        band(out, op.dy(), op.dx(), op.axis(), op.start(), false);
    }

    /** Copies a tensor to its place along an axis of a wider one, or back. */
    private static void band(CpuEmitter out, Tensor narrow, Tensor wide, int axis, int start, boolean back) {
        int inner = wide.sizeFrom(axis + 1);
        int length = narrow.dim(axis) * inner;
        int pitch = wide.dim(axis) * inner;
        long n = out.address(narrow);
        long w = out.address(wide) + (long) start * inner * Float.BYTES;
        Pointwise.rows(out, narrow.size() / length, row -> {
            long narrowAt = n + (long) row * length * Float.BYTES;
            long wideAt = w + (long) row * pitch * Float.BYTES;
            copy(back ? wideAt : narrowAt, back ? narrowAt : wideAt, length);
        });
    }

    static void upsample(CpuEmitter out, Upsample op) {
        int width = op.x().dim(3);
        int down = op.y().dim(2) / op.x().dim(2);
        int across = op.y().dim(3) / width;
        long x = out.address(op.x());
        long y = out.address(op.y());
        Pointwise.rows(out, op.x().size() / width, row -> {
            long from = x + (long) row * width * Float.BYTES;
            long to = y + (long) row * down * width * across * Float.BYTES;
            repeat(from, to, width, across);
            for (int i = 1; i < down; i++) {
                copy(to, to + (long) i * width * across * Float.BYTES, (long) width * across);
            }
        });
    }

    /** Every element {@code times} times. */
    private static void repeat(long from, long to, int count, int times) {
        int j = 0;
        if (times == 2) {
            for (; j + LANES <= count; j += LANES) {
                FloatVector v = load(from + 4L * j);
                store(to + 8L * j, lower(v, v));
                store(to + 8L * j + VECTOR, upper(v, v));
            }
        }
        for (; j < count; j++) {
            float value = get(from + 4L * j);
            for (int i = 0; i < times; i++) {
                set(to + 4L * (j * times + i), value);
            }
        }
    }

    static void upsampleGrad(CpuEmitter out, UpsampleGrad op) {
        int width = op.dx().dim(3);
        int down = op.dy().dim(2) / op.dx().dim(2);
        int across = op.dy().dim(3) / width;
        windows(out, op.dy(), op.dx(), down, across, 1);
    }

    static void avgPool(CpuEmitter out, AvgPool op) {
        windows(out, op.x(), op.y(), op.f(), op.g(), 1f / (op.f() * op.g()));
    }

    /** y = factor times the sum of each window of x. */
    private static void windows(CpuEmitter out, Tensor x, Tensor y, int down, int across, float factor) {
        int height = y.dim(2);
        int width = y.dim(3);
        int xWidth = x.dim(3);
        int xPixels = x.dim(2) * xWidth;
        long xAt = out.address(x);
        long yAt = out.address(y);
        Pointwise.rows(out, y.size() / width, row -> {
            long from = xAt + 4 * ((long) row / height * xPixels + (long) row % height * down * xWidth);
            long to = yAt + (long) row * width * Float.BYTES;
            for (int j = 0; j < width; j++) {
                float sum = 0;
                for (int r = 0; r < down; r++) {
                    for (int s = 0; s < across; s++) {
                        sum += get(from + 4L * (r * xWidth + j * across + s));
                    }
                }
                set(to + 4L * j, sum * factor);
            }
        });
    }

    static void avgPoolGrad(CpuEmitter out, AvgPoolGrad op) {
        int height = op.dx().dim(2);
        int width = op.dx().dim(3);
        int pooledHeight = op.dy().dim(2);
        int pooledWidth = op.dy().dim(3);
        float factor = 1f / (op.f() * op.g());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        Pointwise.rows(out, op.dx().size() / width, row -> {
            int i = row % height / op.f();
            long from = dy + 4 * (((long) row / height * pooledHeight + i) * pooledWidth);
            for (int j = 0; j < width; j++) {
                boolean pooled = i < pooledHeight && j / op.g() < pooledWidth;
                set(dx + 4 * ((long) row * width + j), pooled ? get(from + 4L * (j / op.g())) * factor : 0);
            }
        });
    }

    static void embedding(CpuEmitter out, Embedding op) {
        int size = op.table().dim(1);
        int entries = op.table().dim(0);
        long index = out.address(op.index());
        long table = out.address(op.table());
        long y = out.address(op.y());
        Pointwise.rows(out, op.index().size(), n -> {
            int row = index(get(index + 4L * n), entries);
            copy(table + (long) row * size * Float.BYTES, y + (long) n * size * Float.BYTES, size);
        });
    }

    /** Parallel over the columns of the table, so that samples with the same index add up in order. */
    static void embeddingGrad(CpuEmitter out, diffusion.graph.LayoutOp.EmbeddingGrad op) {
        int size = op.dTable().dim(1);
        int entries = op.dTable().dim(0);
        int samples = op.index().size();
        long index = out.address(op.index());
        long dy = out.address(op.dy());
        long dTable = out.address(op.dTable());
        Pointwise.rows(out, size, column -> {
            for (int n = 0; n < samples; n++) {
                long to = dTable + 4 * ((long) index(get(index + 4L * n), entries) * size + column);
                set(to, get(to) + get(dy + 4 * ((long) n * size + column)));
            }
        });
    }

    static int index(float value, int entries) {
        int index = (int) value;
        if (index < 0 || index >= entries) {
            throw new IllegalArgumentException("index " + value + " is not in 0.." + (entries - 1));
        }
        return index;
    }

    static void sinusoidal(CpuEmitter out, SinusoidalEmbedding op) {
        int half = op.f().size();
        int size = op.y().dim(1);
        long t = out.address(op.t());
        long f = out.address(op.f());
        long y = out.address(op.y());
        Pointwise.rows(out, op.t().size(), n -> {
            float time = get(t + 4L * n);
            if (op.log()) {
                time = (float) Math.log(time);
            }
            long to = y + (long) n * size * Float.BYTES;
            for (int i = 0; i < half; i++) {
                float angle = time * get(f + 4L * i);
                set(to + 4L * (op.flip() ? half + i : i), (float) Math.sin(angle));
                set(to + 4L * (op.flip() ? i : half + i), (float) Math.cos(angle));
            }
            if (size > 2 * half) {
                set(to + 4L * (size - 1), 0);
            }
        });
    }
}
