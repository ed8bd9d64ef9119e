package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/** A fully connected layer, as torch.nn.Linear. */
public final class Linear {
    private final String name;
    private final Tensor weight; // [out, in]
    private final @Nullable Tensor bias; // [out]

    /** A layer with torch's initialisation, uniform within 1 / sqrt(in). */
    public Linear(Scope scope, int in, int out) {
        this(scope, in, out, true);
    }

    /** A layer with or without bias. */
    public Linear(Scope scope, int in, int out, boolean hasBias) {
        name = scope.name();
        Init init = new Init.Uniform((float) (1 / Math.sqrt(in)));
        weight = scope.declare("weight", init, out, in);
        bias = hasBias ? scope.declare("bias", init, out) : null;
    }

    /** [..., in] to [..., out]. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> g.linear(x, weight, bias));
    }
}
