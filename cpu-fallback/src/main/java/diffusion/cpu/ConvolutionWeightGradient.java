package diffusion.cpu;

import diffusion.graph.MatrixOp.Conv2dGradWeight;

/**
 * The gradient of a convolution by its weight: a product of x and dy summed over positions.
 *
 * <p>Positions are those of {@link FlatImages}, all rows of all pictures one after the other. A worker lays a block of rows out
 * position-major, which stays in its cache, and adds what every window element makes of it to sums of its own. Positions
 * are cut into a few segments, each with sums that are added up in the end, so that the order of a sum never depends on the
 * number of workers.
 */
final class ConvolutionWeightGradient {
    /** Positions of a block, about: both operands of a block fit into the second-level cache. */
    private static final int BLOCK = 512;

    private static final int MOST_SEGMENTS = 8;

    /** Bytes that the sums of all segments may take. */
    private static final long SUM_BYTES = 16L << 20;

    private static final long TILE = Tile.ROWS * Tile.STRIDE;

    private final Scratch scratch;
    private final FlatImages flat;
    private final long x;
    private final long dy;
    private final long dw;
    private final long dBias;
    private final int batch;
    private final int inChannels;
    private final int outChannels;
    private final int outHeight;
    private final int outWidth;
    private final int stride;
    private final int top;
    private final int left;
    private final int taps;
    private final int panels;
    private final int columns;
    private final int xPitch;
    private final int dyPitch;
    private final int blockRows;
    private final int blocks;
    private final int segments;
    private final long[] offsets;

    private ConvolutionWeightGradient(CpuEmitter out, Conv2dGradWeight op) {
        scratch = out.scratch();
        x = out.address(op.x());
        dy = out.address(op.dy());
        dw = out.address(op.dw());
        dBias = op.dBias() == null ? 0 : out.address(op.dBias());
        int kernelHeight = op.dw().dim(2);
        int kernelWidth = op.dw().dim(3);
        flat = new FlatImages(op.x().dim(2), op.x().dim(3), 1, op.window(), kernelHeight, kernelWidth);
        batch = op.x().dim(0);
        inChannels = op.x().dim(1);
        outChannels = op.dy().dim(1);
        outHeight = op.dy().dim(2);
        outWidth = op.dy().dim(3);
        stride = op.window().stride();
        top = op.window().top();
        left = op.window().left();
        taps = kernelHeight * kernelWidth;
        panels = Gemm.panels(inChannels, Tile.ROWS);
        columns = Gemm.panels(outChannels, Tile.COLUMNS);
        xPitch = panels * Tile.ROWS;
        dyPitch = columns * Tile.COLUMNS;
        int rows = batch * flat.rows;
        int least = Gemm.panels(rows, Math.max(1, BLOCK / flat.pitch));
        blockRows = Gemm.panels(rows, least);
        blocks = Gemm.panels(rows, blockRows);
        segments = Math.clamp(SUM_BYTES / sumBytes(), 1, Math.min(blocks, MOST_SEGMENTS));
        offsets = Gemm.rowOffsets(blockRows * flat.pitch, dyPitch);
        long run = (blockRows + kernelHeight - 1L) * Math.max(flat.width, outWidth) * Math.max(xPitch, dyPitch);
        scratch.reserveWorker((TILE + xBytes()) / Float.BYTES + (long) offsets.length * dyPitch + run);
        scratch.reserveShared(segments * sumBytes() / Float.BYTES);
    }

    static void emit(CpuEmitter out, Conv2dGradWeight op) {
        ConvolutionWeightGradient gradient = new ConvolutionWeightGradient(out, op);
        out.step(gradient::sum);
        out.step(gradient::addUp);
    }

    /** Sums of all window elements: [tap][panel of inputs][panel of outputs][12][COLUMNS]. */
    private long sumBytes() {
        return (long) taps * panels * columns * TILE;
    }

    /** A block of rows and what windows reach beyond it. */
    private long xBytes() {
        return ((blockRows + flat.kernelHeight - 1L) * flat.pitch + flat.kernelWidth) * xPitch * Float.BYTES;
    }

    /** Parallel over segments and, if there are few, over window elements. */
    private void sum(int part, int parts) {
        int cuts = Gemm.panels(parts, segments);
        int units = taps * panels;
        long tile = scratch.worker();
        long run = tile + TILE + xBytes() + (long) offsets.length * dyPitch * Float.BYTES;
        int last = Crew.from(segments * cuts, part + 1, parts);
        for (int item = Crew.from(segments * cuts, part, parts); item < last; item++) {
            int segment = item / cuts;
            int firstUnit = Crew.from(units, item % cuts, cuts);
            int lastUnit = Crew.from(units, item % cuts + 1, cuts);
            long sums = scratch.shared() + segment * sumBytes();
            int firstBlock = Crew.from(blocks, segment, segments);
            int lastBlock = firstUnit == lastUnit ? firstBlock : Crew.from(blocks, segment + 1, segments);
            for (int block = firstBlock; block < lastBlock; block++) {
                int row = block * blockRows;
                int rows = Math.min(blockRows, batch * flat.rows - row);
                layOutX(tile + TILE, row, rows + flat.kernelHeight - 1, run);
                layOutDy(tile + TILE + xBytes(), row, rows, run);
                multiply(sums, tile, rows * flat.pitch, firstUnit, lastUnit, block > firstBlock);
            }
        }
    }

    /** Rows of padded pictures, as many as windows of the block reach. */
    private void layOutX(long to, int first, int rows, long run) {
        long position = (long) xPitch * Float.BYTES;
        long pitch = flat.pitch * position;
        for (int i = 0; i < rows; ) {
            int row = first + i - top;
            int n = Math.floorDiv(row, flat.rows);
            int r = Math.floorMod(row, flat.rows);
            if (row < 0 || n >= batch || r >= flat.height) {
                Memory.zero(to + i++ * pitch, (long) flat.pitch * xPitch);
                continue;
            }
            int count = Math.min(rows - i, flat.height - r);
            turn(run, xPitch, x, n, inChannels, flat.height, flat.width, r, count);
            for (long from = run; count > 0; count--, i++, from += flat.width * position) {
                long at = to + i * pitch;
                int end = left + flat.width;
                Memory.zero(at, (long) left * xPitch);
                Memory.copy(from, at + left * position, (long) flat.width * xPitch);
                Memory.zero(at + end * position, (long) (flat.pitch - end) * xPitch);
            }
        }
        Memory.zero(to + rows * pitch, (long) flat.kernelWidth * xPitch);
    }

    /** Rows of dy, zeros between its pixels if there are strides. */
    private void layOutDy(long to, int first, int rows, long run) {
        long position = (long) dyPitch * Float.BYTES;
        long pitch = flat.pitch * position;
        for (int i = 0; i < rows; ) {
            int n = (first + i) / flat.rows;
            int r = (first + i) % flat.rows;
            int count = Gemm.panels(Math.min(rows - i, flat.rows - r), stride);
            count = Math.min(count, outHeight - r / stride);
            if (r % stride != 0 || count <= 0) {
                Memory.zero(to + i++ * pitch, (long) flat.pitch * dyPitch);
                continue;
            }
            turn(run, dyPitch, dy, n, outChannels, outHeight, outWidth, r / stride, count);
            for (long from = run; count > 0; count--, from += outWidth * position) {
                spread(from, to + i++ * pitch);
                int end = Math.min(i + stride - 1, Math.min(rows, (n + 1) * flat.rows - first)); // of this picture
                while (i < end) {
                    Memory.zero(to + i++ * pitch, (long) flat.pitch * dyPitch);
                }
            }
        }
    }

    private void spread(long from, long to) {
        long position = (long) dyPitch * Float.BYTES;
        if (stride == 1) {
            Memory.copy(from, to, (long) outWidth * dyPitch);
            Memory.zero(to + outWidth * position, (long) (flat.pitch - outWidth) * dyPitch);
            return;
        }
        Memory.zero(to, (long) flat.pitch * dyPitch);
        for (int j = 0; j < outWidth; j++) {
            Memory.copy(from + j * position, to + j * stride * position, dyPitch);
        }
    }

    /** Rows of a picture, position-major. */
    private static void turn(
            long to, int pitch, long pictures, int n, int channels, int height, int width, int first, int rows) {
        long from = pictures + ((long) n * channels * height + first) * width * Float.BYTES;
        Transposition.run(to, pitch, from, (long) height * width, channels, rows * width);
    }

    private void multiply(long sums, long tile, int depth, int firstUnit, int lastUnit, boolean add) {
        long xAt = tile + TILE;
        long dyAt = xAt + xBytes();
        for (int unit = firstUnit; unit < lastUnit; unit++) {
            int tap = unit / panels;
            long shift = (long) tap / flat.kernelWidth * flat.pitch + tap % flat.kernelWidth;
            long a = xAt + (shift * xPitch + (long) unit % panels * Tile.ROWS) * Float.BYTES;
            for (int q = 0; q < columns; q++) {
                long sum = sums + ((long) unit * columns + q) * TILE;
                Tile.multiply(
                        add ? tile : sum,
                        Tile.STRIDE,
                        Tile.NO_BIAS,
                        a,
                        (long) xPitch * Float.BYTES,
                        dyAt + q * Tile.STRIDE,
                        offsets,
                        depth);
                if (add) {
                    Gemm.addTile(sum, tile, true);
                }
            }
        }
    }

    /** Parallel over window elements and panels of inputs. */
    private void addUp(int part, int parts) {
        int units = taps * panels;
        int last = Crew.from(units, part + 1, parts);
        for (int unit = Crew.from(units, part, parts); unit < last; unit++) {
            long sum = scratch.shared() + unit * columns * TILE;
            for (int segment = 1; segment < segments; segment++) {
                for (long at = 0; at < columns * TILE; at += TILE) {
                    Gemm.addTile(sum + at, sum + at + segment * sumBytes(), true);
                }
            }
            add(sum, unit / panels, unit % panels * Tile.ROWS);
        }
        if (dBias != 0) {
            sumBias(Crew.from(outChannels, part, parts), Crew.from(outChannels, part + 1, parts));
        }
    }

    /** Adds tiles of [input channel][output channel] to dw[output channel][input channel][tap]. */
    private void add(long tiles, int tap, int channel) {
        int rows = Math.min(Tile.ROWS, inChannels - channel);
        for (int k = 0; k < outChannels; k++) {
            long tile = tiles + k / Tile.COLUMNS * TILE + (long) k % Tile.COLUMNS * Float.BYTES;
            for (int i = 0; i < rows; i++) {
                long to = dw + (((long) k * inChannels + channel + i) * taps + tap) * Float.BYTES;
                Memory.set(to, Memory.get(to) + Memory.get(tile + i * Tile.STRIDE));
            }
        }
    }

    private void sumBias(int first, int last) {
        int pixels = outHeight * outWidth;
        for (int k = first; k < last; k++) {
            float total = 0;
            for (int n = 0; n < batch; n++) {
                total += Reductions.sum(dy + ((long) n * outChannels + k) * pixels * Float.BYTES, pixels);
            }
            Memory.set(dBias + (long) k * Float.BYTES, Memory.get(dBias + (long) k * Float.BYTES) + total);
        }
    }
}
