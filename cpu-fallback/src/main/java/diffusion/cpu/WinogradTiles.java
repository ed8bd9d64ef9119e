package diffusion.cpu;

import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * Pictures to products and back, for 3x3 convolutions by minimal filtering.
 *
 * <p>A row of tiles is one of a picture; rows are counted through all pictures of the batch. Products are stored [product][32
 * tiles][channel][32], those that were multiplied [product][panel of 12 channels][32 tiles][12][32], which is what {@link
 * Tile} reads and writes.
 */
final class WinogradTiles {
    /** Bytes of one tile of {@link Tile}. */
    static final long TILE = Tile.ROWS * Tile.STRIDE;

    /** Off powers of two, so that the products of one tile do not fall into one set of the cache. */
    static final long PAD = 5 * 64;

    final Winograd kind;
    final int inChannels;
    final int outChannels;

    /** Tiles of a row, and rows of a picture. */
    final int across;

    private final int down;
    private final int height;
    private final int width;
    private final long rowBytes;
    private final long pitchBytes;
    private final long paddedBytes;
    private final long planeBytes;
    private final RowEdges edges;
    private final int blockRows; // that fill whole columns of products
    private final long x;
    private final long y;
    private final long bias;

    /**
     * Tiles of x[N, C, H, W] and y[N, K, H, W], at most {@code rows} rows of them at a time.
     *
     * @param bias address of one number per channel of y, 0 if there is none
     */
    WinogradTiles(CpuEmitter out, Winograd kind, Tensor x, Tensor y, long bias, int rows) {
        this.kind = kind;
        this.bias = bias;
        this.x = out.address(x);
        this.y = out.address(y);
        inChannels = x.dim(1);
        outChannels = y.dim(1);
        height = x.dim(2);
        width = x.dim(3);
        across = Gemm.panels(width, kind.outputs);
        down = Gemm.panels(height, kind.outputs);
        rowBytes = (long) width * Float.BYTES;
        pitchBytes = (long) across * kind.outputs * Float.BYTES;
        blockRows = Math.min(rows, Tile.COLUMNS / Math.min(Integer.lowestOneBit(across), Tile.COLUMNS));
        long tileFloats = (long) columns(blockRows) * Tile.COLUMNS * kind.outputs;
        planeBytes = (tileFloats + 2 * Memory.LANES) * Float.BYTES;
        paddedBytes = ((long) blockRows * kind.outputs + 2) * pitchBytes + Memory.VECTOR;
        edges = RowEdges.of(across, columns(rows) * Tile.COLUMNS);
    }

    /** Columns of 32 tiles that so many rows of tiles take. */
    int columns(int rows) {
        return Gemm.panels(rows * across, Tile.COLUMNS);
    }

    /** Bytes from one product of so many rows of tiles to the next, before they are multiplied. */
    long inputStep(int rows) {
        return (long) columns(rows) * inChannels * Tile.STRIDE + PAD;
    }

    /** The same when they are multiplied, for so many panels of output channels. */
    long outputStep(int rows, int panels) {
        return (long) panels * columns(rows) * TILE + PAD;
    }

    /** Panels of 12 output channels. */
    int outPanels() {
        return Gemm.panels(outChannels, Tile.ROWS);
    }

    /** Working memory of a worker. */
    long floats() {
        return (kind.outputs * (pitchBytes + Memory.VECTOR) + paddedBytes + kind.inputs * planeBytes) / Float.BYTES
                + 2 * Memory.LANES;
    }

    /**
     * Products of some rows of tiles, for some channels; a block of tiles after the other, so that they are written in order.
     *
     * @param products of the first row
     * @param step bytes from one product to the next
     * @param work of {@link #floats}
     */
    void inputs(int firstRow, int lastRow, int first, int last, long products, long step, long work) {
        long padded = work + Memory.VECTOR; // a tile reads one pixel before the start
        long columns = padded + paddedBytes;
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
                            products + column * Memory.VECTOR,
                            step,
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

    /**
     * Pictures of some rows of tiles, for some channels; see {@link #inputs}.
     *
     * @param products of channel 0
     * @param tileColumns columns of tiles of a panel
     */
    void outputs(int firstRow, int lastRow, int first, int last, long products, long step, int tileColumns, long work) {
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
                            products + row * Memory.VECTOR,
                            step,
                            work + (long) i * kind.outputs * Memory.VECTOR,
                            planeBytes);
                }
                outputColumns(start, end, lastRow, k, work);
            }
        }
    }

    private void outputColumns(int firstRow, int lastRow, int limit, int channel, long columns) {
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
            int end = Math.min(height, (t % down + limit - t) * kind.outputs);
            for (int i = start; i < Math.min(start + kind.outputs, height); i++) {
                copyRow(image + i * rowBytes, pixels + (i - start) * vectorPitch, image + end * rowBytes);
            }
        }
    }

    /** In whole vectors as long as these do not reach beyond the rows that are made here, where others may be writing. */
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
