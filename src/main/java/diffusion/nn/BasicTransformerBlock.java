package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Self-attention, attention to the text and a gated feed-forward layer, each with a norm in front and a residual
 * connection; diffusers' BasicTransformerBlock with layer norms and GEGLU (Rombach et al. 2022, appendix E.2.1).
 */
final class BasicTransformerBlock {
    private final LayerNorm norm1;
    private final CrossAttention attn1;
    private final boolean onlyCross;
    private final @Nullable LayerNorm norm2;
    private final @Nullable CrossAttention attn2;
    private final LayerNorm norm3;
    private final Linear ff_proj; // ff.net.0.proj, to twice four times the channels
    private final Linear ff_out; // ff.net.2

    BasicTransformerBlock(Scope scope, int channels, int heads, int context, boolean onlyCross) {
        this.onlyCross = onlyCross;
        norm1 = new LayerNorm(scope.child("norm1"), channels, 1e-5f);
        attn1 = new CrossAttention(scope.child("attn1"), channels, onlyCross ? context : channels, heads);
        norm2 = context == 0 ? null : new LayerNorm(scope.child("norm2"), channels, 1e-5f);
        attn2 = context == 0 ? null : new CrossAttention(scope.child("attn2"), channels, context, heads);
        norm3 = new LayerNorm(scope.child("norm3"), channels, 1e-5f);
        Scope net = scope.child("ff");
        ff_proj = new Linear(net.child("net.0.proj"), channels, 8 * channels);
        ff_out = new Linear(net.child("net.2"), 4 * channels, channels);
    }

    /** x[B, N, channels] and the text's context[B, M, context] to the shape of x. */
    Tensor apply(Graph g, Tensor x, Tensor context) {
        Tensor normal = norm1.apply(g, x);
        Tensor h = g.add(attn1.apply(g, normal, onlyCross ? context : normal), x);
        if (norm2 != null && attn2 != null) {
            h = g.add(attn2.apply(g, norm2.apply(g, h), context), h);
        }
        return g.add(ff_out.apply(g, g.gate(ff_proj.apply(g, norm3.apply(g, h)), Function.GELU)), h);
    }
}
