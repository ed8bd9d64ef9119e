package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/** Two normalised convolutions around the time embedding, with a residual connection, as diffusers' ResnetBlock2D. */
public final class ResnetBlock2D {
    /** Whether the block also halves or doubles the picture. */
    public enum Resample {
        /** The size stays. */
        NONE,
        /** 2x2 means. */
        DOWN,
        /** Nearest neighbour. */
        UP
    }

    /**
     * What the blocks of a model share.
     *
     * @param temb features of the time embedding; 0 for blocks without
     * @param scaleShift diffusers' time_embedding_norm "scale_shift" rather than "default"
     */
    public record Options(int temb, int groups, float eps, Function act, boolean scaleShift, float dropout) {}

    private final String name;
    private final Options options;
    private final Resample resample;
    private final float outputScale;
    private final GroupNorm norm1;
    private final Conv2d conv1;
    private final @Nullable Linear time_emb_proj;
    private final GroupNorm norm2;
    private final Conv2d conv2;
    private final @Nullable Conv2d conv_shortcut;

    /** A block from {@code in} to {@code out} channels; {@code outputScale} divides the sum with the input. */
    public ResnetBlock2D(Scope scope, int in, int out, Options options, Resample resample, float outputScale) {
        name = scope.name();
        this.options = options;
        this.resample = resample;
        this.outputScale = outputScale;
        norm1 = new GroupNorm(scope.child("norm1"), options.groups, in, options.eps);
        conv1 = Conv2d.same3x3(scope.child("conv1"), in, out);
        time_emb_proj = options.temb == 0
                ? null
                : new Linear(scope.child("time_emb_proj"), options.temb, options.scaleShift ? 2 * out : out);
        norm2 = new GroupNorm(scope.child("norm2"), options.groups, out, options.eps);
        conv2 = Conv2d.same3x3(scope.child("conv2"), out, out);
        conv_shortcut = in == out ? null : new Conv2d(scope.child("conv_shortcut"), in, out, 1, Window.of(1, 0));
    }

    /** x[N, in, H, W] and temb[N, temb] (null for blocks without) to [N, out, H', W']. */
    public Tensor apply(Graph g, Tensor x, @Nullable Tensor temb) {
        return g.scope(name, () -> {
            Tensor h = resample(g, norm1.apply(g, x, options.act));
            h = conv1.apply(g, h); // [N, out, H', W']
            Tensor time = time_emb_proj == null || temb == null
                    ? null
                    : time_emb_proj.apply(g, g.activation(temb, options.act));
            if (time == null) {
                h = norm2.apply(g, h, options.act);
            } else if (options.scaleShift) {
                h = g.activation(g.modulate(norm2.apply(g, h), time), options.act);
            } else {
                h = norm2.apply(g, g.addChannel(h, time), options.act);
            }
            h = conv2.apply(g, g.dropout(h, options.dropout));
            Tensor shortcut = resample(g, x);
            if (conv_shortcut != null) {
                shortcut = conv_shortcut.apply(g, shortcut);
            }
            return g.add(shortcut, h, 1 / outputScale, 1 / outputScale);
        });
    }

    private Tensor resample(Graph g, Tensor x) {
        return switch (resample) {
            case NONE -> x;
            case DOWN -> g.avgPool(x, 2, 2);
            case UP -> g.upsample(x, 2, 2);
        };
    }
}
