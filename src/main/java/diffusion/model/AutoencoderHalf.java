package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.JsonFields;
import diffusion.nn.Attention;
import diffusion.nn.Conv2d;
import diffusion.nn.GroupNorm;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * Half of an autoencoder: a convolution, levels, a norm and a convolution, with the middle block at the narrow end;
 * diffusers' Encoder and Decoder.
 */
record AutoencoderHalf(Conv2d convIn, List<UNetBlock> blocks, UNetBlock middle, GroupNorm norm, Conv2d convOut) {
    private static final float EPS = 1e-6f;

    /** What both halves of a model are made of, under the names of the configuration. */
    record Levels(
            List<Integer> blockOutChannels,
            int layersPerBlock,
            String actFn,
            int normNumGroups,
            boolean midBlockAddAttention) {}

    static AutoencoderHalf encoder(Scope scope, Levels config, int in, int out) {
        List<Integer> channels = config.blockOutChannels;
        int last = channels.getLast();
        List<UNetBlock> blocks = new ArrayList<>();
        for (int i = 0; i < channels.size(); i++) {
            blocks.add(UNetBlock.down(
                    scope.child("down_blocks", i),
                    config.layersPerBlock,
                    channels.get(Math.max(0, i - 1)),
                    channels.get(i),
                    options(config),
                    null,
                    i == channels.size() - 1 ? UNetBlock.Change.NONE : UNetBlock.Change.CONV,
                    new Window(2, 0, 0, 1, 1)));
        }
        return new AutoencoderHalf(
                Conv2d.same3x3(scope.child("conv_in"), in, channels.getFirst()),
                blocks,
                middle(scope, config),
                new GroupNorm(scope.child("conv_norm_out"), config.normNumGroups, last, EPS),
                Conv2d.same3x3(scope.child("conv_out"), last, out));
    }

    static AutoencoderHalf decoder(Scope scope, Levels config, int in, int out) {
        List<Integer> channels = config.blockOutChannels.reversed();
        int last = channels.getLast();
        Conv2d convIn = Conv2d.same3x3(scope.child("conv_in"), in, channels.getFirst());
        UNetBlock middle = middle(scope, config);
        List<UNetBlock> blocks = new ArrayList<>();
        for (int i = 0; i < channels.size(); i++) {
            blocks.add(UNetBlock.up(
                    scope.child("up_blocks", i),
                    Collections.nCopies(config.layersPerBlock + 1, 0),
                    channels.get(Math.max(0, i - 1)),
                    channels.get(i),
                    options(config),
                    null,
                    i == channels.size() - 1 ? UNetBlock.Change.NONE : UNetBlock.Change.CONV));
        }
        return new AutoencoderHalf(
                convIn,
                blocks,
                middle,
                new GroupNorm(scope.child("conv_norm_out"), config.normNumGroups, last, EPS),
                Conv2d.same3x3(scope.child("conv_out"), last, out));
    }

    private static ResnetBlock2D.Options options(Levels config) {
        return new ResnetBlock2D.Options(0, config.normNumGroups, EPS, UNet2DConfig.activation(config.actFn), false, 0);
    }

    private static UNetBlock middle(Scope scope, Levels config) {
        UNetBlock.Spatial.Factory attention = (place, channels) -> {
            Attention layer = new Attention(place, channels, channels, config.normNumGroups, EPS, 1);
            return (g, x, _) -> layer.apply(g, x);
        };
        return UNetBlock.middle(
                scope.child("mid_block"),
                config.blockOutChannels.getLast(),
                options(config),
                config.midBlockAddAttention ? attention : null,
                1);
    }

    private Tensor end(Graph g, Tensor h) {
        return convOut.apply(g, norm.apply(g, h, Function.SILU));
    }

    /** Pictures to what lies at the narrow end. */
    Tensor encode(Graph g, Tensor pictures) {
        Tensor h = convIn.apply(g, pictures);
        for (UNetBlock block : blocks) {
            h = block.applyDown(g, h, null, null, new ArrayList<>());
        }
        return end(g, middle.applyMiddle(g, h, null, null));
    }

    /** The way back. */
    Tensor decode(Graph g, Tensor latents) {
        Tensor h = middle.applyMiddle(g, convIn.apply(g, latents), null, null);
        for (UNetBlock block : blocks) {
            h = block.applyUp(g, h, null, null, new ArrayList<>());
        }
        return end(g, h);
    }

    /** Throws if a configuration asks for levels of another kind. */
    static void requireBlockTypes(JsonFields f) {
        for (boolean down : new boolean[] {true, false}) {
            String key = down ? "down_block_types" : "up_block_types";
            String only = down ? "DownEncoderBlock2D" : "UpDecoderBlock2D";
            for (String type : f.texts(key, List.of(only))) {
                if (!type.equals(only)) {
                    throw f.wrong(key, only + " only", type);
                }
            }
        }
    }

    /** Throws unless all channels can be normalised in groups. */
    static void requireGroups(JsonFields f, List<Integer> channels, int groups) {
        for (int c : channels) {
            if (groups < 1 || c < 1 || c % groups != 0) {
                throw f.wrong("block_out_channels", "multiples of norm_num_groups " + groups, String.valueOf(c));
            }
        }
    }
}
