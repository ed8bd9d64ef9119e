package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.JsonFields;
import diffusion.nn.Conv2d;
import diffusion.nn.Scope;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The autoencoder of latent diffusion (Rombach et al. 2022, appendix G), as diffusers' AutoencoderKL. */
public final class AutoencoderKL implements Autoencoder {
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
            JsonNode json)
            implements Autoencoder.Config {
        /** Reads the object; throws where it asks for what is not supported. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            List<Integer> channels = f.integers("block_out_channels", List.of(64));
            AutoencoderHalf.requireBlockTypes(f);
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
            AutoencoderHalf.requireGroups(f, channels, config.normNumGroups);
            f.requirePositive(
                    "in_channels, out_channels, latent_channels, layers_per_block, scaling_factor",
                    config.inChannels,
                    config.outChannels,
                    config.latentChannels,
                    config.layersPerBlock,
                    config.scalingFactor);
            return config;
        }

        @Override
        public AutoencoderKL model() {
            return new AutoencoderKL(this);
        }

        @Override
        public int factor() {
            return 1 << (blockOutChannels.size() - 1);
        }

        private AutoencoderHalf.Levels levels() {
            return new AutoencoderHalf.Levels(
                    blockOutChannels, layersPerBlock, actFn, normNumGroups, midBlockAddAttention);
        }
    }

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final AutoencoderHalf encoder;
    private final AutoencoderHalf decoder;
    private final @Nullable Conv2d quant_conv;
    private final @Nullable Conv2d post_quant_conv;

    /** Declares the weights of a configuration. */
    public AutoencoderKL(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        int latent = config.latentChannels;
        encoder = AutoencoderHalf.encoder(root.child("encoder"), config.levels(), config.inChannels, 2 * latent);
        decoder = AutoencoderHalf.decoder(root.child("decoder"), config.levels(), latent, config.outChannels);
        quant_conv = config.useQuantConv
                ? new Conv2d(root.child("quant_conv"), 2 * latent, 2 * latent, 1, Window.of(1, 0))
                : null;
        post_quant_conv = config.usePostQuantConv
                ? new Conv2d(root.child("post_quant_conv"), latent, latent, 1, Window.of(1, 0))
                : null;
    }

    /** Pictures [N, C, H, W] in [-1, 1] to the means and log variances of latents, [N, 2 latent, H / f, W / f]. */
    @Override
    public Tensor encode(Graph g, Tensor pictures) {
        Tensor h = encoder.encode(g, pictures);
        return quant_conv == null ? h : quant_conv.apply(g, h);
    }

    @Override
    public Tensor decode(Graph g, Tensor latents) {
        return decoder.decode(g, post_quant_conv == null ? latents : post_quant_conv.apply(g, latents));
    }

    @Override
    public Parameters parameters() {
        return parameters;
    }

    @Override
    public Config config() {
        return config;
    }
}
