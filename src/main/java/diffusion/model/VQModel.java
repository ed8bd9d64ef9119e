package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import diffusion.io.JsonFields;
import diffusion.nn.Conv2d;
import diffusion.nn.Scope;
import java.util.List;
import java.util.Objects;

/**
 * The vector-quantised autoencoder of latent diffusion (van den Oord et al. 2017; Esser et al. 2021; Rombach et al. 2022,
 * section 3.1), as diffusers' VQModel.
 *
 * <p>{@link #encode} gives latents before quantisation. {@link #quantize} replaces them by entries of the codebook, on the
 * host, and {@link #decode} takes those.
 */
public final class VQModel implements Autoencoder {
    /**
     * The config.json, with diffusers' names and defaults.
     *
     * @param numVqEmbeddings entries of the codebook
     * @param vqEmbedDim their size, latent_channels if the object does not say
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
            int numVqEmbeddings,
            int vqEmbedDim,
            double scalingFactor,
            boolean midBlockAddAttention,
            JsonNode json)
            implements Autoencoder.Config {
        /** Reads the object; throws where it asks for what is not supported. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            AutoencoderHalf.requireBlockTypes(f);
            f.requireDefault("norm_type", "group");
            int latent = f.integer("latent_channels", 3);
            Config config = new Config(
                    f.integer("in_channels", 3),
                    f.integer("out_channels", 3),
                    f.integers("block_out_channels", List.of(64)),
                    f.integer("layers_per_block", 1),
                    f.choice("act_fn", "silu", "silu", "swish", "gelu", "mish", "relu"),
                    latent,
                    f.integer("norm_num_groups", 32),
                    f.integer("sample_size", 32),
                    f.integer("num_vq_embeddings", 256),
                    Objects.requireNonNullElse(f.integerOrNull("vq_embed_dim"), latent),
                    f.number("scaling_factor", 0.18215),
                    f.flag("mid_block_add_attention", true),
                    json);
            AutoencoderHalf.requireGroups(f, config.blockOutChannels, config.normNumGroups);
            f.requirePositive(
                    "in_channels, out_channels, latent_channels, layers_per_block, num_vq_embeddings, vq_embed_dim,"
                            + " scaling_factor",
                    config.inChannels,
                    config.outChannels,
                    latent,
                    config.layersPerBlock,
                    config.numVqEmbeddings,
                    config.vqEmbedDim,
                    config.scalingFactor);
            return config;
        }

        @Override
        public VQModel model() {
            return new VQModel(this);
        }

        @Override
        public int factor() {
            return 1 << (blockOutChannels.size() - 1);
        }

        @Override
        public double shiftFactor() {
            return 0;
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
    private final Conv2d quant_conv;
    private final Conv2d post_quant_conv;
    private final Tensor codebook; // quantize.embedding.weight [num_vq_embeddings, vq_embed_dim]

    /** Declares the weights of a configuration. */
    public VQModel(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        int latent = config.latentChannels;
        int entry = config.vqEmbedDim;
        encoder = AutoencoderHalf.encoder(root.child("encoder"), config.levels(), config.inChannels, latent);
        quant_conv = new Conv2d(root.child("quant_conv"), latent, entry, 1, Window.of(1, 0));
        codebook = root.child("quantize.embedding")
                .declare("weight", new Init.Uniform(1f / config.numVqEmbeddings), config.numVqEmbeddings, entry);
        post_quant_conv = new Conv2d(root.child("post_quant_conv"), entry, latent, 1, Window.of(1, 0));
        decoder = AutoencoderHalf.decoder(root.child("decoder"), config.levels(), latent, config.outChannels);
    }

    @Override
    public Tensor encode(Graph g, Tensor pictures) {
        return quant_conv.apply(g, encoder.encode(g, pictures));
    }

    @Override
    public Tensor decode(Graph g, Tensor latents) {
        return decoder.decode(g, post_quant_conv.apply(g, latents));
    }

    /** The codebook [entries, size], for {@link #nearest} and {@link #quantize}. */
    public Tensor codebook() {
        return codebook;
    }

    /**
     * The entry of the codebook nearest to each latent, the first of those equally near.
     *
     * @param latents [N, size, positions]
     * @return [N, positions]
     */
    public int[] nearest(float[] latents, float[] entries, int positions) {
        int size = config.vqEmbedDim;
        int[] indices = new int[latents.length / size];
        for (int i = 0; i < indices.length; i++) {
            int from = i / positions * size * positions + i % positions;
            double best = Double.POSITIVE_INFINITY;
            for (int e = 0; e < config.numVqEmbeddings; e++) {
                double distance = 0;
                for (int d = 0; d < size; d++) {
                    double difference = (double) latents[from + d * positions] - entries[e * size + d];
                    distance += difference * difference;
                }
                if (distance < best) {
                    best = distance;
                    indices[i] = e;
                }
            }
        }
        return indices;
    }

    /** Latents [N, size, positions] with each vector replaced by the {@link #nearest} entry of the codebook. */
    public float[] quantize(float[] latents, float[] entries, int positions) {
        int size = config.vqEmbedDim;
        int[] indices = nearest(latents, entries, positions);
        float[] quantized = new float[latents.length];
        for (int i = 0; i < indices.length; i++) {
            int to = i / positions * size * positions + i % positions;
            for (int d = 0; d < size; d++) {
                quantized[to + d * positions] = entries[indices[i] * size + d];
            }
        }
        return quantized;
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
