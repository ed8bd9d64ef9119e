package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/** Two linear layers with SiLU between them, as diffusers' TimestepEmbedding; {@code cond_proj} is for distilled guidance (LCM). */
public final class TimestepEmbedding {
    private final @Nullable Linear cond_proj;
    private final Linear linear_1;
    private final Linear linear_2;
    private final Function act;

    /** From {@code in} sinusoidal features to {@code out}. */
    public TimestepEmbedding(Scope scope, int in, int out) {
        this(scope, in, out, Function.SILU, 0);
    }

    /** With another activation, and a projection of {@code condition} features that is added to the input; 0 for none. */
    public TimestepEmbedding(Scope scope, int in, int out, Function act, int condition) {
        this.act = act;
        cond_proj = condition == 0 ? null : new Linear(scope.child("cond_proj"), condition, in, false);
        linear_1 = new Linear(scope.child("linear_1"), in, out);
        linear_2 = new Linear(scope.child("linear_2"), out, out);
    }

    /** [N, in] to [N, out]. */
    public Tensor apply(Graph g, Tensor x) {
        return apply(g, x, null);
    }

    /** [N, in], and [N, condition] or null, to [N, out]. */
    public Tensor apply(Graph g, Tensor x, @Nullable Tensor condition) {
        Tensor h = condition == null || cond_proj == null ? x : g.add(x, cond_proj.apply(g, condition));
        return linear_2.apply(g, g.activation(linear_1.apply(g, h), act));
    }
}
