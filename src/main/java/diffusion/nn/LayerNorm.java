package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;

/** Normalisation over the last axis with scale and shift, as torch.nn.LayerNorm. */
public final class LayerNorm {
    private final String name;
    private final Tensor weight; // [features]
    private final Tensor bias; // [features]
    private final float eps;

    /** A layer that starts as the plain normalisation. */
    public LayerNorm(Scope scope, int features, float eps) {
        name = scope.name();
        weight = scope.declare("weight", new Init.Constant(1), features);
        bias = scope.declare("bias", new Init.Constant(0), features);
        this.eps = eps;
    }

    /** [..., features] to the same shape. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> g.layerNorm(x, weight, bias, eps));
    }
}
