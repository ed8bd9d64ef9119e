package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Parameters.Init;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;

/** Group normalisation with scale and shift, as torch.nn.GroupNorm. */
public final class GroupNorm {
    private final String name;
    private final Tensor weight; // [channels]
    private final Tensor bias; // [channels]
    private final int groups;
    private final float eps;

    /** A layer that starts as the plain normalisation. */
    public GroupNorm(Scope scope, int groups, int channels, float eps) {
        name = scope.name();
        weight = scope.declare("weight", new Init.Constant(1), channels);
        bias = scope.declare("bias", new Init.Constant(0), channels);
        this.groups = groups;
        this.eps = eps;
    }

    /** [N, channels, ...] to the same shape. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> g.groupNorm(x, weight, bias, groups, eps, false));
    }

    /** The normalisation followed by an activation; SiLU is part of the same op. */
    public Tensor apply(Graph g, Tensor x, Function activation) {
        if (activation == Function.SILU) {
            return g.scope(name, () -> g.groupNorm(x, weight, bias, groups, eps, true));
        }
        return g.scope(name, () -> g.activation(g.groupNorm(x, weight, bias, groups, eps, false), activation));
    }
}
