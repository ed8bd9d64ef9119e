package diffusion.cpu;

import diffusion.graph.MatrixOp.Conv2dGradWeight;

/**
 * The gradient of a convolution by its weight: a product of x and dy summed over positions.
 *
 * <p>Both are laid out position-major first (parallel over pictures); then each worker sums its own (window element, 12
 * input channels) over all positions in blocks, so that the order of a sum never depends on the number of workers.
 */
final class ConvolutionWeightGradient {
    /** Positions of one block: both operands of a block fit into the second-level cache. */
    private static final int BLOCK = 512;

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
    private final int taps;
    private final int xPitch;
    private final int dyPitch;
    private final int positions;
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
        taps = kernelHeight * kernelWidth;
        xPitch = Gemm.panels(inChannels, Tile.ROWS) * Tile.ROWS;
        dyPitch = Gemm.panels(outChannels, Tile.COLUMNS) * Tile.COLUMNS;
        positions = batch * flat.imagePositions();
        offsets = Gemm.rowOffsets(BLOCK, dyPitch);
        scratch.reserveWorker((long) Tile.ROWS * Tile.COLUMNS);
        scratch.reserveShared(xFloats() + (long) positions * dyPitch + sumFloats());
    }

    static void emit(CpuEmitter out, Conv2dGradWeight op) {
        ConvolutionWeightGradient gradient = new ConvolutionWeightGradient(out, op);
        out.step(gradient::layOut);
        out.step(gradient::sum);
    }

    private long xFloats() {
        return (long) flat.positions(batch) * xPitch;
    }

    private long sumFloats() {
        return (long) taps * xPitch * dyPitch;
    }

    private long dyAt() {
        return scratch.shared() + xFloats() * Float.BYTES;
    }

    private void layOut(int worker, int workers) {
        long xTo = scratch.shared();
        int image = flat.imagePositions();
        int first = Crew.from(batch, worker, workers);
        int last = Crew.from(batch, worker + 1, workers);
        // Windows of the last picture reach beyond it, so the last worker clears the rest; the lead belongs to the
        // first.
        long from = (long) first * image + (first == 0 ? 0 : flat.lead);
        long to = last == batch ? flat.positions(batch) : (long) last * image + flat.lead;
        if (first < last) {
            Memory.zero(xTo + from * xPitch * Float.BYTES, (to - from) * xPitch);
            Memory.zero(dyAt() + (long) first * image * dyPitch * Float.BYTES, (long) (last - first) * image * dyPitch);
        }
        for (int n = first; n < last; n++) {
            FlatImages.transpose(
                    xTo + ((long) n * image + flat.lead) * xPitch * Float.BYTES,
                    x + (long) n * inChannels * flat.height * flat.width * Float.BYTES,
                    inChannels,
                    flat.height,
                    flat.width,
                    flat.pitch,
                    1,
                    xPitch);
            FlatImages.transpose(
                    dyAt() + (long) n * image * dyPitch * Float.BYTES,
                    dy + (long) n * outChannels * outHeight * outWidth * Float.BYTES,
                    outChannels,
                    outHeight,
                    outWidth,
                    flat.pitch * stride,
                    stride,
                    dyPitch);
        }
    }

    private void sum(int worker, int workers) {
        int panels = xPitch / Tile.ROWS;
        int columns = dyPitch / Tile.COLUMNS;
        int units = taps * panels;
        long tileBytes = (long) Tile.ROWS * Tile.COLUMNS * Float.BYTES;
        long sums = dyAt() + (long) positions * dyPitch * Float.BYTES;
        long tile = scratch.worker(worker);
        int first = Crew.from(units, worker, workers);
        int last = Crew.from(units, worker + 1, workers);
        for (int start = 0; start < positions; start += BLOCK) {
            int depth = Math.min(BLOCK, positions - start);
            for (int unit = first; unit < last; unit++) {
                int tap = unit / panels;
                int shift = tap / flat.kernelWidth * flat.pitch + tap % flat.kernelWidth;
                long a = scratch.shared()
                        + ((long) (start + shift) * xPitch + (long) unit % panels * Tile.ROWS) * Float.BYTES;
                long b = dyAt() + (long) start * dyPitch * Float.BYTES;
                for (int q = 0; q < columns; q++) {
                    Tile.multiply(
                            tile,
                            Tile.STRIDE,
                            Tile.NO_BIAS,
                            a,
                            (long) xPitch * Float.BYTES,
                            b + (long) q * Tile.COLUMNS * Float.BYTES,
                            offsets,
                            depth);
                    Gemm.addTile(sums + ((long) unit * columns + q) * tileBytes, tile, start > 0);
                }
            }
        }
        for (int unit = first; unit < last; unit++) {
            add(sums + (long) unit * columns * tileBytes, unit / panels, unit % panels * Tile.ROWS);
        }
        if (dBias != 0) {
            sumBias(Crew.from(outChannels, worker, workers), Crew.from(outChannels, worker + 1, workers));
        }
    }

    /** Adds tiles of [input channel][output channel] to dw[output channel][input channel][tap]. */
    private void add(long tiles, int tap, int channel) {
        int rows = Math.min(Tile.ROWS, inChannels - channel);
        for (int k = 0; k < outChannels; k++) {
            long tile = tiles + ((long) k / Tile.COLUMNS * Tile.ROWS * Tile.COLUMNS + k % Tile.COLUMNS) * Float.BYTES;
            for (int i = 0; i < rows; i++) {
                long to = dw + (((long) k * inChannels + channel + i) * taps + tap) * Float.BYTES;
                Memory.set(to, Memory.get(to) + Memory.get(tile + (long) i * Tile.COLUMNS * Float.BYTES));
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
