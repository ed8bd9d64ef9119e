package diffusion.cpu;

/**
 * Minimal filtering stage by stage: all workers transform a group of tiles, multiply it and transform it back, so that what
 * lies between the three stays in the cache that they share.
 *
 * <p>Weights are transformed while they are used: that costs a few per cent of the products, whereas transformed ones would
 * take up to four times the memory and its bandwidth.
 */
final class WinogradGroups {
    /**
     * Panels of outputs whose transformed weights a worker keeps at a time, and their bytes: in the second-level cache, beside the
     * weights that they are made of, half as many again, which are read for each row of products.
     */
    private static final int MOST_PANELS = 4;

    private static final long PANEL_BYTES = 384 << 10;

    private final Winograd kind;
    private final WinogradTiles tiles;
    private final Scratch scratch;
    private final Packed weights;
    private final int rows;
    private final int inChannels;
    private final int outPanels;
    private final int tileColumns;
    private final int chunk;
    private final long[] offsets;
    private final long inputStep;
    private final long outputStep;
    private final long weightStep;
    private final long wide; // from a worker's memory on

    /** @param rows of tiles of a group */
    WinogradGroups(Scratch scratch, WinogradTiles tiles, Packed weights, int rows) {
        this.scratch = scratch;
        this.tiles = tiles;
        this.weights = weights;
        this.rows = rows;
        kind = tiles.kind;
        inChannels = tiles.inChannels;
        outPanels = tiles.outPanels();
        tileColumns = tiles.columns(rows);
        long weightPanel = (long) kind.inputs * Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES;
        chunk = Math.clamp(PANEL_BYTES / weightPanel, 1, MOST_PANELS);
        offsets = Gemm.rowOffsets(inChannels, Tile.COLUMNS);
        inputStep = tiles.inputStep(rows);
        outputStep = tiles.outputStep(rows, outPanels);
        weightStep = (long) chunk * Winograd.padded(inChannels) * Tile.ROWS * Float.BYTES + WinogradTiles.PAD;
        scratch.reserveShared((inputStep + outputStep) * kind.products() / Float.BYTES);
        wide = kind.inputs * weightStep;
        long widened = weights.wideFloats(chunk * Winograd.packedPanel(inChannels));
        scratch.reserveWorker(Math.max(tiles.floats(), wide / Float.BYTES + widened));
    }

    /** All {@code total} rows of tiles. */
    void emit(CpuEmitter out, int total) {
        for (int first = 0; first < total; first += rows) {
            int start = first;
            int end = Math.min(total, first + rows);
            out.step((part, parts) -> tiles.inputs(
                    start,
                    end,
                    Crew.from(inChannels, part, parts),
                    Crew.from(inChannels, part + 1, parts),
                    scratch.shared(),
                    inputStep,
                    scratch.worker()));
            out.step((part, parts) -> multiply(end - start, part, parts));
            out.step((part, parts) -> tiles.outputs(
                    start,
                    end,
                    Crew.from(tiles.outChannels, part, parts),
                    Crew.from(tiles.outChannels, part + 1, parts),
                    products(),
                    outputStep,
                    tileColumns,
                    scratch.worker()));
        }
    }

    private long products() {
        return scratch.shared() + inputStep * kind.products();
    }

    /** Parallel over panels of outputs and, if these are few, columns of tiles. */
    private void multiply(int tileRows, int part, int parts) {
        int columns = tiles.columns(tileRows);
        int cuts = Math.clamp(Gemm.panels(parts, outPanels), 1, columns);
        int last = Crew.from(outPanels * cuts, part + 1, parts);
        int unit = Crew.from(outPanels * cuts, part, parts);
        while (unit < last) {
            int cut = unit / outPanels;
            int panel = unit % outPanels;
            int count = Math.min(Math.min(chunk, last - unit), outPanels - panel);
            multiply(panel, count, Crew.from(columns, cut, cuts), Crew.from(columns, cut + 1, cuts), scratch.worker());
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
}
