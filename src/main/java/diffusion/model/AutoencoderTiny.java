package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.JsonFields;
import diffusion.nn.Conv2d;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.List;

/** The small, fast autoencoder distilled from Stable Diffusion's (TAESD), as diffusers' AutoencoderTiny. */
public final class AutoencoderTiny implements Autoencoder {
    /**
     * The config.json, with diffusers' names and defaults.
     *
     * @param upsamplingScalingFactor pixels, down and across, that a pixel becomes between levels of the decoder
     */
    public record Config(
            int inChannels,
            int outChannels,
            List<Integer> encoderBlockOutChannels,
            List<Integer> decoderBlockOutChannels,
            String actFn,
            int latentChannels,
            int upsamplingScalingFactor,
            List<Integer> numEncoderBlocks,
            List<Integer> numDecoderBlocks,
            double scalingFactor,
            double shiftFactor,
            JsonNode json)
            implements Autoencoder.Config {
        /** Reads the object; throws where it asks for what is not supported. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            f.requireDefault("upsample_fn", "nearest");
            Config config = new Config(
                    f.integer("in_channels", 3),
                    f.integer("out_channels", 3),
                    f.integers("encoder_block_out_channels", List.of(64, 64, 64, 64)),
                    f.integers("decoder_block_out_channels", List.of(64, 64, 64, 64)),
                    f.choice("act_fn", "relu", "silu", "swish", "gelu", "mish", "relu"),
                    f.integer("latent_channels", 4),
                    f.integer("upsampling_scaling_factor", 2),
                    f.integers("num_encoder_blocks", List.of(1, 3, 3, 3)),
                    f.integers("num_decoder_blocks", List.of(3, 3, 3, 1)),
                    f.number("scaling_factor", 1),
                    f.number("shift_factor", 0),
                    json);
            requireLevels(f, "encoder", config.encoderBlockOutChannels, config.numEncoderBlocks);
            requireLevels(f, "decoder", config.decoderBlockOutChannels, config.numDecoderBlocks);
            f.requirePositive(
                    "in_channels, out_channels, latent_channels, upsampling_scaling_factor, scaling_factor",
                    config.inChannels,
                    config.outChannels,
                    config.latentChannels,
                    config.upsamplingScalingFactor,
                    config.scalingFactor);
            return config;
        }

        /** All levels of a half have one width: what halves or doubles the picture keeps it. */
        private static void requireLevels(JsonFields f, String half, List<Integer> channels, List<Integer> blocks) {
            if (channels.isEmpty()
                    || channels.size() != blocks.size()
                    || channels.getFirst() < 1
                    || channels.stream().distinct().count() != 1
                    || blocks.stream().anyMatch(n -> n < 0)) {
                throw f.wrong(
                        half + "_block_out_channels",
                        "one width for each of num_" + half + "_blocks " + blocks + ", all the same",
                        channels.toString());
            }
        }

        @Override
        public AutoencoderTiny model() {
            return new AutoencoderTiny(this);
        }

        @Override
        public int factor() {
            return (int) Math.pow(upsamplingScalingFactor, decoderBlockOutChannels.size() - 1);
        }

        @Override
        public int sampleSize() {
            return 0;
        }
    }

    /** A member of the list {@code layers}. */
    @FunctionalInterface
    private interface Layer {
        Tensor apply(Graph g, Tensor x);
    }

    /** Three convolutions with activations between, and the input added: diffusers' AutoencoderTinyBlock. */
    private record Block(Conv2d conv1, Conv2d conv2, Conv2d conv3, Function act) implements Layer {
        static Block at(Scope scope, int channels, Function act) {
            return new Block(
                    Conv2d.same3x3(scope.child("conv", 0), channels, channels),
                    Conv2d.same3x3(scope.child("conv", 2), channels, channels),
                    Conv2d.same3x3(scope.child("conv", 4), channels, channels),
                    act);
        }

        @Override
        public Tensor apply(Graph g, Tensor x) {
            Tensor h = g.activation(conv1.apply(g, x), act);
            h = g.activation(conv2.apply(g, h), act);
            return g.activation(g.add(conv3.apply(g, h), x), Function.RELU);
        }
    }

    /** Where the decoder folds latents back: beyond it they are outliers. */
    private static final float LATENT_BOUND = 3;

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final List<Layer> encoder = new ArrayList<>();
    private final List<Layer> decoder = new ArrayList<>();

    /** Declares the weights of a configuration. */
    public AutoencoderTiny(Config config) {
        this.config = config;
        Function act = UNet2DConfig.activation(config.actFn);
        Scope half = Scope.root(parameters).child("encoder");
        int width = config.encoderBlockOutChannels.getFirst();
        for (int level = 0; level < config.numEncoderBlocks.size(); level++) {
            Scope at = half.child("layers", encoder.size());
            Conv2d conv = level == 0
                    ? Conv2d.same3x3(at, config.inChannels, width)
                    : new Conv2d(at, width, width, 3, Window.of(2, 1), false);
            encoder.add(conv::apply);
            addBlocks(encoder, half, config.numEncoderBlocks.get(level), width, act);
        }
        Conv2d last = Conv2d.same3x3(half.child("layers", encoder.size()), width, config.latentChannels);
        encoder.add(last::apply);

        half = Scope.root(parameters).child("decoder");
        width = config.decoderBlockOutChannels.getFirst();
        Conv2d first = Conv2d.same3x3(half.child("layers", 0), config.latentChannels, width);
        decoder.add(first::apply);
        decoder.add((g, x) -> g.activation(x, act));
        int levels = config.numDecoderBlocks.size();
        for (int level = 0; level < levels; level++) {
            addBlocks(decoder, half, config.numDecoderBlocks.get(level), width, act);
            boolean end = level == levels - 1;
            if (!end) {
                int by = config.upsamplingScalingFactor;
                decoder.add((g, x) -> g.upsample(x, by, by));
            }
            Scope at = half.child("layers", decoder.size());
            Conv2d conv = new Conv2d(at, width, end ? config.outChannels : width, 3, Window.of(1, 1), end);
            decoder.add(conv::apply);
        }
    }

    private static void addBlocks(List<Layer> layers, Scope half, int count, int width, Function act) {
        for (int i = 0; i < count; i++) {
            layers.add(Block.at(half.child("layers", layers.size()), width, act));
        }
    }

    @Override
    public Tensor encode(Graph g, Tensor pictures) {
        Tensor h = g.add(pictures, g.fill(1, pictures.shape()), 0.5f, 0.5f); // [0, 1]
        for (Layer layer : encoder) {
            h = layer.apply(g, h);
        }
        return h;
    }

    @Override
    public Tensor decode(Graph g, Tensor latents) {
        Tensor h = g.scale(g.activation(g.scale(latents, 1 / LATENT_BOUND), Function.TANH), LATENT_BOUND);
        for (Layer layer : decoder) {
            h = layer.apply(g, h);
        }
        return g.add(h, g.fill(1, h.shape()), 2, -1); // from [0, 1]
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
