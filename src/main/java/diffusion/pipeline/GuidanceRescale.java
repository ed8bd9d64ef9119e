package diffusion.pipeline;

import diffusion.graph.Graph;
import diffusion.graph.PointOp;
import diffusion.graph.Tensor;
import java.util.List;

/**
 * Guidance that keeps the spread of what the network makes of the text alone (Lin et al. 2023, section 3.4); diffusers'
 * rescale_noise_cfg, of ops that every backend has.
 */
final class GuidanceRescale {
    private static final float EPSILON = 1e-12f;

    private GuidanceRescale() {}

    /**
     * {@code guided} times 1 + share (deviation of {@code text} / its own deviation - 1), picture by picture.
     *
     * @param guided [N, ...]
     * @param text [N, ...], the network's output with the text
     */
    static Tensor apply(Graph g, Tensor guided, Tensor text, double share) {
        int n = guided.dim(0);
        Tensor inverse = g.activation(deviation(g, guided), PointOp.Function.RECIPROCAL);
        Tensor ratio = product(g, deviation(g, text), inverse);
        Tensor factor = g.add(ratio, g.fill(1, n, 1), (float) share, (float) (1 - share));
        return product(g, guided, factor);
    }

    /** Standard deviations [N, 1]: where z is x, normalised, the mean of x z. */
    private static Tensor deviation(Graph g, Tensor x) {
        int n = x.dim(0);
        int size = x.sizeFrom(1);
        Tensor normalised = g.groupNorm(g.reshape(x, n, 1, size), g.fill(1, 1), g.fill(0, 1), 1, EPSILON, false);
        Tensor products = product(g, g.reshape(x, n * size, 1), g.reshape(normalised, n * size, 1));
        Tensor sum = g.activation("sum", n, 1);
        g.append(new PointOp.SumChannel(g.reshape(products, n, 1, size), sum));
        return g.scale(sum, 1f / size);
    }

    /** x[N, ...] times one number a row, c[N, 1]. */
    private static Tensor product(Graph g, Tensor x, Tensor c) {
        return g.linearCombination(List.of(x), c);
    }
}
