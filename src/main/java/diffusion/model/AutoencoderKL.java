package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
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
import org.jspecify.annotations.Nullable;

/** The autoencoder of latent diffusion (Rombach et al. 2022, appendix G), as diffusers' AutoencoderKL. */
public final class AutoencoderKL {
    /**
     * The config.json, with diffusers' names and defaults.
     *
     * @param shiftFactor subtracted from latents before they are scaled by {@code scalingFactor}
     * @param json the object itself
     */
    public record Config(
            int inChannels,
            int outChannels,
            List<Integer> blockOutChannels,
            int layersPerBlock,
            String actFn,
            int latentChannels,
            int normNumGroups,
            int sampleSize,
            double scalingFactor,
            double shiftFactor,
            boolean useQuantConv,
            boolean usePostQuantConv,
            boolean midBlockAddAttention,
            JsonNode json) {
        /** Reads the object; throws where it asks for what is not supported. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            List<Integer> channels = f.integers("block_out_channels", List.of(64));
            for (String type : f.texts("down_block_types", List.of("DownEncoderBlock2D"))) {
                if (!type.equals("DownEncoderBlock2D")) {
                    throw f.wrong("down_block_types", "DownEncoderBlock2D only", type);
                }
            }
            for (String type : f.texts("up_block_types", List.of("UpDecoderBlock2D"))) {
                if (!type.equals("UpDecoderBlock2D")) {
                    throw f.wrong("up_block_types", "UpDecoderBlock2D only", type);
                }
            }
            Config config = new Config(
                    f.integer("in_channels", 3),
                    f.integer("out_channels", 3),
                    channels,
                    f.integer("layers_per_block", 1),
                    f.choice("act_fn", "silu", "silu", "swish", "gelu", "mish", "relu"),
                    f.integer("latent_channels", 4),
                    f.integer("norm_num_groups", 32),
                    f.integer("sample_size", 32),
                    f.number("scaling_factor", 0.18215),
                    f.number("shift_factor", 0),
                    f.flag("use_quant_conv", true),
                    f.flag("use_post_quant_conv", true),
                    f.flag("mid_block_add_attention", true),
                    json);
            for (int c : channels) {
                if (config.normNumGroups < 1 || c < 1 || c % config.normNumGroups != 0) {
                    throw f.wrong(
                            "block_out_channels",
                            "multiples of norm_num_groups " + config.normNumGroups,
                            String.valueOf(c));
                }
            }
            if (config.inChannels < 1
                    || config.outChannels < 1
                    || config.latentChannels < 1
                    || config.layersPerBlock < 1
                    || !(config.scalingFactor > 0)) {
                throw f.wrong(
                        "in_channels, out_channels, latent_channels, layers_per_block, scaling_factor",
                        "positive numbers",
                        "%d, %d, %d, %d, %s"
                                .formatted(
                                        config.inChannels,
                                        config.outChannels,
                                        config.latentChannels,
                                        config.layersPerBlock,
                                        config.scalingFactor));
            }
            return config;
        }
    }

    private static final float EPS = 1e-6f;

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final Half encoder;
    private final Half decoder;
    private final @Nullable Conv2d quant_conv;
    private final @Nullable Conv2d post_quant_conv;

    /** Declares the weights of a configuration. */
    public AutoencoderKL(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        int latent = config.latentChannels;
        encoder = Half.encoder(root.child("encoder"), config);
        decoder = Half.decoder(root.child("decoder"), config);
        quant_conv = config.useQuantConv
                ? new Conv2d(root.child("quant_conv"), 2 * latent, 2 * latent, 1, Window.of(1, 0))
                : null;
        post_quant_conv = config.usePostQuantConv
                ? new Conv2d(root.child("post_quant_conv"), latent, latent, 1, Window.of(1, 0))
                : null;
    }

    /** Encoder or decoder: a convolution, levels, a norm and a convolution, with the middle block at the narrow end. */
    private record Half(
            Conv2d convIn,
            List<UNetBlock> blocks,
            UNetBlock middle,
            GroupNorm norm,
            Conv2d convOut,
            Function activation) {
        static Half encoder(Scope scope, Config config) {
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
            return new Half(
                    Conv2d.same3x3(scope.child("conv_in"), config.inChannels, channels.getFirst()),
                    blocks,
                    middle(scope, config),
                    new GroupNorm(scope.child("conv_norm_out"), config.normNumGroups, last, EPS),
                    Conv2d.same3x3(scope.child("conv_out"), last, 2 * config.latentChannels),
                    UNet2DConfig.activation(config.actFn));
        }

        static Half decoder(Scope scope, Config config) {
            List<Integer> channels = config.blockOutChannels.reversed();
            int last = channels.getLast();
            Conv2d in = Conv2d.same3x3(scope.child("conv_in"), config.latentChannels, channels.getFirst());
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
            return new Half(
                    in,
                    blocks,
                    middle,
                    new GroupNorm(scope.child("conv_norm_out"), config.normNumGroups, last, EPS),
                    Conv2d.same3x3(scope.child("conv_out"), last, config.outChannels),
                    UNet2DConfig.activation(config.actFn));
        }

        private static ResnetBlock2D.Options options(Config config) {
            return new ResnetBlock2D.Options(
                    0, config.normNumGroups, EPS, UNet2DConfig.activation(config.actFn), false, 0);
        }

        private static UNetBlock middle(Scope scope, Config config) {
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

        Tensor end(Graph g, Tensor h) {
            return convOut.apply(g, norm.apply(g, h, activation));
        }
    }

    /** Pictures [N, C, H, W] in [-1, 1] to the means and log variances of latents, [N, 2 latent, H / f, W / f]. */
    public Tensor encode(Graph g, Tensor pictures) {
        Tensor h = encoder.convIn.apply(g, pictures);
        for (UNetBlock block : encoder.blocks) {
            h = block.applyDown(g, h, null, null, new ArrayList<>());
        }
        h = encoder.end(g, encoder.middle.applyMiddle(g, h, null, null));
        return quant_conv == null ? h : quant_conv.apply(g, h);
    }

    /** Latents [N, latent, h, w], not scaled, to pictures [N, C, f h, f w] in about [-1, 1]. */
    public Tensor decode(Graph g, Tensor latents) {
        Tensor h = post_quant_conv == null ? latents : post_quant_conv.apply(g, latents);
        h = decoder.middle.applyMiddle(g, decoder.convIn.apply(g, h), null, null);
        for (UNetBlock block : decoder.blocks) {
            h = block.applyUp(g, h, null, null, new ArrayList<>());
        }
        return decoder.end(g, h);
    }

    /** The weights of both halves, by checkpoint name. */
    public Parameters parameters() {
        return parameters;
    }

    /** The configuration. */
    public Config config() {
        return config;
    }

    /** How many pixels, down and across, a latent stands for. */
    public int factor() {
        return 1 << (config.blockOutChannels.size() - 1);
    }
}
