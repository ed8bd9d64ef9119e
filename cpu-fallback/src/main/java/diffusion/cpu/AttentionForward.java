package diffusion.cpu;

import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.MatrixOp.Attention;
import jdk.incubator.vector.FloatVector;

/**
 * Attention with lanes as queries: S^T = K Q^T for a panel of queries, then O^T = V^T P^T.
 *
 * <p>So softmax needs no sums across lanes, and its result [keys][queries] is what the second product reads. The scores of one
 * panel of queries against all keys stay in the cache.
 */
final class AttentionForward {
    private static final int QUERIES = Tile.COLUMNS;

    /** Bytes of a row of a tile, of the tile, and of the packed operand of one step of its sum. */
    private static final long ROW = (long) QUERIES * Float.BYTES;

    private static final long TILE = Tile.ROWS * ROW;
    private static final long PANEL = (long) Tile.ROWS * Float.BYTES;

    /**
     * A part of the work on the queries from {@code first} on, with the panel's scores at {@code scores}.
     *
     * <p>Called in a loop over all of them, so that the compiler inlines none: together they are more than it can inline.
     */
    @FunctionalInterface
    private interface Stage {
        void run(int unit, int first, long scores);
    }

    private final Scratch scratch;
    private final long q;
    private final long k;
    private final long v;
    private final long y;
    private final int heads;
    private final int queries;
    private final int keys;
    private final int channels;
    private final int size;
    private final float scale;
    private final boolean causal;
    private final int keyPanels;
    private final int sizePanels;
    private final int units;
    private final long keyBytes;
    private final long valueBytes;
    private final long[] offsets;
    private final Stage[] stages = {this::scores, this::softmax, this::values, this::finish};

    private AttentionForward(CpuEmitter out, Attention op) {
        scratch = out.scratch();
        q = out.address(op.q());
        k = out.address(op.k());
        v = out.address(op.v());
        y = out.address(op.y());
        heads = op.heads();
        queries = op.q().dim(1);
        keys = op.k().dim(1);
        channels = op.q().dim(2);
        size = channels / heads;
        scale = op.scale();
        causal = op.causal();
        units = op.q().dim(0) * heads;
        keyPanels = Gemm.panels(keys, Tile.ROWS);
        sizePanels = Gemm.panels(size, Tile.ROWS);
        keyBytes = Gemm.packedRows(keys, size) * Float.BYTES;
        valueBytes = Gemm.packedRows(size, keys) * Float.BYTES;
        offsets = Gemm.rowOffsets(Math.max(keys, size), QUERIES);
        scratch.reserveShared(units * (keyBytes + valueBytes) / Float.BYTES);
        long scores = (long) keyPanels * Tile.ROWS * QUERIES;
        scratch.reserveWorker(scores + (long) sizePanels * Tile.ROWS * QUERIES + Gemm.packedColumns(QUERIES, size));
    }

    /** First packs keys and values, parallel over heads; then parallel over heads and panels of queries. */
    static void emit(CpuEmitter out, Attention op) {
        AttentionForward kernel = new AttentionForward(out, op);
        out.step(kernel::pack);
        out.step(kernel::attend);
    }

    private long keysAt(int unit) {
        return scratch.shared() + unit * (keyBytes + valueBytes);
    }

    /** Address of a head's first row of a tensor [B, rows, C]. */
    private long head(long tensor, int rows, int unit) {
        return tensor + ((long) unit / heads * rows * channels + (long) unit % heads * size) * Float.BYTES;
    }

    private void pack(int part, int parts) {
        // Panels of keys: a head alone is divided, too.
        int last = Crew.from(units * keyPanels, part + 1, parts);
        for (int item = Crew.from(units * keyPanels, part, parts); item < last; item++) {
            int unit = item / keyPanels;
            int panel = item % keyPanels;
            Gemm.pack(keysAt(unit), head(k, keys, unit), keys, size, channels, 1, Tile.ROWS, panel, panel + 1);
        }
        last = Crew.from(units * sizePanels, part + 1, parts);
        for (int item = Crew.from(units * sizePanels, part, parts); item < last; item++) {
            int unit = item / sizePanels;
            int panel = item % sizePanels;
            Gemm.pack(
                    keysAt(unit) + keyBytes, head(v, keys, unit), size, keys, 1, channels, Tile.ROWS, panel, panel + 1);
        }
    }

    private void attend(int part, int parts) {
        int panels = Gemm.panels(queries, QUERIES);
        int last = Crew.from(units * panels, part + 1, parts);
        for (int item = Crew.from(units * panels, part, parts); item < last; item++) {
            for (Stage stage : stages) {
                stage.run(item / panels, item % panels * QUERIES, scratch.worker(part));
            }
        }
    }

    /** Keys that a panel of queries looks at. */
    private int seen(int first) {
        return causal ? Math.min(keys, first + Math.min(QUERIES, queries - first)) : keys;
    }

    private long result(long scores) {
        return scores + keyPanels * TILE;
    }

    private void scores(int unit, int first, long scores) {
        long from = head(q, queries, unit) + (long) first * channels * Float.BYTES;
        long right = result(scores) + sizePanels * TILE;
        Gemm.pack(right, from, Math.min(QUERIES, queries - first), size, channels, 1, QUERIES, 0, 1);
        int seen = seen(first);
        for (int p = 0; p < Gemm.panels(seen, Tile.ROWS); p++) {
            Tile.multiply(scores + p * TILE, keysAt(unit) + p * PANEL * size, PANEL, right, offsets, size);
        }
        if (causal) {
            hide(scores, first, seen);
        }
    }

    /** Each half of the panel is a vector of queries; the divisors lie where the result will end. */
    private void softmax(int unit, int first, long scores) {
        long sums = result(scores) + sizePanels * TILE;
        for (long half = 0; half < ROW; half += VECTOR) {
            softmax(scores + half, seen(first), scale, sums + half);
        }
    }

    private void values(int unit, int first, long scores) {
        long a = keysAt(unit) + keyBytes;
        for (int p = 0; p < sizePanels; p++) {
            Tile.multiply(result(scores) + p * TILE, a + p * PANEL * keys, PANEL, scores, offsets, seen(first));
        }
    }

    private void finish(int unit, int first, long scores) {
        long from = result(scores);
        long sums = from + sizePanels * TILE;
        for (long half = 0; half < ROW; half += VECTOR) {
            FloatVector factor = FloatVector.broadcast(SPECIES, 1f).div(load(sums + half));
            for (long row = from + half; row < from + size * ROW; row += ROW) {
                store(row, load(row).mul(factor));
            }
        }
        int count = Math.min(QUERIES, queries - first);
        for (int j = 0; j < count; j++) {
            long to = head(y, queries, unit) + (long) (first + j) * channels * Float.BYTES;
            long at = from + (long) j * Float.BYTES;
            for (int i = 0; i < size; i++, at += ROW, to += Float.BYTES) {
                Memory.set(to, Memory.get(at));
            }
        }
    }

    /** Puts keys behind a query out of its sight. */
    private static void hide(long scores, int first, int seen) {
        for (int key = first + 1; key < seen; key++) {
            for (int j = 0; j < key - first && j < QUERIES; j++) {
                Memory.set(scores + ((long) key * QUERIES + j) * Float.BYTES, Float.NEGATIVE_INFINITY);
            }
        }
    }

    /** e^(scale (s - largest)) for each score of a vector of queries, in place; their sums go to {@code sums}. */
    private static void softmax(long scores, int keys, float scale, long sums) {
        FloatVector largest = load(scores);
        for (long at = scores + ROW; at < scores + keys * ROW; at += ROW) {
            largest = largest.max(load(at));
        }
        FloatVector sum = FloatVector.zero(SPECIES);
        for (long at = scores; at < scores + keys * ROW; at += ROW) {
            FloatVector e = Memory.exp(load(at).sub(largest).mul(scale));
            store(at, e);
            sum = sum.add(e);
        }
        store(sums, sum);
    }
}
