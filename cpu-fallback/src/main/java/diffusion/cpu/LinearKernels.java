package diffusion.cpu;

import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.LinearGradInput;
import diffusion.graph.MatrixOp.LinearGradWeight;
import diffusion.graph.Tensor;

/** Fully connected layers and their gradients as {@link Gemm} products. */
final class LinearKernels {
    /** Packed rows that are multiplied by all columns before the next: half of a second-level cache. */
    private static final long CHUNK_BYTES = 480 << 10;

    /** The same where columns are widened, so that many rows share the work. */
    private static final long LONG_CHUNK_BYTES = 3 * CHUNK_BYTES;

    /** Columns that are widened at a time, or multiplied by all rows before the next: more than half of a second-level cache. */
    private static final long GROUP_BYTES = 640 << 10;

    /** The largest depth that is summed at once. */
    private static final int DEPTH = 1280;

    /** Bytes of a panel of rows for each step of the sum. */
    private static final long PANEL = (long) Tile.ROWS * Float.BYTES;

    /** As many rows at the end are multiplied a few at a time, which is less than a whole tile's work. */
    private static final int MOST_FEW_ROWS = 2 * Tile.FEW_ROWS;

    /** Rows of one block of the weight gradient. */
    private static final int BLOCK = 512;

    private LinearKernels() {}

    static void forward(CpuEmitter out, Linear op) {
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        Packed packed = pack(out, op.w(), Weights.Use.LINEAR, outputs, inputs, inputs, 1);
        rowsTimesWeight(out, op.x(), op.y(), packed, op.bias() == null ? 0 : out.address(op.bias()), inputs, outputs);
    }

    static void gradInput(CpuEmitter out, LinearGradInput op) {
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        Packed packed = pack(out, op.w(), Weights.Use.LINEAR_GRADIENT, inputs, outputs, 1, inputs);
        rowsTimesWeight(out, op.dy(), op.dx(), packed, 0, outputs, inputs);
    }

    private static Packed pack(
            CpuEmitter out, Tensor w, Weights.Use use, int columns, int depth, int strideI, int strideK) {
        return out.packed(
                w,
                use,
                Gemm.packedColumns(columns, depth),
                Gemm.panels(columns, Tile.COLUMNS),
                (from, to, first, last) ->
                        Gemm.pack(to, from, columns, depth, strideI, strideK, Tile.COLUMNS, first, last));
    }

    /**
     * Parallel over rows, which every part packs for itself, or, where there are more columns, over these; then rows are packed
     * before, by all, and go past columns that stay in the cache, since these are the more. Depth is cut into blocks, whose sums
     * are added, so that packed rows stay in the second-level cache.
     */
    private static void rowsTimesWeight(
            CpuEmitter out, Tensor x, Tensor y, Packed packed, long bias, int depth, int columns) {
        int rows = x.size() / depth;
        int panels = Gemm.panels(rows, Tile.ROWS);
        int blocks = Gemm.panels(depth, DEPTH);
        int block = Math.min(depth, Gemm.panels(Gemm.panels(depth, blocks), Narrow.BLOCK) * Narrow.BLOCK);
        int chunk = Math.clamp(CHUNK_BYTES / (PANEL * block), 1, panels);
        int longChunk = Math.clamp(LONG_CHUNK_BYTES / (PANEL * block), 1, panels);
        long[] offsets = Gemm.rowOffsets(block, Tile.COLUMNS);
        Scratch scratch = out.scratch();
        long tileFloats = (long) Tile.ROWS * Tile.COLUMNS;
        boolean byColumns = columns > rows;
        int group = Math.clamp(GROUP_BYTES / ((long) Tile.COLUMNS * Float.BYTES * block), 1, 8);
        long wideFloats = packed.wideFloats((long) group * block * Tile.COLUMNS);
        long wide = tileFloats * Float.BYTES;
        long a0 = wide + wideFloats * Float.BYTES;
        if (byColumns) {
            scratch.reserveShared((long) panels * Tile.ROWS * depth);
            scratch.reserveWorker(tileFloats + wideFloats);
        } else {
            int most = packed.mayBeNarrow() ? longChunk : chunk;
            scratch.reserveWorker(tileFloats + wideFloats + (long) most * Tile.ROWS * depth);
        }
        Product product =
                new Product(out.address(x), out.address(y), packed, bias, offsets, rows, columns, depth, block);
        out.step(packed);
        if (byColumns) {
            out.step((part, parts) -> {
                int first = Crew.from(panels, part, parts);
                product.pack(scratch.shared(), panels, 0, first, Crew.from(panels, part + 1, parts));
            });
            int columnPanels = Gemm.panels(columns, Tile.COLUMNS);
            out.step((part, parts) -> {
                int first = Crew.from(columnPanels, part, parts) * Tile.COLUMNS;
                int last = Math.min(columns, Crew.from(columnPanels, part + 1, parts) * Tile.COLUMNS);
                product.multiply(scratch.worker(), scratch.shared(), panels, 0, 0, panels, first, last, group);
            });
            return;
        }
        out.step((part, parts) -> {
            int last = Crew.from(panels, part + 1, parts);
            long tile = scratch.worker();
            long a = tile + a0;
            int step = packed.isNarrow() ? longChunk : chunk;
            for (int p = Crew.from(panels, part, parts); p < last; p += step) {
                int end = Math.min(last, p + step);
                product.pack(a, end - p, p, p, end);
                product.multiply(tile, a, end - p, p, p, end, 0, columns, packed.isNarrow() ? group : 1);
            }
        });
    }

    /** The product of rows and a packed weight; packed rows are [blocks][panels][depth of the block][12]. */
    private record Product(
            long x, long y, Packed weight, long bias, long[] offsets, int rows, int columns, int depth, int block) {

        private static long panelBytes(int depth) {
            return (long) Tile.ROWS * depth * Float.BYTES;
        }

        /** Packs panels [first, last) to where {@code panels} have room, the first of which is {@code origin}. */
        void pack(long a, int panels, int origin, int first, int last) {
            for (int k = 0; k < depth; k += block) {
                int length = Math.min(block, depth - k);
                long to = a + panels * panelBytes(k) - origin * panelBytes(length);
                Gemm.pack(to, x + (long) k * Float.BYTES, rows, length, depth, 1, Tile.ROWS, first, last);
            }
        }

        /** Multiplies panels [first, last) of the packed rows by columns [from, to), so many panels of these at a time. */
        void multiply(long tile, long a, int panels, int origin, int first, int last, int from, int to, int group) {
            int step = group * Tile.COLUMNS;
            long wide = tile + Tile.ROWS * Tile.STRIDE;
            for (int k = 0; k < depth; k += block) {
                int length = Math.min(block, depth - k);
                long packed = a + panels * panelBytes(k) - origin * panelBytes(length);
                long columnBytes =
                        (weight.isNarrow() ? length : depth) * (long) Float.BYTES; // widened ones stand closer
                for (int column = from; column < to; column += step) {
                    int end = Math.min(column + step, to);
                    long b = columns(column, end, k, length, wide);
                    for (int p = first; p < last; p++) {
                        long at = packed + p * panelBytes(length);
                        for (int c = column; c < end; c += Tile.COLUMNS) {
                            long panel = b + (c - column) * columnBytes;
                            tile(tile, at, panel, p * Tile.ROWS, c, Math.min(Tile.COLUMNS, to - c), k);
                        }
                    }
                }
            }
        }

        /** Where some columns lie as floats, one panel of them after the other. */
        private long columns(int from, int to, int k, int length, long wide) {
            long floats = (long) length * Tile.COLUMNS;
            long first = 0;
            for (int c = from; c < to; c += Tile.COLUMNS) {
                long at = wide + (c - from) * (long) length * Float.BYTES;
                long found = weight.panel(c / Tile.COLUMNS, (long) k * Tile.COLUMNS, floats, at);
                first = c == from ? found : first;
            }
            return first;
        }

        /** One tile, straight into the result if it is whole and the first of its sum. */
        private void tile(long tile, long a, long b, int row, int column, int width, int k) {
            int height = Math.min(Tile.ROWS, rows - row);
            int length = Math.min(block, depth - k);
            long c = y + ((long) row * columns + column) * Float.BYTES;
            boolean straight = k == 0 && height == Tile.ROWS && width == Tile.COLUMNS;
            long biasAt = bias == 0 || k > 0 ? Tile.NO_BIAS : bias + (long) column * Float.BYTES;
            if (height <= MOST_FEW_ROWS) {
                for (int i = 0; i < height; i += Tile.FEW_ROWS) {
                    long first = a + (long) i * Float.BYTES;
                    Tile.multiplyFew(tile + i * Tile.STRIDE, Tile.STRIDE, biasAt, first, PANEL, b, offsets, length);
                }
                Gemm.storeTile(tile, c, columns, height, width, 1, k > 0);
                return;
            }
            long stride = straight ? (long) columns * Float.BYTES : Tile.STRIDE;
            Tile.multiply(straight ? c : tile, stride, biasAt, a, PANEL, b, offsets, length);
            if (!straight) {
                Gemm.storeTile(tile, c, columns, height, width, 1, k > 0);
            }
        }
    }

    /** Parallel over panels of 12 outputs; each sums over all rows in order. */
    static void gradWeight(CpuEmitter out, LinearGradWeight op) {
        int inputs = op.dw().dim(1);
        int outputs = op.dw().dim(0);
        int rows = op.x().size() / inputs;
        int panels = Gemm.panels(outputs, Tile.ROWS);
        int columns = Gemm.panels(inputs, Tile.COLUMNS);
        long[] offsets = Gemm.rowOffsets(Math.min(rows, BLOCK), inputs);
        Scratch scratch = out.scratch();
        long tileFloats = (long) Tile.ROWS * Tile.COLUMNS;
        scratch.reserveWorker(tileFloats * (1 + (long) columns * panels));
        long x = out.address(op.x());
        long dy = out.address(op.dy());
        long dw = out.address(op.dw());
        long dBias = op.dBias() == null ? 0 : out.address(op.dBias());
        out.step((worker, workers) -> {
            int first = Crew.from(panels, worker, workers);
            int last = Crew.from(panels, worker + 1, workers);
            long tile = scratch.worker();
            long tiles = tile + tileFloats * Float.BYTES;
            for (int start = 0; start < rows; start += BLOCK) {
                int depth = Math.min(BLOCK, rows - start);
                for (int p = first; p < last; p++) {
                    for (int q = 0; q < columns; q++) {
                        Tile.multiply(
                                tile,
                                Tile.STRIDE,
                                Tile.NO_BIAS,
                                dy + ((long) start * outputs + (long) p * Tile.ROWS) * Float.BYTES,
                                (long) outputs * Float.BYTES,
                                x + ((long) start * inputs + (long) q * Tile.COLUMNS) * Float.BYTES,
                                offsets,
                                depth);
                        Gemm.addTile(
                                tiles + ((long) (p - first) * columns + q) * tileFloats * Float.BYTES, tile, start > 0);
                    }
                }
            }
            for (int p = first; p < last; p++) {
                int row = p * Tile.ROWS;
                int present = Math.min(Tile.ROWS, outputs - row);
                for (int q = 0; q < columns; q++) {
                    int column = q * Tile.COLUMNS;
                    Gemm.storeTile(
                            tiles + ((long) (p - first) * columns + q) * tileFloats * Float.BYTES,
                            dw + ((long) row * inputs + column) * Float.BYTES,
                            inputs,
                            present,
                            Math.min(Tile.COLUMNS, inputs - column),
                            1,
                            true);
                }
                if (dBias != 0) {
                    sumColumns(dBias, dy, row, present, rows, outputs);
                }
            }
        });
    }

    private static void sumColumns(long dBias, long dy, int column, int count, int rows, int pitch) {
        for (int j = column; j < column + count; j++) {
            double total = 0;
            for (int r = 0; r < rows; r++) {
                total += Memory.get(dy + ((long) r * pitch + j) * Float.BYTES);
            }
            long to = dBias + (long) j * Float.BYTES;
            Memory.set(to, (float) (Memory.get(to) + total));
        }
    }
}
