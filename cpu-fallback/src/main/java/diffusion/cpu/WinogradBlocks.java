package diffusion.cpu;

/**
 * Minimal filtering block by block: weights are transformed once for all, then each worker takes a block of tiles through all
 * stages by itself, some panels of outputs at a time, so that nothing but pictures and weights leaves its own cache.
 *
 * <p>For layers of few channels and many tiles: the transformed weights, four times as large, are read once for every block.
 */
final class WinogradBlocks {
    /** Bytes of a block's products before they are multiplied, and of the transformed weights. */
    private static final long INPUT_BYTES = 1280L << 10;

    private static final long WEIGHT_BYTES = 10L << 20;

    /** Tiles of a block. */
    private static final int MOST_TILES = 64;

    /** With fewer blocks transforming weights beforehand does not pay. */
    private static final int LEAST_BLOCKS = 8;

    /** With fewer blocks workers would wait for each other: as many as a step has parts for each. */
    private static final int BLOCKS_PER_WORKER = 4;

    /** Tiles of {@link Tile}'s size that are multiplied at a time for one product: its outputs stay in the cache. */
    private static final int CHUNK = 4;

    private final Winograd kind;
    private final WinogradTiles tiles;
    private final Scratch scratch;
    private final Packed weights;
    private final int rows;
    private final int total;
    private final int inChannels;
    private final int outPanels;
    private final int tileColumns;
    private final int chunk;
    private final long[] offsets;
    private final long inputStep;
    private final long outputStep;
    private final long panelBytes;
    private final long products; // from a worker's memory on
    private final long work;

    /**
     * All {@code total} rows of tiles.
     *
     * @param rows of a block
     */
    WinogradBlocks(Scratch scratch, WinogradTiles tiles, Packed weights, int rows, int total) {
        this.scratch = scratch;
        this.tiles = tiles;
        this.weights = weights;
        this.rows = rows;
        this.total = total;
        kind = tiles.kind;
        inChannels = tiles.inChannels;
        outPanels = tiles.outPanels();
        tileColumns = tiles.columns(rows);
        chunk = Math.clamp(CHUNK / tileColumns, 1, outPanels);
        offsets = Gemm.rowOffsets(inChannels, Tile.COLUMNS);
        inputStep = tiles.inputStep(rows);
        outputStep = tiles.outputStep(rows, chunk);
        panelBytes = (long) Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES;
        scratch.reserveShared(weightFloats(tiles));
        products = kind.products() * inputStep;
        work = products + kind.products() * outputStep;
        long widened = weights.wideFloats(Winograd.packedPanel(inChannels));
        scratch.reserveWorker(Math.max(work / Float.BYTES + tiles.floats(), widened));
    }

    /** The most tiles of a block whose products stay in the cache. */
    static int mostTiles(Winograd kind, int inChannels) {
        long tileBytes = (long) kind.products() * inChannels * Float.BYTES;
        return Math.clamp(INPUT_BYTES / tileBytes, Tile.COLUMNS, MOST_TILES);
    }

    /** Whether so many blocks of these tiles are to be gone through in this way; results are the same either way. */
    static boolean suit(WinogradTiles tiles, int blocks, int rows, Scratch scratch) {
        return blocks >= Math.max(LEAST_BLOCKS, BLOCKS_PER_WORKER * scratch.workers())
                && tiles.kind.products() * tiles.inputStep(rows) <= INPUT_BYTES
                && weightFloats(tiles) * Float.BYTES <= WEIGHT_BYTES;
    }

    /** Transformed weights: [panel][product][channel][12]. */
    private static long weightFloats(WinogradTiles tiles) {
        return (long) tiles.outPanels() * tiles.kind.products() * Winograd.padded(tiles.inChannels) * Tile.ROWS;
    }

    void emit(CpuEmitter out) {
        out.step(this::transform);
        int blocks = Gemm.panels(total, rows);
        out.step((part, parts) -> {
            int last = Crew.from(blocks, part + 1, parts);
            for (int block = Crew.from(blocks, part, parts); block < last; block++) {
                convolve(block * rows, Math.min(total, (block + 1) * rows), scratch.worker());
            }
        });
    }

    /** Parallel over panels of outputs. */
    private void transform(int part, int parts) {
        int last = Crew.from(outPanels, part + 1, parts);
        for (int panel = Crew.from(outPanels, part, parts); panel < last; panel++) {
            long w = weights.panel(panel, 0, Winograd.packedPanel(inChannels), scratch.worker());
            for (int r = 0; r < kind.inputs; r++) {
                kind.weights(weight(panel, r * kind.inputs), panelBytes, w, (int) (panelBytes / Memory.VECTOR), r);
            }
        }
    }

    private long weight(int panel, int product) {
        return scratch.shared() + ((long) panel * kind.products() + product) * panelBytes;
    }

    private void convolve(int firstRow, int lastRow, long memory) {
        tiles.inputs(firstRow, lastRow, 0, inChannels, memory, inputStep, memory + work);
        int columns = tiles.columns(lastRow - firstRow);
        for (int panel = 0; panel < outPanels; panel += chunk) {
            int end = Math.min(outPanels, panel + chunk);
            for (int product = 0; product < kind.products(); product++) {
                long c = memory + products + product * outputStep;
                for (int q = 0; q < columns; q++) {
                    long b = memory + product * inputStep + (long) q * inChannels * Tile.STRIDE;
                    for (int p = panel; p < end; p++) {
                        Tile.multiply(
                                c + ((p - panel) * (long) tileColumns + q) * WinogradTiles.TILE,
                                Tile.STRIDE,
                                Tile.NO_BIAS,
                                weight(p, product),
                                (long) Tile.ROWS * Float.BYTES,
                                b,
                                offsets,
                                inChannels);
                    }
                }
            }
            tiles.outputs(
                    firstRow,
                    lastRow,
                    panel * Tile.ROWS,
                    Math.min(tiles.outChannels, end * Tile.ROWS),
                    memory + products - panel * tileColumns * WinogradTiles.TILE,
                    outputStep,
                    tileColumns,
                    memory + work);
        }
    }
}
