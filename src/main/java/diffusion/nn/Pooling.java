package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import java.util.List;

/**
 * Poolings by windows of 3 x 3 that overlap, made of other ops: a window is three rows, then three columns.
 *
 * <p>The mean is two products with band matrices; the largest of two is a + relu(b - a), which is right to a rounding.
 */
public final class Pooling {
    private Pooling() {}

    /** torch.nn.functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False): [N, C, H, W] to the same. */
    public static Tensor average(Graph g, Tensor x) {
        int planes = x.dim(0) * x.dim(1);
        Tensor h = g.linear(g.reshape(x, planes, x.dim(2), x.dim(3)), means(g, x.dim(3)), null);
        h = g.linear(g.transpose(h), means(g, x.dim(2)), null); // [planes, W, H]
        return g.reshape(g.transpose(h), x.shape());
    }

    /** [n, n]: row i is the mean of what there is at i - 1, i and i + 1. */
    private static Tensor means(Graph g, int n) {
        float[] matrix = new float[n * n];
        for (int i = 0; i < n; i++) {
            int first = Math.max(0, i - 1);
            int last = Math.min(n - 1, i + 1);
            for (int k = first; k <= last; k++) {
                matrix[i * n + k] = 1f / (last - first + 1);
            }
        }
        return g.constant("means", matrix, n, n);
    }

    /** torch.nn.functional.max_pool2d(x, 3, stride=1, padding=1): [N, C, H, W] to the same. */
    public static Tensor largest(Graph g, Tensor x) {
        int planes = x.dim(0) * x.dim(1);
        Tensor rows = largestOfThree(g, g.reshape(x, planes, x.dim(2), x.dim(3)));
        return g.reshape(largestOfThree(g, g.reshape(rows, planes * x.dim(2), x.dim(3), 1)), x.shape());
    }

    /** torch.nn.functional.max_pool2d(x, 3, stride=2): [N, C, H, W] to [N, C, (H - 1) / 2, (W - 1) / 2]. */
    public static Tensor halved(Graph g, Tensor x) {
        int planes = x.dim(0) * x.dim(1);
        Tensor rows = largestOfEverySecond(g, g.reshape(x, planes, x.dim(2), x.dim(3)));
        int height = rows.dim(1);
        Tensor all = largestOfEverySecond(g, g.reshape(rows, planes * height, x.dim(3), 1));
        return g.reshape(all, x.dim(0), x.dim(1), height, all.dim(1));
    }

    /** x[P, L, Q] with each of the L beside its neighbours; a missing one is the first or last again, which changes nothing. */
    private static Tensor largestOfThree(Graph g, Tensor x) {
        int n = x.dim(1);
        Tensor wide = g.concat(List.of(g.slice(x, 1, 0, 1), x, g.slice(x, 1, n - 1, 1)), 1);
        return larger(g, larger(g, g.slice(wide, 1, 0, n), x), g.slice(wide, 1, 2, n));
    }

    /** x[P, L, Q] to [P, (L - 1) / 2, Q]: the largest at 2 i, 2 i + 1 and 2 i + 2. */
    private static Tensor largestOfEverySecond(Graph g, Tensor x) {
        int n = (x.dim(1) - 1) / 2;
        Tensor pairs = g.reshape(g.slice(x, 1, 0, 2 * n), x.dim(0), n, 2, x.dim(2));
        Tensor next = g.reshape(g.slice(x, 1, 1, 2 * n), x.dim(0), n, 2, x.dim(2));
        Tensor two = larger(g, g.slice(pairs, 2, 0, 1), g.slice(pairs, 2, 1, 1));
        return g.reshape(larger(g, two, g.slice(next, 2, 1, 1)), x.dim(0), n, x.dim(2));
    }

    private static Tensor larger(Graph g, Tensor a, Tensor b) {
        return g.add(a, g.activation(g.add(b, a, 1, -1), Function.RELU));
    }
}
