package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;

/** Two linear layers with SiLU between them, as diffusers' TimestepEmbedding. */
public final class TimestepEmbedding {
    private final Linear linear_1;
    private final Linear linear_2;

    /** From {@code in} sinusoidal features to {@code out}. */
    public TimestepEmbedding(Scope scope, int in, int out) {
        linear_1 = new Linear(scope.child("linear_1"), in, out);
        linear_2 = new Linear(scope.child("linear_2"), out, out);
    }

    /** [N, in] to [N, out]. */
    public Tensor apply(Graph g, Tensor x) {
        return linear_2.apply(g, g.activation(linear_1.apply(g, x), Function.SILU));
    }
}
