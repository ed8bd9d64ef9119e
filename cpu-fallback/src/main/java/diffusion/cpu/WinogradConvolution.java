package diffusion.cpu;

import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * 3x3 convolutions of stride 1 by minimal filtering: inputs are transformed, multiplied and transformed back a group of tiles
 * at a time, so that what lies between the three stays in the cache.
 *
 * <p>Products are stored [product][32 tiles][channel][32], which is what {@link Tile} reads and writes. Weights are
 * transformed while they are used: that costs a few per cent of the products, whereas transformed ones would take up to four
 * times the memory and its bandwidth.
 */
final class WinogradConvolution {
    /** Tiles of a group and bytes of its products: about a third-level cache. */
    private static final int MOST_TILES = 256;

    private static final long GROUP_BYTES = 12L << 20;

    /** Panels of outputs whose transformed weights a worker keeps at a time, and their bytes: in the second-level cache. */
    private static final int MOST_PANELS = 4;

    private static final long PANEL_BYTES = 768 << 10;

    /** Off powers of two, so that the products of one tile do not fall into one set of the cache. */
    private static final long PAD = 5 * 64;

    private final Winograd kind;
    private final int height;
    private final int width;
    private final int across;
    private final int down;
    private final long rowBytes;
    private final long pitchBytes;
    private final long paddedBytes;
    private final RowEdges edges;
    private final Scratch scratch;
    private final Packed weights;
    private final long x;
    private final long y;
    private final long bias;
    private final int inChannels;
    private final int outChannels;
    private final int outPanels;
    private final int tileColumns;
    /** Rows of tiles that fill whole columns of products. */
    private final int blockRows;

    private final int chunk;
    private final long[] offsets;
    private final long planeBytes;
    private final long inputStep;
    private final long outputStep;
    private final long weightStep;
    private final long wide; // from a worker's memory on

    private WinogradConvolution(
            CpuEmitter out, Winograd kind, Tensor x, Tensor y, Packed weights, long bias, int rows) {
        this.kind = kind;
        this.weights = weights;
        this.bias = bias;
        this.x = out.address(x);
        this.y = out.address(y);
        scratch = out.scratch();
        height = x.dim(2);
        width = x.dim(3);
        across = Gemm.panels(width, kind.outputs);
        down = Gemm.panels(height, kind.outputs);
        rowBytes = (long) width * Float.BYTES;
        pitchBytes = (long) across * kind.outputs * Float.BYTES;
        inChannels = x.dim(1);
        outChannels = y.dim(1);
        outPanels = Gemm.panels(outChannels, Tile.ROWS);
        tileColumns = Gemm.panels(rows * across, Tile.COLUMNS);
        long weightPanel = (long) kind.inputs * Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES;
        chunk = Math.clamp(PANEL_BYTES / weightPanel, 1, MOST_PANELS);
        offsets = Gemm.rowOffsets(inChannels, Tile.COLUMNS);
        blockRows = Math.min(rows, Tile.COLUMNS / Math.min(Integer.lowestOneBit(across), Tile.COLUMNS));
        long tileFloats = (long) Gemm.panels(blockRows * across, Tile.COLUMNS) * Tile.COLUMNS * kind.outputs;
        planeBytes = (tileFloats + 2 * Memory.LANES) * Float.BYTES;
        paddedBytes = ((long) blockRows * kind.outputs + 2) * pitchBytes + Memory.VECTOR;
        edges = RowEdges.of(across, tileColumns * Tile.COLUMNS);
        inputStep = (long) tileColumns * inChannels * Tile.COLUMNS * Float.BYTES + PAD;
        outputStep = (long) outPanels * tileColumns * Tile.ROWS * Tile.COLUMNS * Float.BYTES + PAD;
        weightStep = (long) chunk * Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES + PAD;
        scratch.reserveShared((inputStep + outputStep) * kind.products() / Float.BYTES);
        long pixels =
                (kind.outputs * (pitchBytes + Memory.VECTOR) + paddedBytes + kind.inputs * planeBytes) / Float.BYTES;
        wide = kind.inputs * weightStep;
        long widened = weights.wideFloats(chunk * Winograd.packedPanel(inChannels));
        scratch.reserveWorker(Math.max(pixels + 2 * Memory.LANES, wide / Float.BYTES + widened));
    }

    /** Whether a convolution is one for minimal filtering; independent of the batch, so that results are too. */
    static boolean suits(Tensor x, Tensor y, Tensor w, Window window, int depth) {
        boolean same = window.stride() == 1
                && window.top() == 1
                && window.left() == 1
                && x.dim(2) == y.dim(2)
                && x.dim(3) == y.dim(3);
        return same && w.dim(2) == 3 && w.dim(3) == 3 && depth >= 8 && Math.min(x.dim(2), x.dim(3)) >= 3;
    }

    /** Convolves x[N, C, H, W] to y[N, K, H, W] with weights as {@link Winograd#pack} leaves them. */
    static void emit(CpuEmitter out, Tensor x, Tensor y, Packed weights, long bias) {
        int size = Math.min(x.dim(2), x.dim(3));
        Winograd kind = size >= 16 ? Winograd.F4 : Winograd.F2;
        int total = x.dim(0) * Gemm.panels(x.dim(2), kind.outputs);
        int rows = rows(kind, Gemm.panels(x.dim(3), kind.outputs), total, x.dim(1) + y.dim(1));
        WinogradConvolution whole = new WinogradConvolution(out, kind, x, y, weights, bias, rows);
        for (int first = 0; first < total; first += rows) {
            int start = first;
            int end = Math.min(total, first + rows);
            out.step((part, parts) -> whole.inputs(start, end, part, parts));
            out.step((part, parts) -> whole.multiply(end - start, part, parts));
            out.step((part, parts) -> whole.outputs(start, end, part, parts));
        }
    }

    /** Rows of tiles of a group: as many as the cache takes, but such that few columns of products stay empty. */
    private static int rows(Winograd kind, int across, int total, int channels) {
        long tileBytes = (long) kind.products() * channels * Float.BYTES;
        int most = Math.clamp(GROUP_BYTES / tileBytes, Tile.COLUMNS, MOST_TILES) / across;
        int best = 1;
        double least = Double.MAX_VALUE;
        for (int rows = 1; rows <= Math.clamp(most, 1, total); rows++) {
            int columns = total / rows * Gemm.panels(rows * across, Tile.COLUMNS)
                    + Gemm.panels(total % rows * across, Tile.COLUMNS);
            double cost = columns + 0.3 * Gemm.panels(total, rows); // a group has its price too
            if (cost <= least) {
                least = cost;
                best = rows;
            }
        }
        return best;
    }

    private long products() {
        return scratch.shared() + inputStep * kind.products();
    }

    /** Parallel over input channels; a block of tiles after the other, so that products are written one after the other. */
    private void inputs(int firstRow, int lastRow, int part, int parts) {
        long padded = scratch.worker(part) + Memory.VECTOR; // a tile reads one pixel before the start
        long columns = padded + paddedBytes;
        int first = Crew.from(inChannels, part, parts);
        int last = Crew.from(inChannels, part + 1, parts);
        for (int start = firstRow; start < lastRow; start += blockRows) {
            int end = Math.min(start + blockRows, lastRow);
            int firstVector = (start - firstRow) * across / Memory.LANES;
            int vectors = Gemm.panels((end - start) * across, Memory.LANES);
            for (int c = first; c < last; c++) {
                inputColumns(start, end, c, padded, columns);
                for (int i = 0; i < vectors; i++) {
                    int v = firstVector + i;
                    long column = ((long) v / 2 * inChannels + c) * 2 + v % 2;
                    kind.inputRows(
                            columns + (long) i * kind.outputs * Memory.VECTOR,
                            planeBytes,
                            scratch.shared() + column * Memory.VECTOR,
                            inputStep,
                            edges,
                            v * Memory.LANES);
                }
            }
        }
    }

    private void inputColumns(int firstRow, int lastRow, int channel, long padded, long columns) {
        for (int t = firstRow; t < lastRow; ) {
            int rows = Math.min(down - t % down, lastRow - t);
            pad(padded, x + ((long) t / down * inChannels + channel) * height * rowBytes, t % down, rows);
            for (int i = 0; i < rows; i++) {
                kind.inputColumns(
                        padded + (long) i * kind.outputs * pitchBytes,
                        pitchBytes,
                        columns + (long) (t - firstRow + i) * pitchBytes,
                        planeBytes,
                        Gemm.panels(across * kind.outputs, Memory.LANES));
            }
            t += rows;
        }
    }

    /** Copies the pixels that some rows of tiles of a picture read, zeros around them. */
    private void pad(long to, long image, int firstRow, int rows) {
        int start = firstRow * kind.outputs - 1;
        int end = (firstRow + rows) * kind.outputs + 1;
        for (int i = start; i < end; i++, to += pitchBytes) {
            // Whole vectors: what they write beyond the row is written again by the next one.
            if (i < 0 || i >= height) {
                for (long at = to; at < to + pitchBytes; at += Memory.VECTOR) {
                    Memory.store(at, FloatVector.zero(Memory.SPECIES));
                }
                continue;
            }
            long from = image + i * rowBytes;
            for (long j = 0; j < rowBytes; j += Memory.VECTOR) {
                Memory.store(to + j, Memory.load(from + j));
            }
            for (long j = rowBytes; j < pitchBytes; j += Float.BYTES) {
                Memory.set(to + j, 0);
            }
        }
    }

    /** Parallel over panels of outputs and, if these are few, columns of tiles. */
    private void multiply(int tileRows, int part, int parts) {
        int columns = Gemm.panels(tileRows * across, Tile.COLUMNS);
        int cuts = Math.clamp(Gemm.panels(parts, outPanels), 1, columns);
        int last = Crew.from(outPanels * cuts, part + 1, parts);
        int unit = Crew.from(outPanels * cuts, part, parts);
        while (unit < last) {
            int cut = unit / outPanels;
            int panel = unit % outPanels;
            int count = Math.min(Math.min(chunk, last - unit), outPanels - panel);
            multiply(
                    panel,
                    count,
                    Crew.from(columns, cut, cuts),
                    Crew.from(columns, cut + 1, cuts),
                    scratch.worker(part));
            unit += count;
        }
    }

    private void multiply(int panel, int count, int firstColumn, int lastColumn, long transformed) {
        long panelBytes = (long) Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES;
        long tileBytes = (long) Tile.ROWS * Tile.COLUMNS * Float.BYTES;
        long w = 0;
        for (int p = 0; p < count; p++) {
            long at =
                    weights.panel(panel + p, 0, panelBytes * 9 / Float.BYTES, transformed + wide + p * panelBytes * 9);
            w = p == 0 ? at : w;
        }
        for (int r = 0; r < kind.inputs; r++) {
            for (int p = 0; p < count; p++) {
                long from = w + p * panelBytes * 9;
                kind.weights(transformed + p * panelBytes, weightStep, from, (int) (panelBytes / Memory.VECTOR), r);
            }
            for (int s = 0; s < kind.inputs; s++) {
                long product = (long) r * kind.inputs + s;
                for (int q = firstColumn; q < lastColumn; q++) {
                    long b =
                            scratch.shared() + product * inputStep + (long) q * inChannels * Tile.COLUMNS * Float.BYTES;
                    for (int p = 0; p < count; p++) {
                        long c = products() + product * outputStep + ((panel + p) * (long) tileColumns + q) * tileBytes;
                        long a = transformed + s * weightStep + p * panelBytes;
                        Tile.multiply(
                                c,
                                Tile.STRIDE,
                                Tile.NO_BIAS,
                                a,
                                (long) Tile.ROWS * Float.BYTES,
                                b,
                                offsets,
                                inChannels);
                    }
                }
            }
        }
    }

    /** Parallel over output channels; see {@link #inputs}. */
    private void outputs(int firstRow, int lastRow, int part, int parts) {
        long columns = scratch.worker(part);
        int first = Crew.from(outChannels, part, parts);
        int last = Crew.from(outChannels, part + 1, parts);
        for (int start = firstRow; start < lastRow; start += blockRows) {
            int end = Math.min(start + blockRows, lastRow);
            int firstVector = (start - firstRow) * across / Memory.LANES;
            int vectors = Gemm.panels((end - start) * across, Memory.LANES);
            for (int k = first; k < last; k++) {
                for (int i = 0; i < vectors; i++) {
                    int v = firstVector + i;
                    long tile = (long) k / Tile.ROWS * tileColumns + v / 2;
                    long row = (tile * Tile.ROWS + k % Tile.ROWS) * 2 + v % 2;
                    kind.outputRows(
                            products() + row * Memory.VECTOR,
                            outputStep,
                            columns + (long) i * kind.outputs * Memory.VECTOR,
                            planeBytes);
                }
                outputColumns(start, end, k, columns);
            }
        }
    }

    private void outputColumns(int firstRow, int lastRow, int channel, long columns) {
        long pixels = columns + kind.inputs * planeBytes;
        long vectorPitch = (long) Gemm.panels(across * kind.outputs, Memory.LANES) * Memory.VECTOR;
        float added = bias == 0 ? 0 : Memory.get(bias + (long) channel * Float.BYTES);
        for (int t = firstRow; t < lastRow; t++) {
            kind.outputColumns(
                    columns + (long) (t - firstRow) * pitchBytes,
                    planeBytes,
                    pixels,
                    vectorPitch,
                    Gemm.panels(across * kind.outputs, Memory.LANES),
                    added);
            long image = y + ((long) t / down * outChannels + channel) * height * rowBytes;
            int start = t % down * kind.outputs;
            for (int i = start; i < Math.min(start + kind.outputs, height); i++) {
                copyRow(image + i * rowBytes, pixels + (i - start) * vectorPitch, image + height * rowBytes);
            }
        }
    }

    /** In whole vectors as long as these do not reach beyond the picture, where others may be writing. */
    private void copyRow(long to, long from, long end) {
        long j = 0;
        for (; j < rowBytes && to + j + Memory.VECTOR <= end; j += Memory.VECTOR) {
            Memory.store(to + j, Memory.load(from + j));
        }
        for (; j < rowBytes; j += Float.BYTES) {
            Memory.set(to + j, Memory.get(from + j));
        }
    }
}
