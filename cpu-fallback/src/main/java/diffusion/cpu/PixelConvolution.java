package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.at;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.graph.Tensor;
import jdk.incubator.vector.FloatVector;

/**
 * 1x1 convolutions of stride 1: y[n][k][p] = bias[k] + sum over c of w[k][c] * x[n][c][p].
 *
 * <p>Parallel over pictures and blocks of pixels. The channels of a block are brought together first: a power of two apart,
 * as they often are, they would push each other out of the caches.
 */
final class PixelConvolution implements Crew.Step {
    /** Tiles of pixels in a block, at most: their channels are to stay in the second-level cache. */
    private static final int MOST_PANELS = 4;

    private static final long BLOCK_BYTES = 384 << 10;

    private static final long TILE = Tile.ROWS * Tile.STRIDE;

    private final Scratch scratch;
    private final long x;
    private final long y;
    private final long bias;
    private final Packed weights;
    private final int batch;
    private final int inChannels;
    private final int outChannels;
    private final int pixels;
    private final int block;
    private final long collectedBytes;
    private final long[] offsets;

    /** With weights packed as panels of rows, see {@link Gemm}; {@code bias} is 0 if there is none. */
    PixelConvolution(CpuEmitter out, Tensor x, Tensor y, Packed weights, long bias) {
        scratch = out.scratch();
        this.x = out.address(x);
        this.y = out.address(y);
        this.bias = bias;
        this.weights = weights;
        batch = x.dim(0);
        inChannels = x.dim(1);
        outChannels = y.dim(1);
        pixels = x.sizeFrom(2);
        block = Math.clamp(BLOCK_BYTES / (inChannels * Tile.STRIDE), 1, MOST_PANELS);
        offsets = Gemm.rowOffsets(inChannels, Tile.COLUMNS);
        collectedBytes = block * inChannels * Tile.STRIDE;
        long wideFloats = weights.wideFloats((long) inChannels * Tile.ROWS);
        scratch.reserveWorker((TILE + collectedBytes) / Float.BYTES + wideFloats);
    }

    @Override
    public void run(int part, int parts) {
        int panels = Gemm.panels(pixels, Tile.COLUMNS);
        int last = Crew.from(batch * panels, part + 1, parts);
        int unit = Crew.from(batch * panels, part, parts);
        while (unit < last) {
            int panel = unit % panels;
            int count = Math.min(Math.min(block, last - unit), panels - panel);
            block(unit / panels, panel, count, scratch.worker());
            unit += count;
        }
    }

    private void block(int n, int panel, int count, long tile) {
        long collected = tile + TILE;
        collect(collected, x + ((long) n * inChannels * pixels + (long) panel * Tile.COLUMNS) * Float.BYTES, count);
        for (int k = 0; k < outChannels; k += Tile.ROWS) {
            long a = weights.panel(k / Tile.ROWS, 0, (long) inChannels * Tile.ROWS, collected + collectedBytes);
            int rows = Math.min(Tile.ROWS, outChannels - k);
            long biasAt = bias == 0 ? 0 : bias + (long) k * Float.BYTES;
            for (int p = 0; p < count; p++) {
                int first = (panel + p) * Tile.COLUMNS;
                long b = collected + p * inChannels * Tile.STRIDE;
                Tile.multiply(
                        tile, Tile.STRIDE, Tile.NO_BIAS, a, (long) Tile.ROWS * Float.BYTES, b, offsets, inChannels);
                long to = y + (((long) n * outChannels + k) * pixels + first) * Float.BYTES;
                storeTile(tile, to, rows, Math.min(Tile.COLUMNS, pixels - first), biasAt);
            }
        }
    }

    private void collect(long to, long from, int count) {
        for (int c = 0; c < inChannels; c++, from += (long) pixels * Float.BYTES, to += Tile.STRIDE) {
            for (int p = 0; p < count; p++) {
                long pixel = at(from + p * Tile.STRIDE);
                long into = at(to + p * inChannels * Tile.STRIDE);
                store(into, load(pixel));
                store(into + VECTOR, load(pixel + VECTOR));
            }
        }
    }

    private void storeTile(long tile, long to, int rows, int columns, long biasAt) {
        long pitch = (long) pixels * Float.BYTES;
        for (int i = 0; i < rows; i++, tile += Tile.STRIDE, to += pitch) {
            float added = biasAt == 0 ? 0 : Memory.get(biasAt + (long) i * Float.BYTES);
            if (columns == Tile.COLUMNS) {
                long from = at(tile);
                long row = at(to);
                store(row, load(from).add(added));
                store(row + VECTOR, load(from + VECTOR).add(added));
                continue;
            }
            for (int j = 0; j < columns; j += LANES) {
                FloatVector v = load(tile + (long) j * Float.BYTES).add(added);
                store(to + (long) j * Float.BYTES, v, Reductions.mask(columns - j));
            }
        }
    }
}
