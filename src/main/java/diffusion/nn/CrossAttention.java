package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;

/** Attention of a sequence to a context, or to itself, without norm and residual; diffusers' Attention in transformers. */
public final class CrossAttention {
    private final String name;
    private final Linear to_q;
    private final Linear to_k;
    private final Linear to_v;
    private final Linear to_out;
    private final int heads;

    /** A layer over {@code channels} features that looks at {@code context} features. */
    public CrossAttention(Scope scope, int channels, int context, int heads) {
        name = scope.name();
        this.heads = heads;
        to_q = new Linear(scope.child("to_q"), channels, channels, false);
        to_k = new Linear(scope.child("to_k"), context, channels, false);
        to_v = new Linear(scope.child("to_v"), context, channels, false);
        to_out = new Linear(scope.child("to_out", 0), channels, channels);
    }

    /** x[B, N, channels] looks at context[B, M, context], which may be x itself. */
    public Tensor apply(Graph g, Tensor x, Tensor context) {
        return g.scope(name, () -> {
            float scale = (float) (1 / Math.sqrt((double) x.dim(2) / heads));
            Tensor q = to_q.apply(g, x);
            Tensor k = to_k.apply(g, context);
            Tensor v = to_v.apply(g, context);
            return to_out.apply(
                    g, context == x ? g.selfAttention(q, k, v, heads, scale) : g.attention(q, k, v, heads, scale));
        });
    }
}
