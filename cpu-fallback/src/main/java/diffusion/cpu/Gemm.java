package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.first;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;

/**
 * Matrix products c[m][n] = sum over k of a[m][k] * b[k][n] on packed operands.
 *
 * <p>Packed a: panels of 12 rows, each [k][12]. Packed b: panels of two vectors of columns, each [k][COLUMNS]. Missing
 * rows and columns are zeros.
 */
final class Gemm {
    private Gemm() {}

    /** Floats of a packed left operand. */
    static long packedRows(int rows, int depth) {
        return (long) panels(rows, Tile.ROWS) * Tile.ROWS * depth;
    }

    /** Floats of a packed right operand. */
    static long packedColumns(int columns, int depth) {
        return (long) panels(columns, Tile.COLUMNS) * Tile.COLUMNS * depth;
    }

    static int panels(int size, int panel) {
        return (size + panel - 1) / panel;
    }

    /** Offsets of the rows of a matrix whose rows lie {@code strideFloats} apart. */
    static long[] rowOffsets(int depth, int strideFloats) {
        long[] offsets = new long[depth];
        for (int k = 0; k < depth; k++) {
            offsets[k] = (long) k * strideFloats * Float.BYTES;
        }
        return offsets;
    }

    /**
     * Packs panels [fromPanel, toPanel) of an operand with {@code width} rows (or columns) a panel; element (i, k) lies at
     * source + i * strideI + k * strideK floats.
     */
    static void pack(
            long target,
            long source,
            int size,
            int depth,
            long strideI,
            long strideK,
            int width,
            int fromPanel,
            int toPanel) {
        for (int panel = fromPanel; panel < toPanel; panel++) {
            long to = target + (long) panel * width * depth * Float.BYTES;
            int start = panel * width;
            int present = Math.min(width, size - start);
            long from = source + start * strideI * Float.BYTES;
            if (strideK == 1) {
                Transposition.run(to, width, from, strideI, present, depth);
            } else if (strideI == 1) {
                rows(to, width, from, strideK, present, depth);
            } else {
                throw new IllegalArgumentException("expected an operand whose rows or columns lie side by side");
            }
            for (int i = present; i < width; i++) {
                for (int k = 0; k < depth; k++) {
                    Memory.set(to + ((long) k * width + i) * Float.BYTES, 0);
                }
            }
        }
    }

    /** Copies runs of {@code present} floats. */
    private static void rows(long to, long toStride, long from, long fromStride, int present, int depth) {
        for (int i = (present - 1) / LANES * LANES; i >= 0; i -= LANES) {
            // A vector may reach into the next row, which is written after it; not so behind the last row.
            int whole = present - i >= LANES ? depth : depth - 1;
            for (int k = 0; k < whole; k++) {
                store(to + (k * toStride + i) * Float.BYTES, load(from + (k * fromStride + i) * Float.BYTES));
            }
            var mask = Reductions.mask(present - i);
            for (int k = whole; k < depth; k++) {
                store(
                        to + (k * toStride + i) * Float.BYTES,
                        load(from + (k * fromStride + i) * Float.BYTES, mask),
                        mask);
            }
        }
    }

    /** to = (add ? to : 0) + tile, both laid out as tiles. */
    static void addTile(long to, long tile, boolean add) {
        for (long i = 0; i < 2L * Tile.ROWS * VECTOR; i += VECTOR) {
            store(to + i, add ? load(to + i).add(load(tile + i)) : load(tile + i));
        }
    }

    /**
     * Stores a tile into rows {@code strideC} floats apart.
     *
     * @param accumulate whether to add to what is there
     */
    static void storeTile(long tile, long c, long strideC, int rows, int columns, float scale, boolean accumulate) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j += LANES) {
                FloatVector v = load(tile + (long) i * 2 * VECTOR + (long) j * Float.BYTES);
                if (scale != 1) {
                    v = v.mul(scale);
                }
                long address = c + (i * strideC + j) * Float.BYTES;
                if (columns - j >= LANES) {
                    store(address, accumulate ? v.add(load(address)) : v);
                } else {
                    var mask = first(columns - j);
                    store(address, accumulate ? v.add(load(address, mask)) : v, mask);
                }
            }
        }
    }

    /**
     * c[m][n] = (accumulate ? c : 0) + scale * a b on packed operands, for panels of rows from..to of a.
     *
     * @param strideC floats between rows of c
     * @param tile scratch of one tile
     */
    static void multiply(
            long c,
            long strideC,
            long a,
            long b,
            long[] offsets,
            float scale,
            boolean accumulate,
            long tile,
            int m,
            int n,
            int depth,
            int fromPanel,
            int toPanel) {
        int columnPanels = panels(n, Tile.COLUMNS);
        for (int q = 0; q < columnPanels; q++) {
            int column = q * Tile.COLUMNS;
            int columns = Math.min(Tile.COLUMNS, n - column);
            long bPanel = b + (long) q * Tile.COLUMNS * depth * Float.BYTES;
            for (int p = fromPanel; p < toPanel; p++) {
                int row = p * Tile.ROWS;
                Tile.multiply(
                        tile,
                        Tile.STRIDE,
                        Tile.NO_BIAS,
                        a + (long) row * depth * Float.BYTES,
                        (long) Tile.ROWS * Float.BYTES,
                        bPanel,
                        offsets,
                        depth);
                storeTile(
                        tile,
                        c + (row * strideC + column) * Float.BYTES,
                        strideC,
                        Math.min(Tile.ROWS, m - row),
                        columns,
                        scale,
                        accumulate);
            }
        }
    }
}
