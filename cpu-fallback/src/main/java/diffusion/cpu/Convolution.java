package diffusion.cpu;

import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Conv2dGradInput;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/** Convolution and its gradients as {@link Tile} products over {@link FlatImages}. */
final class Convolution {
    /** Positions a worker lays out at a time: enough to fill tiles, few enough to stay in the second-level cache. */
    private static final int GROUP_POSITIONS = 512;

    /** Numbers that a worker lays out at a time, if tiles need no more. */
    private static final int BAND_FLOATS = 1 << 18;

    private Convolution() {}

    /** Parallel over tiles of output positions. */
    static void forward(CpuEmitter out, Conv2d op) {
        Tensor w = op.w();
        int outChannels = w.dim(0);
        int depth = w.sizeFrom(1);
        long bias = op.bias() == null ? 0 : out.address(op.bias());
        if (WinogradConvolution.suits(op.x(), op.y(), w, op.window(), w.dim(1))) {
            Packed packed = packWinograd(out, w, Weights.Use.WINOGRAD, outChannels, w.dim(1), false);
            out.step(packed);
            WinogradConvolution.emit(out, op.x(), op.y(), packed, bias);
            return;
        }
        Packed packed = out.packed(
                w,
                Weights.Use.CONVOLUTION,
                Gemm.packedRows(outChannels, depth),
                Gemm.panels(outChannels, Tile.ROWS),
                (from, to, first, last) -> Gemm.pack(to, from, outChannels, depth, depth, 1, Tile.ROWS, first, last));
        out.step(packed);
        int stride = op.window().stride();
        if (isPixelwise(w, stride, op.x(), op.y())) {
            out.step(new PixelConvolution(out, op.x(), op.y(), packed, bias));
            return;
        }
        FlatImages flat = new FlatImages(op.x().dim(2), op.x().dim(3), 1, op.window(), w.dim(2), w.dim(3));
        out.step(new Product(out, op.x(), op.y(), packed, bias, flat, stride));
    }

    /** The same product with the window turned by half a circle over the spread-out gradient. */
    static void gradInput(CpuEmitter out, Conv2dGradInput op) {
        Tensor w = op.w();
        int outChannels = w.dim(0);
        int inChannels = w.dim(1);
        int kernelHeight = w.dim(2);
        int kernelWidth = w.dim(3);
        int taps = kernelHeight * kernelWidth;
        int depth = outChannels * taps;
        if (WinogradConvolution.suits(op.dy(), op.dx(), w, op.window(), outChannels)) {
            Packed packed = packWinograd(out, w, Weights.Use.WINOGRAD_GRADIENT, inChannels, outChannels, true);
            out.step(packed);
            WinogradConvolution.emit(out, op.dy(), op.dx(), packed, 0);
            return;
        }
        Packed packed = out.packed(
                w,
                Weights.Use.CONVOLUTION_GRADIENT,
                Gemm.packedRows(inChannels, depth),
                Gemm.panels(inChannels, Tile.ROWS),
                (from, to, first, last) -> packTurned(to, from, outChannels, inChannels, taps, first, last));
        int stride = op.window().stride();
        if (isPixelwise(w, stride, op.dy(), op.dx())) {
            out.step(packed);
            out.step(new PixelConvolution(out, op.dy(), op.dx(), packed, 0));
            return;
        }
        int top = kernelHeight - 1 - op.window().top();
        int left = kernelWidth - 1 - op.window().left();
        int bottom = op.dx().dim(2) - ((op.dy().dim(2) - 1) * stride + 1) + kernelHeight - 1 - top;
        int right = op.dx().dim(3) - ((op.dy().dim(3) - 1) * stride + 1) + kernelWidth - 1 - left;
        FlatImages flat = new FlatImages(
                op.dy().dim(2),
                op.dy().dim(3),
                stride,
                new Window(1, top, left, bottom, right),
                kernelHeight,
                kernelWidth);
        out.step(packed);
        out.step(new Product(out, op.dy(), op.dx(), packed, 0, flat, 1));
    }

    /** Whether every pixel of y is made of the one of x at its place. */
    private static boolean isPixelwise(Tensor w, int stride, Tensor x, Tensor y) {
        return w.sizeFrom(2) == 1 && stride == 1 && x.sizeFrom(2) == y.sizeFrom(2);
    }

    /** A weight [outs, ins, 3, 3], or, turned, [ins, outs, 3, 3], for minimal filtering. */
    private static Packed packWinograd(CpuEmitter out, Tensor w, Weights.Use use, int outs, int ins, boolean turned) {
        long outStride = turned ? 9 : 9L * ins;
        long inStride = turned ? 9L * outs : 9;
        int panels = Gemm.panels(outs, Tile.ROWS);
        return out.packed(
                w,
                use,
                panels * Winograd.packedPanel(ins),
                panels,
                (from, to, first, last) ->
                        Winograd.pack(to, from, outs, ins, outStride, inStride, turned, first, last));
    }

    private static void packTurned(
            long target, long w, int outChannels, int inChannels, int taps, int firstPanel, int lastPanel) {
        for (int panel = firstPanel; panel < lastPanel; panel++) {
            long to = target + (long) panel * Tile.ROWS * outChannels * taps * Float.BYTES;
            for (int k = 0; k < outChannels; k++) {
                for (int tap = taps - 1; tap >= 0; tap--) {
                    for (int i = 0; i < Tile.ROWS; i++, to += Float.BYTES) {
                        int c = panel * Tile.ROWS + i;
                        boolean present = c < inChannels;
                        long from = w + (((long) k * inChannels + c) * taps + tap) * Float.BYTES;
                        Memory.set(to, present ? Memory.get(from) : 0);
                    }
                }
            }
        }
    }

    /** y = packed weights times the windows of x. */
    private static final class Product implements Crew.Step {
        private final Scratch scratch;
        private final long x;
        private final long y;
        private final long bias;
        private final Packed weights;
        private final FlatImages flat;
        private final int stride;
        private final boolean collected; // what a tile multiplies is brought together first
        private final int batch;
        private final int inChannels;
        private final int outChannels;
        private final int outPixels;
        private final int outWidth;
        private final int group;
        private final int bandRows;
        private final int positions; // of a band in one channel
        private final long[] offsets;
        private final long[] panelOffsets;
        private final long panelFloats;
        private final long wideFloats;
        private final int[] pixelPositions;
        private final PixelMap map;

        Product(CpuEmitter out, Tensor x, Tensor y, Packed weights, long bias, FlatImages flat, int stride) {
            this.scratch = out.scratch();
            this.x = out.address(x);
            this.y = out.address(y);
            this.bias = bias;
            this.weights = weights;
            this.flat = flat;
            this.stride = stride;
            batch = x.dim(0);
            inChannels = x.dim(1);
            outChannels = y.dim(1);
            int outHeight = y.dim(2);
            outWidth = y.dim(3);
            outPixels = outHeight * outWidth;
            collected = stride != 1;
            group = Math.clamp(GROUP_POSITIONS / flat.imagePositions(), 1, batch);
            map = stride == 1
                    ? new PixelMap(group, flat.rows, flat.pitch, outHeight, outWidth)
                    : new PixelMap(group, outHeight, outWidth, outHeight, outWidth);
            pixelPositions = new int[stride == 1 ? 0 : map.panels() * Tile.COLUMNS];
            for (int p = 0; p < pixelPositions.length; p++) {
                int n = p / outPixels;
                int i = n >= group ? outHeight - 1 : p / outWidth % outHeight; // there is no more: anything
                int j = p % outWidth;
                pixelPositions[p] = Math.min(n, group - 1) * flat.imagePositions() + (i * flat.pitch + j) * stride;
            }
            int most = 0; // rows that a tile reads
            for (int panel = 0; panel < map.panels(); panel++) {
                most = Math.max(most, lastRow(panel) - firstRow(panel) + 1);
            }
            int row = inChannels * flat.pitch;
            bandRows = Math.min(lastRow(map.panels() - 1) + 1, Math.max(most + 2 * stride, BAND_FLOATS / row));
            // Vectors of every other number are two, and the last reach beyond the row.
            positions = bandRows * flat.pitch + 2 * Tile.COLUMNS;
            offsets = flat.windowOffsets(inChannels, positions);
            // Collecting writes whole vectors, the last of which may reach beyond the tile.
            int panelPitch = Tile.COLUMNS + Memory.LANES;
            panelOffsets = Gemm.rowOffsets(offsets.length, panelPitch);
            panelFloats = collected ? (long) offsets.length * panelPitch : 0;
            wideFloats = weights.wideFloats((long) offsets.length * Tile.ROWS);
            scratch.reserveWorker(tileFloats() + wideFloats + panelFloats + (long) inChannels * positions);
        }

        /** The first row that a tile reads. */
        private int firstRow(int panel) {
            int p = panel * Tile.COLUMNS;
            return (collected ? pixelPositions[p] : p) / flat.pitch;
        }

        /** The last row that a tile reads. */
        private int lastRow(int panel) {
            int end = (panel + 1) * Tile.COLUMNS;
            return flat.lastRow(collected ? pixelPositions[Math.min(end, group * outPixels) - 1] : end - 1);
        }

        private static long tileFloats() {
            return (long) Tile.ROWS * Tile.COLUMNS;
        }

        @Override
        public void run(int worker, int workers) {
            int panels = map.panels();
            int units = (batch + group - 1) / group * panels;
            long tile = scratch.worker();
            long panelAt = tile + (tileFloats() + wideFloats) * Float.BYTES;
            long image = panelAt + panelFloats * Float.BYTES;
            int filled = -1;
            int top = 0; // the band's first row
            int bottom = 0; // and that after its last
            int end = Crew.from(units, worker + 1, workers);
            for (int unit = Crew.from(units, worker, workers); unit < end; unit++) {
                int g = unit / panels;
                int panel = unit % panels;
                int images = Math.min(group, batch - g * group);
                if (map.isEmpty(panel)) {
                    continue;
                }
                if (filled != g || lastRow(panel) >= bottom) {
                    top = firstRow(panel);
                    bottom = Math.min(top + bandRows, lastRow(Math.min(panels, end - g * panels) - 1) + 1);
                    flat.fill(image, x, inChannels, g * group, images, top, bottom - top, positions);
                    filled = g;
                }
                long origin = image - (long) top * flat.pitch * Float.BYTES;
                long b;
                if (collected) {
                    gather(panelAt, origin, panel);
                    b = panelAt;
                } else {
                    b = origin + (long) panel * Tile.COLUMNS * Float.BYTES;
                }
                multiply(tile, b, panel, g, images);
            }
        }

        private void multiply(long tile, long b, int panel, int g, int images) {
            long[] rows = collected ? panelOffsets : offsets;
            long yGroup = y + (long) g * group * outChannels * outPixels * Float.BYTES;
            long wide = tile + tileFloats() * Float.BYTES;
            for (int k = 0; k < outChannels; k += Tile.ROWS) {
                long a = weights.panel(k / Tile.ROWS, 0, (long) offsets.length * Tile.ROWS, wide);
                Tile.multiply(tile, Tile.STRIDE, Tile.NO_BIAS, a, (long) Tile.ROWS * Float.BYTES, b, rows, rows.length);
                map.store(
                        tile,
                        panel,
                        yGroup + (long) k * outPixels * Float.BYTES,
                        (long) outChannels * outPixels,
                        outPixels,
                        Math.min(Tile.ROWS, outChannels - k),
                        bias == 0 ? 0 : bias + (long) k * Float.BYTES,
                        images);
            }
        }

        /** Collects the windows of one tile of output pixels, row by row of the picture. */
        private void gather(long target, long source, int panel) {
            int end = (panel + 1) * Tile.COLUMNS;
            for (int p = panel * Tile.COLUMNS; p < end; p += outWidth - p % outWidth) {
                int count = Math.min(outWidth - p % outWidth, end - p);
                long from = source + 4L * pixelPositions[p];
                long to = target + 4L * (p % Tile.COLUMNS);
                if (stride == 2) {
                    everyOther(from, to, count);
                } else {
                    every(from, to, count);
                }
            }
        }

        private void everyOther(long source, long target, int count) {
            for (int j = 0; j < count; j += Memory.LANES) {
                for (int k = 0; k < offsets.length; k++) {
                    long from = Memory.at(source + offsets[k] + 8L * j);
                    FloatVector v = Interleave.even(Memory.load(from), Memory.load(from + Memory.VECTOR));
                    Memory.store(target + panelOffsets[k] + 4L * j, v);
                }
            }
        }

        private void every(long source, long target, int count) {
            for (int k = 0; k < offsets.length; k++) {
                for (int j = 0; j < count; j++) {
                    Memory.set(target + panelOffsets[k] + 4L * j, Memory.get(source + offsets[k] + 4L * stride * j));
                }
            }
        }
    }
}
