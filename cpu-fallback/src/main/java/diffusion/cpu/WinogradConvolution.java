package diffusion.cpu;

import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;

/** 3x3 convolutions of stride 1 by minimal filtering: the choice of tiles, and in which order they are gone through. */
final class WinogradConvolution {
    /** Tiles of a group and bytes of its products: about a third-level cache. */
    private static final int GROUP_TILES = 256;

    private static final long GROUP_BYTES = 12L << 20;

    /** What a group costs beside its columns of tiles, in columns. */
    private static final double GROUP_PRICE = 0.3;

    private WinogradConvolution() {}

    /** Whether a convolution is one for minimal filtering; independent of the batch, so that results are too. */
    static boolean suits(Tensor x, Tensor y, Tensor w, Window window, int depth) {
        boolean same = window.stride() == 1
                && window.top() == 1
                && window.left() == 1
                && x.dim(2) == y.dim(2)
                && x.dim(3) == y.dim(3);
        return same && w.dim(2) == 3 && w.dim(3) == 3 && depth >= 8 && Math.min(x.dim(2), x.dim(3)) >= 3;
    }

    /** Convolves x[N, C, H, W] to y[N, K, H, W] with weights as {@link Winograd#pack} leaves them. */
    static void emit(CpuEmitter out, Tensor x, Tensor y, Packed weights, long bias) {
        int size = Math.min(x.dim(2), x.dim(3));
        Winograd kind = size >= 16 ? Winograd.F4 : Winograd.F2;
        int total = x.dim(0) * Gemm.panels(x.dim(2), kind.outputs);
        int across = Gemm.panels(x.dim(3), kind.outputs);
        int rows = rows(total, across, WinogradBlocks.mostTiles(kind, x.dim(1)), 0);
        WinogradTiles tiles = new WinogradTiles(out, kind, x, y, bias, rows);
        if (WinogradBlocks.suit(tiles, Gemm.panels(total, rows), rows, out.scratch())) {
            new WinogradBlocks(out.scratch(), tiles, weights, rows, total).emit(out);
            return;
        }
        long tileBytes = (long) kind.products() * (x.dim(1) + y.dim(1)) * Float.BYTES;
        rows = rows(total, across, Math.clamp(GROUP_BYTES / tileBytes, Tile.COLUMNS, GROUP_TILES), GROUP_PRICE);
        tiles = new WinogradTiles(out, kind, x, y, bias, rows);
        new WinogradGroups(out.scratch(), tiles, weights, rows).emit(out, total);
    }

    /**
     * Rows of tiles that are gone through at a time: such that few columns of products stay empty.
     *
     * @param price of each time, in columns
     */
    private static int rows(int total, int across, int mostTiles, double price) {
        int best = 1;
        double least = Double.MAX_VALUE;
        for (int rows = 1; rows <= Math.clamp(mostTiles / across, 1, total); rows++) {
            int columns = total / rows * Gemm.panels(rows * across, Tile.COLUMNS)
                    + Gemm.panels(total % rows * across, Tile.COLUMNS);
            double cost = columns + price * Gemm.panels(total, rows);
            if (cost < least) {
                least = cost;
                best = rows;
            }
        }
        return best;
    }
}
