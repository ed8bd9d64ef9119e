package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import diffusion.nn.Attention;
import diffusion.nn.Conv2d;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.ResnetBlock2D.Resample;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * A level of the U-Net: residual blocks, each followed by attention where the level has it, and a change of size; diffusers'
 * DownBlock2D, AttnDownBlock2D, UNetMidBlock2D, UpBlock2D and AttnUpBlock2D.
 */
final class UNetBlock {
    private final List<ResnetBlock2D> resnets = new ArrayList<>();
    private final List<Attention> attentions = new ArrayList<>();
    private @Nullable Conv2d conv; // downsamplers.0.conv or upsamplers.0.conv
    private @Nullable ResnetBlock2D resampler; // the same place for type "resnet"

    private UNetBlock() {}

    static UNetBlock down(
            Scope scope, UNet2DConfig config, int index, int in, ResnetBlock2D.Options options, boolean downsample) {
        UNetBlock block = new UNetBlock();
        int out = config.blockOutChannels().get(index);
        boolean attention = config.downBlockTypes().get(index).startsWith("Attn");
        for (int i = 0; i < config.layersPerBlock(); i++) {
            block.addResnet(scope, i == 0 ? in : out, out, options, 1);
            if (attention) {
                block.addAttention(scope, config, out, config.normNumGroups(), 1);
            }
        }
        if (downsample) {
            Scope place = scope.child("downsamplers", 0);
            if (attention && config.downsampleType().equals("resnet")) {
                block.resampler = UNet2DModel.resampling(place, out, options, Resample.DOWN);
            } else {
                Window window = config.downsamplePadding() == 0 ? new Window(2, 0, 0, 1, 1) : Window.of(2, 1);
                block.conv = new Conv2d(place.child("conv"), out, out, 3, window);
            }
        }
        return block;
    }

    static UNetBlock middle(Scope scope, UNet2DConfig config, int channels, ResnetBlock2D.Options options) {
        UNetBlock block = new UNetBlock();
        float scale = (float) config.midBlockScaleFactor();
        Integer given = config.attnNormNumGroups();
        int groups = given != null ? given : options.scaleShift() ? 0 : config.normNumGroups();
        block.addResnet(scope, channels, channels, options, scale);
        if (config.addAttention()) {
            block.addAttention(scope, config, channels, groups, scale);
        }
        block.addResnet(scope, channels, channels, options, scale);
        return block;
    }

    static UNetBlock up(Scope scope, UNet2DConfig config, int index, ResnetBlock2D.Options options) {
        UNetBlock block = new UNetBlock();
        List<Integer> channels = config.blockOutChannels().reversed();
        int last = channels.size() - 1;
        int previous = channels.get(Math.max(0, index - 1));
        int out = channels.get(index);
        int below = channels.get(Math.min(index + 1, last));
        int layers = config.layersPerBlock() + 1;
        boolean attention = config.upBlockTypes().get(index).startsWith("Attn");
        for (int i = 0; i < layers; i++) {
            int skip = i == layers - 1 ? below : out;
            block.addResnet(scope, (i == 0 ? previous : out) + skip, out, options, 1);
            if (attention) {
                block.addAttention(scope, config, out, config.normNumGroups(), 1);
            }
        }
        if (index != last) {
            Scope place = scope.child("upsamplers", 0);
            if (attention && config.upsampleType().equals("resnet")) {
                block.resampler = UNet2DModel.resampling(place, out, options, Resample.UP);
            } else {
                block.conv = Conv2d.same3x3(place.child("conv"), out, out);
            }
        }
        return block;
    }

    private void addResnet(Scope scope, int in, int out, ResnetBlock2D.Options options, float scale) {
        Scope place = scope.child("resnets", resnets.size());
        resnets.add(new ResnetBlock2D(place, in, out, options, Resample.NONE, scale));
    }

    private void addAttention(Scope scope, UNet2DConfig config, int channels, int groups, float scale) {
        Scope place = scope.child("attentions", attentions.size());
        attentions.add(UNet2DModel.attention(place, config, channels, groups, scale));
    }

    /** [N, in, H, W] to [N, out, H/2, W/2] (or unchanged in size); appends what the way up will need. */
    Tensor applyDown(Graph g, Tensor x, Tensor temb, List<Tensor> skips) {
        Tensor h = x;
        for (int i = 0; i < resnets.size(); i++) {
            h = layer(g, i, h, temb);
            skips.add(h);
        }
        if (conv != null) {
            h = conv.apply(g, h);
            skips.add(h);
        } else if (resampler != null) {
            h = resampler.apply(g, h, temb);
            skips.add(h);
        }
        return h;
    }

    /** [N, C, H, W] to the same shape. */
    Tensor applyMiddle(Graph g, Tensor x, Tensor temb) {
        Tensor h = resnets.getFirst().apply(g, x, temb);
        for (Attention attention : attentions) {
            h = attention.apply(g, h);
        }
        return resnets.getLast().apply(g, h, temb);
    }

    /** [N, in, H, W] to [N, out, 2H, 2W] (or unchanged in size); takes the newest skips. */
    Tensor applyUp(Graph g, Tensor x, Tensor temb, List<Tensor> skips) {
        Tensor h = x;
        for (int i = 0; i < resnets.size(); i++) {
            h = layer(g, i, g.concat(List.of(h, skips.removeLast()), 1), temb);
        }
        if (conv != null) {
            return conv.apply(g, g.upsample(h, 2, 2));
        }
        return resampler == null ? h : resampler.apply(g, h, temb);
    }

    private Tensor layer(Graph g, int i, Tensor x, Tensor temb) {
        Tensor h = resnets.get(i).apply(g, x, temb);
        return attentions.isEmpty() ? h : attentions.get(i).apply(g, h);
    }
}
