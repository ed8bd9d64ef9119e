package diffusion.cpu;

import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.LinearGradInput;
import diffusion.graph.MatrixOp.LinearGradWeight;
import diffusion.graph.Tensor;

/** Fully connected layers and their gradients as {@link Gemm} products. */
final class LinearKernels {
    /** Panels of rows packed at a time. */
    private static final int CHUNK = 8;

    /** Rows of one block of the weight gradient. */
    private static final int BLOCK = 512;

    private LinearKernels() {}

    static void forward(CpuEmitter out, Linear op) {
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        Weights.Packed packed = pack(out, op.w(), Weights.Use.LINEAR, outputs, inputs, inputs, 1);
        rowsTimesWeight(out, op.x(), op.y(), packed, op.bias() == null ? 0 : out.address(op.bias()), inputs, outputs);
    }

    static void gradInput(CpuEmitter out, LinearGradInput op) {
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        Weights.Packed packed = pack(out, op.w(), Weights.Use.LINEAR_GRADIENT, inputs, outputs, 1, inputs);
        rowsTimesWeight(out, op.dy(), op.dx(), packed, 0, outputs, inputs);
    }

    private static Weights.Packed pack(
            CpuEmitter out, Tensor w, Weights.Use use, int columns, int depth, int strideI, int strideK) {
        return out.packed(
                w,
                use,
                Gemm.packedColumns(columns, depth),
                Gemm.panels(columns, Tile.COLUMNS),
                (from, to, first, last) ->
                        Gemm.pack(to, from, columns, depth, strideI, strideK, Tile.COLUMNS, first, last));
    }

    /** Parallel over rows when there are many, else over columns. */
    private static void rowsTimesWeight(
            CpuEmitter out, Tensor x, Tensor y, Weights.Packed packed, long bias, int depth, int columns) {
        int rows = x.size() / depth;
        int panels = Gemm.panels(rows, Tile.ROWS);
        long[] offsets = Gemm.rowOffsets(depth, Tile.COLUMNS);
        Scratch scratch = out.scratch();
        long tileFloats = (long) Tile.ROWS * Tile.COLUMNS;
        int chunk = Math.min(CHUNK, panels);
        scratch.reserveWorker(tileFloats + (long) chunk * Tile.ROWS * depth);
        long xAt = out.address(x);
        long yAt = out.address(y);
        out.step(packed);
        out.step((worker, workers) -> {
            boolean byRows = panels >= 2 * workers;
            int columnPanels = Gemm.panels(columns, Tile.COLUMNS);
            int firstRow = byRows ? Crew.from(panels, worker, workers) : 0;
            int lastRow = byRows ? Crew.from(panels, worker + 1, workers) : panels;
            int firstColumn = (byRows ? 0 : Crew.from(columnPanels, worker, workers)) * Tile.COLUMNS;
            int lastColumn = Math.min(
                    columns, (byRows ? columnPanels : Crew.from(columnPanels, worker + 1, workers)) * Tile.COLUMNS);
            if (firstColumn >= lastColumn) {
                return;
            }
            long tile = scratch.worker(worker);
            long a = tile + tileFloats * Float.BYTES;
            for (int p = firstRow; p < lastRow; p += chunk) {
                int count = Math.min(chunk, lastRow - p);
                int start = p * Tile.ROWS;
                int present = Math.min(count * Tile.ROWS, rows - start);
                Gemm.pack(a, xAt + (long) start * depth * Float.BYTES, present, depth, depth, 1, Tile.ROWS, 0, count);
                Gemm.multiply(
                        yAt + ((long) start * columns + firstColumn) * Float.BYTES,
                        columns,
                        a,
                        packed.address + (long) firstColumn * depth * Float.BYTES,
                        offsets,
                        bias == 0 ? 0 : bias + (long) firstColumn * Float.BYTES,
                        1,
                        false,
                        tile,
                        present,
                        lastColumn - firstColumn,
                        depth,
                        0,
                        count);
            }
        });
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
            long tile = scratch.worker(worker);
            long tiles = tile + tileFloats * Float.BYTES;
            for (int start = 0; start < rows; start += BLOCK) {
                int depth = Math.min(BLOCK, rows - start);
                for (int p = first; p < last; p++) {
                    for (int q = 0; q < columns; q++) {
                        Tile.multiply(
                                tile,
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
                            0,
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
