package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.at;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.step;
import static diffusion.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;

/**
 * Rows become columns: 12 at a time for the panels of {@link Tile}, else 16, by bringing lanes of two vectors together: pairs of
 * rows, fours of rows, rows of the result.
 *
 * <p>A kernel makes the lower or the upper half of the columns that a vector has: the compiler inlines so much and not more.
 */
final class Transposition {
    private static final int ROWS = 16;

    /** Columns that a kernel is called for: what both halves load stays in the nearest cache. */
    private static final int BLOCK = 256;

    /** Fours of two vectors of pairs: a0 a1 b0 b1 a2 a3 .., of the lower or the upper half of their lanes. */
    private static final FloatVector LOWER = Interleave.lanes(i -> i / 4 * 2 + i % 2 + i / 2 % 2 * LANES);

    private static final FloatVector UPPER = Interleave.lanes(i -> LANES / 2 + i / 4 * 2 + i % 2 + i / 2 % 2 * LANES);

    /** The three vectors of rows of 12: from fours of rows 0 to 3 and 4 to 7; then from that and those of rows 8 to 11. */
    private static final FloatVector FROM_TWO_0 = fours(0, 3, 0);

    private static final FloatVector FROM_TWO_1 = fours(1, 3, 0);
    private static final FloatVector FROM_TWO_2 = fours(2, 3, 0);
    private static final FloatVector THIRD_0 = third(0);
    private static final FloatVector THIRD_1 = third(1);
    private static final FloatVector THIRD_2 = third(2);

    /** The four vectors of rows of 16: from fours of rows 0 to 7, and 8 to 15; then from both. */
    private static final FloatVector FIRST_0 = fours(0, 4, 0);

    private static final FloatVector FIRST_1 = fours(1, 4, 0);
    private static final FloatVector FIRST_2 = fours(2, 4, 0);
    private static final FloatVector FIRST_3 = fours(3, 4, 0);
    private static final FloatVector SECOND_0 = fours(0, 4, 2);
    private static final FloatVector SECOND_1 = fours(1, 4, 2);
    private static final FloatVector SECOND_2 = fours(2, 4, 2);
    private static final FloatVector SECOND_3 = fours(3, 4, 2);
    private static final FloatVector BOTH_0 = both(0);
    private static final FloatVector BOTH_1 = both(1);
    private static final FloatVector BOTH_2 = both(2);
    private static final FloatVector BOTH_3 = both(3);

    private Transposition() {}

    /** Which four of rows stands at a lane of the {@code vector}th vector of rows that have {@code count} fours. */
    private static int group(int vector, int lane, int count) {
        return (vector * LANES + lane) / 4 % count;
    }

    /** The lane that it has in the vector of its fours. */
    private static int place(int vector, int lane, int count) {
        return (vector * LANES + lane) / 4 / count * 4 + lane % 4;
    }

    /** Lanes of fours {@code first} and the next; of others it does not matter what. */
    private static FloatVector fours(int vector, int count, int first) {
        return Interleave.lanes(
                lane -> place(vector, lane, count) + (group(vector, lane, count) == first + 1 ? LANES : 0));
    }

    private static FloatVector third(int vector) {
        return Interleave.lanes(lane -> group(vector, lane, 3) == 2 ? LANES + place(vector, lane, 3) : lane);
    }

    private static FloatVector both(int vector) {
        return Interleave.lanes(lane -> group(vector, lane, 4) < 2 ? lane : LANES + lane);
    }

    /**
     * to[c][r] = from[r][c].
     *
     * @param toStride floats between the rows of {@code to}
     * @param fromStride floats between the rows of {@code from}
     */
    static void run(long to, long toStride, long from, long fromStride, int rows, int columns) {
        long toBytes = toStride * Float.BYTES;
        long fromBytes = fromStride * Float.BYTES;
        int height = rows == Tile.ROWS && toStride == Tile.ROWS ? Tile.ROWS : ROWS;
        if (rows < height || columns < LANES) {
            scalar(to, toBytes, from, fromBytes, rows, columns);
            return;
        }
        // Where rows or columns are left over, the last kernel makes some of them again.
        for (int r = 0; r < rows; r += height) {
            int row = Math.min(r, rows - height);
            long target = to + (long) row * Float.BYTES;
            long source = from + row * fromBytes;
            int whole = columns / LANES * LANES;
            for (int c = 0; c < whole; c += BLOCK) {
                rows(height, target, toBytes, source, fromBytes, c, Math.min(BLOCK, whole - c));
            }
            if (whole < columns) {
                rows(height, target, toBytes, source, fromBytes, columns - LANES, LANES);
            }
        }
    }

    private static void rows(int height, long to, long toBytes, long from, long fromBytes, int column, int columns) {
        long target = to + column * toBytes;
        long source = from + (long) column * Float.BYTES;
        if (height == Tile.ROWS) {
            twelve(target, source, fromBytes, columns, Interleave.LOWER);
            twelve(target + 6 * VECTOR, source, fromBytes, columns, Interleave.UPPER);
        } else {
            sixteen(target, toBytes, source, fromBytes, columns, Interleave.LOWER);
            sixteen(target + LANES / 2 * toBytes, toBytes, source, fromBytes, columns, Interleave.UPPER);
        }
    }

    /** Half the columns of each vector of 12 rows, side by side, room left for the other half. */
    private static void twelve(long to, long from, long fromBytes, int columns, FloatVector pairs) {
        long row = step(fromBytes);
        for (int i = 0; i < columns; i += LANES, from += VECTOR, to += 12 * VECTOR) {
            long source = at(from);
            long target = at(to);
            FloatVector p = pairs.selectFrom(load(source), load(source + row));
            FloatVector q = pairs.selectFrom(load(source + 2 * row), load(source + 3 * row));
            FloatVector a = LOWER.selectFrom(p, q);
            FloatVector d = UPPER.selectFrom(p, q);
            p = pairs.selectFrom(load(source + 4 * row), load(source + 5 * row));
            q = pairs.selectFrom(load(source + 6 * row), load(source + 7 * row));
            FloatVector b = LOWER.selectFrom(p, q);
            FloatVector e = UPPER.selectFrom(p, q);
            p = pairs.selectFrom(load(source + 8 * row), load(source + 9 * row));
            q = pairs.selectFrom(load(source + 10 * row), load(source + 11 * row));
            threeVectors(target, a, b, LOWER.selectFrom(p, q));
            threeVectors(target + 3 * VECTOR, d, e, UPPER.selectFrom(p, q));
        }
    }

    private static void threeVectors(long to, FloatVector a, FloatVector b, FloatVector c) {
        store(to, THIRD_0.selectFrom(FROM_TWO_0.selectFrom(a, b), c));
        store(to + VECTOR, THIRD_1.selectFrom(FROM_TWO_1.selectFrom(a, b), c));
        store(to + 2 * VECTOR, THIRD_2.selectFrom(FROM_TWO_2.selectFrom(a, b), c));
    }

    /** Half the columns of each vector of 16 rows. */
    private static void sixteen(long to, long toBytes, long from, long fromBytes, int columns, FloatVector pairs) {
        long next = step(toBytes);
        long row = step(fromBytes);
        for (int i = 0; i < columns; i += LANES, from += VECTOR, to += LANES * toBytes) {
            long source = at(from);
            long target = at(to);
            FloatVector p = pairs.selectFrom(load(source), load(source + row));
            FloatVector q = pairs.selectFrom(load(source + 2 * row), load(source + 3 * row));
            FloatVector a = LOWER.selectFrom(p, q);
            FloatVector e = UPPER.selectFrom(p, q);
            p = pairs.selectFrom(load(source + 4 * row), load(source + 5 * row));
            q = pairs.selectFrom(load(source + 6 * row), load(source + 7 * row));
            FloatVector b = LOWER.selectFrom(p, q);
            FloatVector f = UPPER.selectFrom(p, q);
            p = pairs.selectFrom(load(source + 8 * row), load(source + 9 * row));
            q = pairs.selectFrom(load(source + 10 * row), load(source + 11 * row));
            FloatVector c = LOWER.selectFrom(p, q);
            FloatVector g = UPPER.selectFrom(p, q);
            p = pairs.selectFrom(load(source + 12 * row), load(source + 13 * row));
            q = pairs.selectFrom(load(source + 14 * row), load(source + 15 * row));
            fourVectors(target, next, a, b, c, LOWER.selectFrom(p, q));
            fourVectors(target + LANES / 4 * next, next, e, f, g, UPPER.selectFrom(p, q));
        }
    }

    private static void fourVectors(long to, long toBytes, FloatVector a, FloatVector b, FloatVector c, FloatVector d) {
        store(to, BOTH_0.selectFrom(FIRST_0.selectFrom(a, b), SECOND_0.selectFrom(c, d)));
        store(place(to, toBytes, 1), BOTH_1.selectFrom(FIRST_1.selectFrom(a, b), SECOND_1.selectFrom(c, d)));
        store(place(to, toBytes, 2), BOTH_2.selectFrom(FIRST_2.selectFrom(a, b), SECOND_2.selectFrom(c, d)));
        store(place(to, toBytes, 3), BOTH_3.selectFrom(FIRST_3.selectFrom(a, b), SECOND_3.selectFrom(c, d)));
    }

    /** Where the {@code vector}th vector of rows of 16 goes. */
    private static long place(long to, long toBytes, int vector) {
        return to + vector * LANES / ROWS * toBytes + (long) vector * VECTOR % (ROWS * Float.BYTES);
    }

    private static void scalar(long to, long toBytes, long from, long fromBytes, int rows, int columns) {
        for (int r = 0; r < rows; r++, to += Float.BYTES, from += fromBytes) {
            long target = to;
            for (long at = from; at < from + (long) columns * Float.BYTES; at += Float.BYTES, target += toBytes) {
                Memory.set(target, Memory.get(at));
            }
        }
    }
}
