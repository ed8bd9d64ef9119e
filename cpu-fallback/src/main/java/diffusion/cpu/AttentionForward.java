package diffusion.cpu;

import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.at;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.MatrixOp.Attention;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/**
 * Attention with lanes as queries: S^T = K Q^T for a panel of queries and a block of keys, then O^T += V^T P^T.
 *
 * <p>So softmax needs no sums across lanes, and its result [keys][queries] is what the second product reads. Scores live for a
 * block only, in the nearest cache: a larger maximum in a later block scales what was summed so far (Milakov and Gimelshein
 * 2018). Queries are multiplied by scale log2(e) while they are packed, so that the exponential is a power of two.
 */
final class AttentionForward {
    private static final int QUERIES = Tile.COLUMNS;

    /** Panels of keys in a block, at most. */
    private static final int BLOCK = 24;

    private static final double LOG2_E = 1.4426950408889634;

    /** Bytes of a row of a tile, of the tile, and of the packed operand of one step of its sum. */
    private static final long ROW = Tile.STRIDE;

    private static final long TILE = Tile.ROWS * ROW;

    /** The largest score so far, the sum of powers, and what that of earlier blocks is to be multiplied by. */
    private static final int ROWS_OF_STATE = 3;

    private static final long PANEL = (long) Tile.ROWS * Float.BYTES;

    /**
     * A part of the work on a panel of queries and the panels of keys from {@code key} to {@code last}.
     *
     * <p>Called in a loop over all of them, so that the compiler inlines none: together they are more than it can inline.
     */
    @FunctionalInterface
    private interface Stage {
        void run(int unit, int first, int key, int last, long scores);
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
    private final int block;
    private final int sizePanels;
    private final int units;
    private final long keyBytes;
    private final long valueBytes;
    private final long[] offsets;
    private final Stage[] stages = {this::scores, this::largest, this::powers, this::values};

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
        block = Gemm.panels(keyPanels, Gemm.panels(keyPanels, BLOCK)); // blocks of about the same length
        keyBytes = Gemm.packedRows(keys, size) * Float.BYTES;
        valueBytes = Gemm.packedRows(size, keys) * Float.BYTES;
        offsets = Gemm.rowOffsets(Math.max(block * Tile.ROWS, size), QUERIES);
        scratch.reserveShared(units * (keyBytes + valueBytes) / Float.BYTES);
        long rows = (long) (block + 1 + sizePanels) * Tile.ROWS + ROWS_OF_STATE + size;
        scratch.reserveWorker(rows * QUERIES);
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
        long scores = scratch.worker();
        for (int item = Crew.from(units * panels, part, parts); item < last; item++) {
            int unit = item / panels;
            int first = item % panels * QUERIES;
            begin(unit, first, scores);
            int seen = Gemm.panels(seen(first), Tile.ROWS);
            for (int key = 0; key < seen; key += block) {
                for (Stage stage : stages) {
                    stage.run(unit, first, key, Math.min(seen, key + block), scores);
                }
            }
            finish(unit, first, scores);
        }
    }

    /** Keys that a panel of queries looks at. */
    private int seen(int first) {
        return causal ? Math.min(keys, first + Math.min(QUERIES, queries - first)) : keys;
    }

    /** Where the tile of a product lies, behind the scores; then the result, the state, and the packed queries. */
    private long tile(long scores) {
        return scores + block * TILE;
    }

    private long result(long scores) {
        return tile(scores) + TILE;
    }

    private long state(long scores) {
        return result(scores) + sizePanels * TILE;
    }

    private long right(long scores) {
        return state(scores) + ROWS_OF_STATE * ROW;
    }

    private void begin(int unit, int first, long scores) {
        long from = head(q, queries, unit) + (long) first * channels * Float.BYTES;
        long right = right(scores);
        Gemm.pack(right, from, Math.min(QUERIES, queries - first), size, channels, 1, QUERIES, 0, 1);
        float factor = (float) (scale * LOG2_E);
        for (long at = right; at < right + size * ROW; at += VECTOR) {
            store(at, load(at).mul(factor));
        }
        long state = state(scores);
        for (long half = 0; half < ROW; half += VECTOR) {
            store(state + half, FloatVector.broadcast(SPECIES, -Float.MAX_VALUE));
            store(state + ROW + half, FloatVector.zero(SPECIES));
        }
    }

    private void scores(int unit, int first, int key, int last, long scores) {
        for (int p = key; p < last; p++) {
            Tile.multiply(
                    scores + (p - key) * TILE,
                    ROW,
                    Tile.NO_BIAS,
                    keysAt(unit) + p * PANEL * size,
                    PANEL,
                    right(scores),
                    offsets,
                    size);
        }
        if (causal) {
            hide(scores, first - key * Tile.ROWS, count(first, key, last));
        }
    }

    /** Keys of a block that count: the last panel may be longer than the keys. */
    private int count(int first, int key, int last) {
        return Math.min(seen(first), last * Tile.ROWS) - key * Tile.ROWS;
    }

    /** Each half of the panel is a vector of queries. */
    private void largest(int unit, int first, int key, int last, long scores) {
        for (long half = 0; half < ROW; half += VECTOR) {
            largest(scores + half, count(first, key, last), state(scores) + half);
        }
    }

    private void powers(int unit, int first, int key, int last, long scores) {
        for (long half = 0; half < ROW; half += VECTOR) {
            powers(scores + half, count(first, key, last), state(scores) + half);
        }
    }

    private void values(int unit, int first, int key, int last, long scores) {
        int count = count(first, key, last);
        long a = keysAt(unit) + keyBytes + key * Tile.ROWS * PANEL;
        long factors = state(scores) + 2 * ROW;
        for (int p = 0; p < sizePanels; p++) {
            long to = result(scores) + p * TILE;
            long c = key == 0 ? to : tile(scores);
            if (size - p * Tile.ROWS > Tile.FEW_ROWS) {
                Tile.multiply(c, ROW, Tile.NO_BIAS, a + p * PANEL * keys, PANEL, scores, offsets, count);
            } else {
                Tile.multiplyFew(c, ROW, Tile.NO_BIAS, a + p * PANEL * keys, PANEL, scores, offsets, count);
            }
            if (key > 0) {
                scaleAndAdd(to, factors, tile(scores));
            }
        }
    }

    private static void scaleAndAdd(long result, long factors, long tile) {
        for (long half = 0; half < ROW; half += VECTOR) {
            FloatVector factor = load(factors + half);
            for (long at = half; at < TILE; at += ROW) {
                store(result + at, load(result + at).fma(factor, load(tile + at)));
            }
        }
    }

    private void finish(int unit, int first, long scores) {
        long from = result(scores);
        long sums = state(scores) + ROW;
        for (long half = 0; half < ROW; half += VECTOR) {
            FloatVector factor = FloatVector.broadcast(SPECIES, 1f).div(load(sums + half));
            for (long row = from + half; row < from + size * ROW; row += ROW) {
                store(row, load(row).mul(factor));
            }
        }
        long to = head(y, queries, unit) + (long) first * channels * Float.BYTES;
        Transposition.run(to, channels, from, QUERIES, size, Math.min(QUERIES, queries - first));
    }

    /** Puts keys behind a query out of its sight; query j sees keys up to {@code first} + j of the block. */
    private static void hide(long scores, int first, int keys) {
        for (int key = Math.max(0, first + 1); key < keys; key++) {
            for (int j = 0; j < key - first && j < QUERIES; j++) {
                Memory.set(scores + ((long) key * QUERIES + j) * Float.BYTES, Float.NEGATIVE_INFINITY);
            }
        }
    }

    /**
     * The largest score of each of a vector of queries, in four chains, by comparison and choice: {@code max} of vectors is many
     * instructions, for the sake of zeros' signs.
     */
    private static void largest(long scores, int keys, long state) {
        FloatVector before = load(state);
        FloatVector m0 = before;
        FloatVector m1 = before;
        FloatVector m2 = before;
        FloatVector m3 = before;
        long at = scores;
        for (; at < scores + (keys & ~3) * ROW; at += 4 * ROW) {
            long row = at(at);
            FloatVector a = load(row);
            FloatVector b = load(row + ROW);
            FloatVector c = load(row + 2 * ROW);
            FloatVector d = load(row + 3 * ROW);
            m0 = m0.blend(a, a.compare(VectorOperators.GT, m0));
            m1 = m1.blend(b, b.compare(VectorOperators.GT, m1));
            m2 = m2.blend(c, c.compare(VectorOperators.GT, m2));
            m3 = m3.blend(d, d.compare(VectorOperators.GT, m3));
        }
        for (; at < scores + keys * ROW; at += ROW) {
            FloatVector a = load(at);
            m0 = m0.blend(a, a.compare(VectorOperators.GT, m0));
        }
        m0 = m0.blend(m1, m1.compare(VectorOperators.GT, m0));
        m2 = m2.blend(m3, m3.compare(VectorOperators.GT, m2));
        m0 = m0.blend(m2, m2.compare(VectorOperators.GT, m0));
        store(state, m0);
        store(state + 2 * ROW, Memory.exp2(before.sub(m0)));
    }

    /** 2^(s - largest) for each score of a vector of queries, in place, and their sum. */
    private static void powers(long scores, int keys, long state) {
        FloatVector largest = load(state);
        FloatVector sum = load(state + ROW).mul(load(state + 2 * ROW));
        for (long at = scores; at < scores + keys * ROW; at += ROW) {
            FloatVector e = Memory.exp2(load(at).sub(largest));
            store(at, e);
            sum = sum.add(e);
        }
        store(state + ROW, sum);
    }
}
