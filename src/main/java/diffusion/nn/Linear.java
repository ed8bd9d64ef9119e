package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;

/** A fully connected layer with bias, as torch.nn.Linear. */
public final class Linear {
    private final String name;
    private final Tensor weight; // [out, in]
    private final Tensor bias; // [out]

    /** A layer with torch's initialisation, uniform within 1 / sqrt(in). */
    public Linear(Scope scope, int in, int out) {
        name = scope.name();
        Init init = new Init.Uniform((float) (1 / Math.sqrt(in)));
        weight = scope.declare("weight", init, out, in);
        bias = scope.declare("bias", init, out);
    }

    /** [..., in] to [..., out]. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> g.linear(x, weight, bias));
    }
}
