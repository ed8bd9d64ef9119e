package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.MatrixOp.AttentionGrad;
import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorOperators;

/** The gradient of attention in blocks of queries, so that the scores of a block stay in the cache; parallel over samples and heads. */
final class AttentionGradient {
    /** Queries of a block: eight panels. */
    private static final int BLOCK = 8 * Tile.ROWS;

    private final Scratch scratch;
    private final long[] qkv;
    private final int batch;
    private final int heads;
    private final int queries;
    private final int keys;
    private final int channels;
    private final int size;
    private final int pitch;
    private final float scale;
    private final boolean causal;
    private final long[] offsets;
    private final long packFloats;
    private final long scoreFloats;

    private AttentionGradient(
            CpuEmitter out,
            Tensor q,
            Tensor k,
            Tensor v,
            int heads,
            float scale,
            boolean causal,
            int packs,
            int scores) {
        this.scratch = out.scratch();
        qkv = new long[] {out.address(q), out.address(k), out.address(v)};
        batch = q.dim(0);
        this.heads = heads;
        queries = q.dim(1);
        keys = k.dim(1);
        channels = q.dim(2);
        size = channels / heads;
        pitch = Gemm.panels(keys, Tile.COLUMNS) * Tile.COLUMNS;
        this.scale = scale;
        this.causal = causal;
        int longest = Math.max(Math.max(keys, BLOCK), size);
        offsets = Gemm.rowOffsets(longest, Tile.COLUMNS);
        long wide = Math.max(Gemm.packedColumns(keys, size), Gemm.packedColumns(size, Math.max(keys, BLOCK)));
        long tall = Math.max(Gemm.packedRows(BLOCK, Math.max(keys, size)), Gemm.packedRows(keys, BLOCK));
        packFloats = Math.max(wide, tall);
        scoreFloats = (long) BLOCK * pitch;
        scratch.reserveWorker((long) Tile.ROWS * Tile.COLUMNS + packs * packFloats + scores * scoreFloats);
    }

    static void emit(CpuEmitter out, AttentionGrad op) {
        AttentionGradient kernel =
                new AttentionGradient(out, op.q(), op.k(), op.v(), op.heads(), op.scale(), op.causal(), 5, 2);
        long dy = out.address(op.dy());
        long dq = out.address(op.dq());
        long dk = out.address(op.dk());
        long dv = out.address(op.dv());
        out.step((worker, workers) -> {
            int units = kernel.batch * kernel.heads;
            int last = Crew.from(units, worker + 1, workers);
            for (int unit = Crew.from(units, worker, workers); unit < last; unit++) {
                kernel.backward(dy, dq, dk, dv, unit);
            }
        });
    }

    /** Address of a head's first row of a tensor [B, rows, C]. */
    private long head(long tensor, int rows, int unit) {
        return tensor + ((long) unit / heads * rows * channels + (long) unit % heads * size) * Float.BYTES;
    }

    private long row(long head, int row) {
        return head + (long) row * channels * Float.BYTES;
    }

    private long pack(int slot) {
        return scratch.worker() + ((long) Tile.ROWS * Tile.COLUMNS + slot * packFloats) * Float.BYTES;
    }

    private void columns(long to, long from, int size, int depth, long strideI, long strideK) {
        Gemm.pack(to, from, size, depth, strideI, strideK, Tile.COLUMNS, 0, Gemm.panels(size, Tile.COLUMNS));
    }

    private void rows(long to, long from, int size, int depth, long strideI, long strideK) {
        Gemm.pack(to, from, size, depth, strideI, strideK, Tile.ROWS, 0, Gemm.panels(size, Tile.ROWS));
    }

    private void multiply(long c, long strideC, long a, long b, float factor, boolean add, int m, int n, int depth) {
        Gemm.multiply(
                c, strideC, a, b, offsets, factor, add, scratch.worker(), m, n, depth, 0, Gemm.panels(m, Tile.ROWS));
    }

    private void backward(long dy, long dq, long dk, long dv, int unit) {
        long q = head(qkv[0], queries, unit);
        long k = head(qkv[1], keys, unit);
        long v = head(qkv[2], keys, unit);
        long keyColumns = pack(0);
        long valueColumns = pack(1);
        long keyRows = pack(2);
        long left = pack(3);
        long right = pack(4);
        long scores = pack(5);
        long dScores = scores + scoreFloats * Float.BYTES;
        columns(keyColumns, k, keys, size, channels, 1);
        columns(valueColumns, v, keys, size, channels, 1);
        columns(keyRows, k, size, keys, 1, channels);
        for (int start = 0; start < queries; start += BLOCK) {
            int count = Math.min(BLOCK, queries - start);
            boolean add = start > 0;
            long qAt = row(q, start);
            long dyAt = row(head(dy, queries, unit), start);
            rows(left, qAt, count, size, channels, 1);
            multiply(scores, pitch, left, keyColumns, scale, false, count, keys, size);
            softmax(scores, start, count);
            rows(left, dyAt, count, size, channels, 1);
            multiply(dScores, pitch, left, valueColumns, 1, false, count, keys, size);
            // dv += P^T dy
            rows(left, scores, keys, count, 1, pitch);
            columns(right, dyAt, size, count, 1, channels);
            multiply(head(dv, keys, unit), channels, left, right, 1, add, keys, size, count);
            softmaxGradient(dScores, scores, count);
            // dq = scale dS k
            rows(left, dScores, count, keys, pitch, 1);
            multiply(row(head(dq, queries, unit), start), channels, left, keyRows, scale, false, count, size, keys);
            // dk += scale dS^T q
            rows(left, dScores, keys, count, 1, pitch);
            columns(right, qAt, size, count, 1, channels);
            multiply(head(dk, keys, unit), channels, left, right, scale, add, keys, size, count);
        }
    }

    /** Rows of scores become weights; those of keys that a causal query does not see become 0. */
    private void softmax(long scores, int start, int count) {
        for (int i = 0; i < count; i++) {
            int seen = causal ? Math.min(keys, start + i + 1) : keys;
            long at = scores + (long) i * pitch * Float.BYTES;
            FloatVector lowest = FloatVector.broadcast(SPECIES, Float.NEGATIVE_INFINITY);
            FloatVector largest = lowest;
            for (int j = 0; j < seen; j += LANES) {
                var mask = Reductions.mask(seen - j);
                largest = largest.max(lowest.blend(load(at + 4L * j), mask));
            }
            float max = largest.reduceLanes(VectorOperators.MAX);
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector sum = zero;
            for (int j = 0; j < seen; j += LANES) {
                var mask = Reductions.mask(seen - j);
                FloatVector e = zero.blend(Memory.exp(load(at + 4L * j).sub(max)), mask);
                sum = sum.add(e);
                store(at + 4L * j, e);
            }
            float factor = 1 / Memory.sum(sum);
            for (int j = 0; j < seen; j += LANES) {
                store(at + 4L * j, load(at + 4L * j).mul(factor));
            }
            for (int j = Gemm.panels(seen, LANES) * LANES; j < keys; j += LANES) {
                store(at + 4L * j, zero);
            }
        }
    }

    /** dS = P * (dP - sum(dP * P)), in place of dP. */
    private void softmaxGradient(long dScores, long scores, int count) {
        for (int i = 0; i < count; i++) {
            long p = scores + (long) i * pitch * Float.BYTES;
            long d = dScores + (long) i * pitch * Float.BYTES;
            FloatVector zero = FloatVector.zero(SPECIES);
            FloatVector sum = zero;
            for (int j = 0; j < keys; j += LANES) {
                var mask = Reductions.mask(keys - j);
                sum = sum.add(zero.blend(load(d + 4L * j).mul(load(p + 4L * j)), mask));
            }
            float total = Memory.sum(sum);
            for (int j = 0; j < keys; j += LANES) {
                store(d + 4L * j, load(d + 4L * j).sub(total).mul(load(p + 4L * j)));
            }
        }
    }
}
