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
    /** Steps of the sum packed at a time, so that what is written stays in the first cache. */
    private static final int BLOCK = 64;

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
            if (strideI == 1 && present == width && width == Tile.COLUMNS) {
                for (int k = 0; k < depth; k++, from += strideK * Float.BYTES, to += 2L * VECTOR) {
                    store(to, load(from));
                    store(to + VECTOR, load(from + VECTOR));
                }
                continue;
            }
            for (int block = 0; block < depth; block += BLOCK) {
                int end = Math.min(depth, block + BLOCK);
                for (int i = 0; i < width; i++) {
                    long out = to + ((long) block * width + i) * Float.BYTES;
                    long in = from + (i * strideI + block * strideK) * Float.BYTES;
                    for (int k = block; k < end; k++, out += (long) width * Float.BYTES, in += strideK * Float.BYTES) {
                        Memory.set(out, i < present ? Memory.get(in) : 0);
                    }
                }
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
     * @param bias address of one number per column, or 0
     * @param accumulate whether to add to what is there
     */
    static void storeTile(
            long tile, long c, long strideC, int rows, int columns, long bias, float scale, boolean accumulate) {
        for (int i = 0; i < rows; i++) {
            for (int j = 0; j < columns; j += LANES) {
                FloatVector v = load(tile + (long) i * 2 * VECTOR + (long) j * Float.BYTES);
                if (scale != 1) {
                    v = v.mul(scale);
                }
                if (bias != 0) {
                    v = v.add(load(bias + (long) j * Float.BYTES));
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
     * c[m][n] = (accumulate ? c : 0) + scale * a b + bias[n] on packed operands, for panels of rows from..to of a.
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
            long bias,
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
            long biasAt = bias == 0 ? 0 : bias + (long) column * Float.BYTES;
            for (int p = fromPanel; p < toPanel; p++) {
                int row = p * Tile.ROWS;
                Tile.multiply(
                        tile,
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
                        biasAt,
                        scale,
                        accumulate);
            }
        }
    }
}
