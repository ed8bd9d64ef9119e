package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/**
 * Self-attention over the pixels of a picture with a residual connection, as diffusers' Attention is used by the blocks of
 * UNet2DModel.
 */
public final class Attention {
    private final String name;
    private final @Nullable GroupNorm group_norm;
    private final Linear to_q;
    private final Linear to_k;
    private final Linear to_v;
    private final Linear to_out;
    private final int heads;
    private final float scale;
    private final float rescale;

    /**
     * A layer over {@code channels} in heads of {@code headDim}.
     *
     * @param groups groups of the normalisation in front; 0 for none
     * @param rescale what the sum with the input is divided by
     */
    public Attention(Scope scope, int channels, int headDim, int groups, float eps, float rescale) {
        name = scope.name();
        heads = channels / headDim;
        int inner = heads * headDim;
        scale = (float) (1 / Math.sqrt(headDim));
        this.rescale = rescale;
        group_norm = groups == 0 ? null : new GroupNorm(scope.child("group_norm"), groups, channels, eps);
        to_q = new Linear(scope.child("to_q"), channels, inner);
        to_k = new Linear(scope.child("to_k"), channels, inner);
        to_v = new Linear(scope.child("to_v"), channels, inner);
        to_out = new Linear(scope.child("to_out", 0), inner, channels);
    }

    /** [N, C, H, W] to the same shape. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> {
            int[] picture = x.shape();
            Tensor h = group_norm == null ? x : group_norm.apply(g, x);
            h = g.transpose(g.reshape(h, picture[0], picture[1], picture[2] * picture[3])); // [N, HW, C]
            h = g.selfAttention(to_q.apply(g, h), to_k.apply(g, h), to_v.apply(g, h), heads, scale);
            h = g.reshape(g.transpose(to_out.apply(g, h)), picture); // [N, C, H, W]
            return g.add(h, x, 1 / rescale, 1 / rescale);
        });
    }
}
