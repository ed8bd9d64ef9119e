package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import diffusion.nn.Conv2d;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.ResnetBlock2D.Resample;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A level of a U-Net or autoencoder: residual blocks, each followed by attention where the level has it, and a change of
 * size; diffusers' DownBlock2D, UNetMidBlock2D and UpBlock2D with their Attn, CrossAttn, Encoder and Decoder forms.
 */
final class UNetBlock {
    /** Attention over the pixels, perhaps to a text. */
    @FunctionalInterface
    interface Spatial {
        /** x[N, C, H, W] and context[N, M, D], null where there is none, to the shape of x. */
        Tensor apply(Graph g, Tensor x, @Nullable Tensor context);

        /** Makes the attention of one place. */
        @FunctionalInterface
        interface Factory {
            /** With the weights at {@code scope}, over {@code channels}. */
            Spatial at(Scope scope, int channels);
        }
    }

    /** How the picture's size changes at the end of a level. */
    enum Change {
        /** Not at all. */
        NONE,
        /** By a convolution. */
        CONV,
        /** By a residual block that resamples. */
        RESNET
    }

    private final Scope scope;
    private final ResnetBlock2D.Options options;
    private final List<ResnetBlock2D> resnets = new ArrayList<>();
    private final List<Spatial> attentions = new ArrayList<>();
    private @Nullable Conv2d conv; // downsamplers.0.conv or upsamplers.0.conv
    private @Nullable ResnetBlock2D resampler; // the same place for Change.RESNET

    private UNetBlock(Scope scope, ResnetBlock2D.Options options) {
        this.scope = scope;
        this.options = options;
    }

    /** The way down: {@code layers} residual blocks; {@code window} is that of the convolution that halves. */
    static UNetBlock down(
            Scope scope,
            int layers,
            int in,
            int out,
            ResnetBlock2D.Options options,
            Spatial.@Nullable Factory attention,
            Change change,
            Window window) {
        UNetBlock block = new UNetBlock(scope, options);
        for (int i = 0; i < layers; i++) {
            block.add(i == 0 ? in : out, out, 1, attention);
        }
        Scope place = scope.child("downsamplers", 0);
        if (change == Change.RESNET) {
            block.resampler = new ResnetBlock2D(place, out, out, options, Resample.DOWN, 1);
        } else if (change == Change.CONV) {
            block.conv = new Conv2d(place.child("conv"), out, out, 3, window);
        }
        return block;
    }

    /** The middle: two residual blocks around the attention; {@code scale} divides their sums with their inputs. */
    static UNetBlock middle(
            Scope scope,
            int channels,
            ResnetBlock2D.Options options,
            Spatial.@Nullable Factory attention,
            float scale) {
        UNetBlock block = new UNetBlock(scope, options);
        block.add(channels, channels, scale, attention);
        block.add(channels, channels, scale, null);
        return block;
    }

    /**
     * The way up.
     *
     * @param skips channels that each residual block takes from the way down; 0 for none
     */
    static UNetBlock up(
            Scope scope,
            List<Integer> skips,
            int in,
            int out,
            ResnetBlock2D.Options options,
            Spatial.@Nullable Factory attention,
            Change change) {
        UNetBlock block = new UNetBlock(scope, options);
        for (int i = 0; i < skips.size(); i++) {
            block.add((i == 0 ? in : out) + skips.get(i), out, 1, attention);
        }
        Scope place = scope.child("upsamplers", 0);
        if (change == Change.RESNET) {
            block.resampler = new ResnetBlock2D(place, out, out, options, Resample.UP, 1);
        } else if (change == Change.CONV) {
            block.conv = Conv2d.same3x3(place.child("conv"), out, out);
        }
        return block;
    }

    private void add(int in, int out, float scale, Spatial.@Nullable Factory attention) {
        Scope place = scope.child("resnets", resnets.size());
        resnets.add(new ResnetBlock2D(place, in, out, options, Resample.NONE, scale));
        if (attention != null) {
            attentions.add(attention.at(scope.child("attentions", attentions.size()), out));
        }
    }

    /** [N, in, H, W] to [N, out, H/2, W/2] (or unchanged in size); appends what the way up will need. */
    Tensor applyDown(Graph g, Tensor x, @Nullable Tensor temb, @Nullable Tensor context, List<Tensor> skips) {
        Tensor h = applyLayers(g, x, temb, context, skips);
        if (conv != null) {
            h = conv.apply(g, h);
            skips.add(h);
        } else if (resampler != null) {
            h = resampler.apply(g, h, temb);
            skips.add(h);
        }
        return h;
    }

    /** [N, in, H, W] to [N, out, H, W]: the way down without the change of size. */
    Tensor applyLayers(Graph g, Tensor x, @Nullable Tensor temb, @Nullable Tensor context, List<Tensor> skips) {
        Tensor h = x;
        for (int i = 0; i < resnets.size(); i++) {
            h = layer(g, i, h, temb, context);
            skips.add(h);
        }
        return h;
    }

    /** [N, C, H, W] to the same shape. */
    Tensor applyMiddle(Graph g, Tensor x, @Nullable Tensor temb, @Nullable Tensor context) {
        return resnets.getLast().apply(g, layer(g, 0, x, temb, context), temb);
    }

    /** [N, in, H, W] to [N, out, 2H, 2W] (or unchanged in size); takes the newest skips, if there are any. */
    Tensor applyUp(Graph g, Tensor x, @Nullable Tensor temb, @Nullable Tensor context, List<Tensor> skips) {
        Tensor h = x;
        for (int i = 0; i < resnets.size(); i++) {
            Tensor joined = skips.isEmpty() ? h : g.concat(List.of(h, skips.removeLast()), 1);
            h = layer(g, i, joined, temb, context);
        }
        if (conv != null) {
            return conv.apply(g, fit(g, g.upsample(h, 2, 2), skips));
        }
        return resampler == null ? h : resampler.apply(g, h, temb);
    }

    /** An odd size was rounded up on the way down: the last row or column goes, so that the next skip fits. */
    private static Tensor fit(Graph g, Tensor x, List<Tensor> skips) {
        Tensor h = x;
        for (int axis = 2; axis <= 3 && !skips.isEmpty(); axis++) {
            int size = skips.getLast().dim(axis);
            h = size < h.dim(axis) ? g.slice(h, axis, 0, size) : h;
        }
        return h;
    }

    private Tensor layer(Graph g, int i, Tensor x, @Nullable Tensor temb, @Nullable Tensor context) {
        Tensor h = resnets.get(i).apply(g, x, temb);
        return attentions.isEmpty() ? h : attentions.get(i).apply(g, h, context);
    }
}
