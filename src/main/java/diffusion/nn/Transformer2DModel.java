package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Transformer blocks over the pixels of a picture that look at a text; diffusers' Transformer2DModel on pictures. */
public final class Transformer2DModel {
    private final String name;
    private final GroupNorm norm;
    private final @Nullable Conv2d conv_in; // proj_in of 1x1 convolutions
    private final @Nullable Conv2d conv_out; // proj_out
    private final @Nullable Linear linear_in; // proj_in of linear layers
    private final @Nullable Linear linear_out; // proj_out
    private final List<BasicTransformerBlock> transformer_blocks = new ArrayList<>();

    /**
     * The blocks of one place.
     *
     * @param context features of the text's tokens
     * @param linear diffusers' use_linear_projection: the same numbers, but weights of two dimensions
     * @param onlyCross whether the first attention looks at the text too
     */
    public Transformer2DModel(
            Scope scope,
            int channels,
            int heads,
            int layers,
            int context,
            int groups,
            boolean linear,
            boolean onlyCross) {
        name = scope.name();
        norm = new GroupNorm(scope.child("norm"), groups, channels, 1e-6f);
        Scope in = scope.child("proj_in");
        Scope out = scope.child("proj_out");
        linear_in = linear ? new Linear(in, channels, channels) : null;
        conv_in = linear ? null : new Conv2d(in, channels, channels, 1, Window.of(1, 0));
        for (int i = 0; i < layers; i++) {
            Scope place = scope.child("transformer_blocks", i);
            transformer_blocks.add(new BasicTransformerBlock(place, channels, heads, context, onlyCross));
        }
        // Last, because weights are drawn in the order of their declaration.
        linear_out = linear ? new Linear(out, channels, channels) : null;
        conv_out = linear ? null : new Conv2d(out, channels, channels, 1, Window.of(1, 0));
    }

    /** x[N, C, H, W] and context[N, M, context] to the shape of x. */
    public Tensor apply(Graph g, Tensor x, Tensor context) {
        return g.scope(name, () -> {
            int[] picture = x.shape();
            int pixels = picture[2] * picture[3];
            Tensor h = norm.apply(g, x);
            if (conv_in != null) {
                h = conv_in.apply(g, h);
            }
            h = g.transpose(g.reshape(h, picture[0], picture[1], pixels)); // [N, HW, C]
            if (linear_in != null) {
                h = linear_in.apply(g, h);
            }
            for (BasicTransformerBlock block : transformer_blocks) {
                h = block.apply(g, h, context);
            }
            if (linear_out != null) {
                h = linear_out.apply(g, h);
            }
            h = g.reshape(g.transpose(h), picture); // [N, C, H, W]
            if (conv_out != null) {
                h = conv_out.apply(g, h);
            }
            return g.add(h, x);
        });
    }
}
