package diffusion.metrics;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import java.util.List;

/** {@link ImageSimilarity#ssim} as part of a graph, so that it has a gradient. */
public final class SsimGraph {
    private SsimGraph() {}

    /**
     * Structural similarity, the mean over pictures, channels and positions (Wang et al. 2004).
     *
     * @param x [N, C, H, W] in [-1, 1], sides at least {@link ImageSimilarity#SSIM_SIDE}
     * @param y in the same shape
     * @return [1]
     */
    public static Tensor ssim(Graph g, Tensor x, Tensor y) {
        return mean(g, map(g, x, y));
    }

    /** Structural similarity of every position at which the window fits, [N, C h w]; arguments as for {@link #ssim}. */
    public static Tensor map(Graph g, Tensor x, Tensor y) {
        Tensor a = planes(g, x); // [N C, 1, H, W] in [0, 1]
        Tensor b = planes(g, y);
        double[] window = ImageSimilarity.window();
        int side = window.length;
        float[] weights = new float[side * side];
        for (int i = 0; i < weights.length; i++) {
            weights[i] = (float) (window[i / side] * window[i % side]);
        }
        Tensor kernel = g.constant("ssim_window", weights, 1, 1, side, side);
        Tensor meanA = blurred(g, a, kernel); // [N C, h w]
        Tensor meanB = blurred(g, b, kernel);
        Tensor means = product(g, meanA, meanB);
        Tensor squaredMeans = g.add(product(g, meanA, meanA), product(g, meanB, meanB));
        Tensor covariance = g.add(blurred(g, product(g, a, b), kernel), means, 1, -1);
        Tensor squares = g.add(product(g, a, a), product(g, b, b));
        Tensor variances = g.add(blurred(g, squares, kernel), squaredMeans, 1, -1);
        Tensor c1 = g.fill((float) ImageSimilarity.C1, means.shape());
        Tensor c2 = g.fill((float) ImageSimilarity.C2, means.shape());
        Tensor above = product(g, g.add(means, c1, 2, 1), g.add(covariance, c2, 2, 1));
        Tensor below = product(g, g.add(squaredMeans, c1), g.add(variances, c2));
        Tensor ratio = g.gate(g.concat(List.of(above, below), 1), Function.RECIPROCAL); // [N C, h w]
        return g.reshape(ratio, x.dim(0), ratio.size() / x.dim(0));
    }

    /** [N, C, H, W] in [-1, 1] to [N C, 1, H, W] in [0, 1]. */
    private static Tensor planes(Graph g, Tensor x) {
        Tensor unit = g.add(x, g.fill(1, x.shape()), 0.5f, 0.5f);
        return g.reshape(unit, x.dim(0) * x.dim(1), 1, x.dim(2), x.dim(3));
    }

    private static Tensor blurred(Graph g, Tensor x, Tensor kernel) {
        Tensor y = g.conv2d(x, kernel, null, Window.of(1, 0));
        return g.reshape(y, y.dim(0), y.sizeFrom(1));
    }

    /** a * b elementwise: {@code a (1 + b) - a}, for which there is an op. */
    static Tensor product(Graph g, Tensor a, Tensor b) {
        Tensor rows = g.reshape(a, a.dim(0), a.sizeFrom(1));
        Tensor by = g.reshape(b, b.dim(0), b.sizeFrom(1));
        return g.reshape(g.modulate(rows, g.concat(List.of(by, g.scale(rows, -1)), 1)), a.shape());
    }

    private static Tensor mean(Graph g, Tensor x) {
        return g.reshape(g.avgPool(g.reshape(x, 1, 1, x.size(), 1), x.size(), 1), 1);
    }
}
