package diffusion.cpu;

/**
 * Where the vectors of a run of computed positions go: for each vector, which lanes are pixels of the output and where
 * they belong; lanes that fall between rows are dropped.
 */
final class PixelMap {
    private static final long ALL_LANES = -1L >>> (64 - Memory.LANES);

    private final int[] firstRun;
    private final long[] lanes;
    private final int[] image;
    private final int[] pixel;

    /** Positions of {@code images} pictures of rows x pitch each, of which height x width at the top left are output. */
    PixelMap(int images, int rows, int pitch, int height, int width) {
        int total = images * rows * pitch;
        int vectors = Gemm.panels(total, Tile.COLUMNS) * 2;
        firstRun = new int[vectors + 1];
        long[] laneRuns = new long[vectors * 2 + images * 2];
        int[] imageRuns = new int[laneRuns.length];
        int[] pixelRuns = new int[laneRuns.length];
        int runs = 0;
        for (int v = 0; v < vectors; v++) {
            firstRun[v] = runs;
            int current = -1;
            for (int lane = 0; lane < Memory.LANES; lane++) {
                int position = v * Memory.LANES + lane;
                int n = position / (rows * pitch);
                int i = position / pitch % rows;
                int j = position % pitch;
                if (position >= total || i >= height || j >= width) {
                    continue;
                }
                if (n != current) {
                    if (runs == laneRuns.length) {
                        laneRuns = java.util.Arrays.copyOf(laneRuns, runs * 2);
                        imageRuns = java.util.Arrays.copyOf(imageRuns, runs * 2);
                        pixelRuns = java.util.Arrays.copyOf(pixelRuns, runs * 2);
                    }
                    current = n;
                    imageRuns[runs] = n;
                    pixelRuns[runs] = i * width + j;
                    laneRuns[runs] = 0;
                    runs++;
                }
                laneRuns[runs - 1] |= 1L << lane;
            }
        }
        firstRun[vectors] = runs;
        lanes = laneRuns;
        image = imageRuns;
        pixel = pixelRuns;
    }

    /** Tiles of positions. */
    int panels() {
        return (firstRun.length - 1) / 2;
    }

    /** Whether a tile holds any output. */
    boolean isEmpty(int panel) {
        return firstRun[panel * 2] == firstRun[panel * 2 + 2];
    }

    /**
     * Stores rows of a tile: row i is channel i of y, pictures {@code imageStride} floats and channels {@code
     * channelStride} floats apart; pictures from {@code images} on are left out.
     */
    void store(long tile, int panel, long y, long imageStride, long channelStride, int rows, long bias, int images) {
        for (int half = 0; half < 2; half++) {
            int v = panel * 2 + half;
            for (int run = firstRun[v]; run < firstRun[v + 1]; run++) {
                if (image[run] >= images) {
                    continue;
                }
                long to = y + (image[run] * imageStride + pixel[run]) * Float.BYTES;
                long from = tile + (long) half * Memory.VECTOR;
                storeRun(from, to, channelStride * Float.BYTES, lanes[run], rows, bias);
            }
        }
    }

    private static void storeRun(long from, long to, long stride, long bits, int rows, long bias) {
        if (bits == ALL_LANES) {
            for (int i = 0; i < rows; i++) {
                float added = bias == 0 ? 0 : Memory.get(bias + (long) i * Float.BYTES);
                Memory.store(
                        to + i * stride,
                        Memory.load(from + (long) i * 2 * Memory.VECTOR).add(added));
            }
            return;
        }
        var mask = jdk.incubator.vector.VectorMask.fromLong(Memory.SPECIES, bits);
        var prefix = Memory.first(Long.bitCount(bits));
        for (int i = 0; i < rows; i++) {
            var v = Memory.load(from + (long) i * 2 * Memory.VECTOR).compress(mask);
            if (bias != 0) {
                v = v.add(Memory.get(bias + (long) i * Float.BYTES));
            }
            Memory.store(to + i * stride, v, prefix);
        }
    }
}
