package diffusion.cpu;

/** Rows become columns, four rows at a time: so much is moved for each line of the result that it has not left the cache. */
final class Transposition {
    private static final int ROWS = 4;

    /** Rows of the result begun at a time: as many as the cache surely holds, however far they lie apart. */
    private static final int BLOCK = 8;

    /** The same for rows that lie side by side. */
    private static final int LONG_BLOCK = 64;

    private Transposition() {}

    /**
     * to[c][r] = from[r][c].
     *
     * @param toStride floats between the rows of {@code to}
     * @param fromStride floats between the rows of {@code from}
     */
    static void run(long to, long toStride, long from, long fromStride, int rows, int columns) {
        int block = toStride <= LONG_BLOCK ? LONG_BLOCK : BLOCK;
        long toBytes = toStride * Float.BYTES;
        long fromBytes = fromStride * Float.BYTES;
        for (int c = 0; c < columns; c += block) {
            int width = Math.min(block, columns - c);
            long target = to + c * toBytes;
            long source = from + (long) c * Float.BYTES;
            int r = 0;
            for (; r + ROWS <= rows; r += ROWS) {
                four(target + (long) r * Float.BYTES, toBytes, source + r * fromBytes, fromBytes, width);
            }
            for (; r < rows; r++) {
                one(target + (long) r * Float.BYTES, toBytes, source + r * fromBytes, width);
            }
        }
    }

    private static void four(long to, long toBytes, long from, long fromBytes, int columns) {
        long out = to;
        for (long in = from; in < from + (long) columns * Float.BYTES; in += Float.BYTES, out += toBytes) {
            Memory.set(out, Memory.get(in));
            Memory.set(out + Float.BYTES, Memory.get(in + fromBytes));
            Memory.set(out + 2 * Float.BYTES, Memory.get(in + 2 * fromBytes));
            Memory.set(out + 3 * Float.BYTES, Memory.get(in + 3 * fromBytes));
        }
    }

    private static void one(long to, long toBytes, long from, int columns) {
        for (int c = 0; c < columns; c++) {
            Memory.set(to + c * toBytes, Memory.get(from + (long) c * Float.BYTES));
        }
    }
}
