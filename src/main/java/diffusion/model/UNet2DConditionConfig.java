package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.PointOp.Function;
import diffusion.io.JsonFields;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The config.json of a UNet2DConditionModel, with diffusers' names and defaults; a list per level where diffusers takes
 * one number for all.
 *
 * @param numAttentionHeads heads by level: what published configs call attention_head_dim
 * @param onlyCrossAttention by level: whether the first attention of a transformer block looks at the text too
 * @param json the object itself
 */
public record UNet2DConditionConfig(
        int sampleSize,
        int inChannels,
        int outChannels,
        boolean centerInputSample,
        boolean flipSinToCos,
        double freqShift,
        List<String> downBlockTypes,
        @Nullable String midBlockType,
        List<String> upBlockTypes,
        List<Boolean> onlyCrossAttention,
        List<Integer> blockOutChannels,
        List<Integer> layersPerBlock,
        int downsamplePadding,
        double midBlockScaleFactor,
        String actFn,
        int normNumGroups,
        double normEps,
        List<Integer> crossAttentionDim,
        List<Integer> transformerLayersPerBlock,
        List<Integer> upTransformerLayersPerBlock,
        @Nullable Integer encoderHidDim,
        List<Integer> numAttentionHeads,
        boolean useLinearProjection,
        @Nullable String classEmbedType,
        @Nullable String additionEmbedType,
        int additionTimeEmbedDim,
        @Nullable Integer numClassEmbeds,
        String resnetTimeScaleShift,
        @Nullable Integer timeEmbeddingDim,
        @Nullable Integer timeCondProjDim,
        int convInKernel,
        int convOutKernel,
        int projectionClassEmbeddingsInputDim,
        JsonNode json) {
    private static final List<String> DOWN =
            List.of("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D");
    private static final List<String> UP =
            List.of("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D");

    /** Reads the object; throws where it asks for what is not supported. */
    public static UNet2DConditionConfig read(JsonNode json, String source) {
        JsonFields f = new JsonFields(json, source);
        List<Integer> channels = f.integers("block_out_channels", List.of(320, 640, 1280, 1280));
        int levels = channels.size();
        List<String> down = f.texts("down_block_types", DOWN);
        List<String> up = f.texts("up_block_types", UP);
        if (down.size() != levels || up.size() != levels) {
            throw f.wrong(
                    "block_out_channels",
                    "as many entries as down_block_types and up_block_types",
                    "%d, %d and %d".formatted(levels, down.size(), up.size()));
        }
        requireKnown(f, "down_block_types", down, List.of("DownBlock2D", "CrossAttnDownBlock2D"));
        requireKnown(f, "up_block_types", up, List.of("UpBlock2D", "CrossAttnUpBlock2D"));
        String mid = json.has("mid_block_type") && json.get("mid_block_type").isNull()
                ? null
                : f.choice("mid_block_type", "UNetMidBlock2DCrossAttn", "UNetMidBlock2DCrossAttn");
        boolean hasHeads = json.hasNonNull("num_attention_heads");
        List<Integer> transformers = f.integerForEach("transformer_layers_per_block", 1, levels);
        List<Integer> reversed = json.hasNonNull("reverse_transformer_layers_per_block")
                ? f.integerForEach("reverse_transformer_layers_per_block", 1, levels)
                : transformers.reversed();
        refuse(f);
        String hidden = f.textOrNull("encoder_hid_dim_type");
        if (hidden != null && !hidden.equals("text_proj")) {
            throw f.wrong("encoder_hid_dim_type", "null or text_proj", hidden);
        }
        String classes = f.textOrNull("class_embed_type");
        if (classes != null && !List.of("timestep", "identity", "projection").contains(classes)) {
            throw f.wrong("class_embed_type", "null, timestep, identity or projection", classes);
        }
        String addition = f.textOrNull("addition_embed_type");
        if (addition != null && !addition.equals("text_time")) {
            throw f.wrong("addition_embed_type", "null or text_time", addition);
        }
        JsonNode size = json.path("sample_size");
        UNet2DConditionConfig config = new UNet2DConditionConfig(
                size.isArray() ? size.path(0).asInt() : f.integer("sample_size", 0),
                f.integer("in_channels", 4),
                f.integer("out_channels", 4),
                f.flag("center_input_sample", false),
                f.flag("flip_sin_to_cos", true),
                f.number("freq_shift", 0),
                down,
                mid,
                up,
                f.flagForEach("only_cross_attention", false, levels),
                channels,
                f.integerForEach("layers_per_block", 2, levels),
                f.integer("downsample_padding", 1),
                f.number("mid_block_scale_factor", 1),
                f.choice("act_fn", "silu", "silu", "swish", "gelu", "mish", "relu"),
                f.integer("norm_num_groups", 32),
                f.number("norm_eps", 1e-5),
                f.integerForEach("cross_attention_dim", 1280, levels),
                transformers,
                reversed,
                f.integerOrNull("encoder_hid_dim"),
                f.integerForEach(hasHeads ? "num_attention_heads" : "attention_head_dim", 8, levels),
                f.flag("use_linear_projection", false),
                classes,
                addition,
                f.integer("addition_time_embed_dim", 256),
                f.integerOrNull("num_class_embeds"),
                f.choice("resnet_time_scale_shift", "default", "default", "scale_shift"),
                f.integerOrNull("time_embedding_dim"),
                f.integerOrNull("time_cond_proj_dim"),
                f.integer("conv_in_kernel", 3),
                f.integer("conv_out_kernel", 3),
                f.integer("projection_class_embeddings_input_dim", 0),
                json);
        config.check(f);
        return config;
    }

    private static void refuse(JsonFields f) {
        f.requireDefault("dual_cross_attention", false);
        f.requireDefault("resnet_skip_time_act", false);
        f.requireDefault("resnet_out_scale_factor", "1.0");
        f.requireDefault("time_embedding_type", "positional");
        f.requireDefault("time_embedding_act_fn", "null");
        f.requireDefault("timestep_post_act", "null");
        f.requireDefault("attention_type", "default");
        f.requireDefault("class_embeddings_concat", false);
        f.requireDefault("cross_attention_norm", "null");
    }

    private void check(JsonFields f) {
        for (int i = 0; i < levels(); i++) {
            int channels = blockOutChannels.get(i);
            int heads = numAttentionHeads.get(i);
            if (normNumGroups < 1 || channels < 1 || channels % normNumGroups != 0) {
                throw f.wrong(
                        "block_out_channels",
                        "multiples of norm_num_groups " + normNumGroups,
                        String.valueOf(channels));
            }
            if (heads < 1 || channels % heads != 0) {
                throw f.wrong("attention_head_dim", "divisors of block_out_channels", heads + " for " + channels);
            }
            if (layersPerBlock.get(i) < 1 || transformerLayersPerBlock.get(i) < 0 || crossAttentionDim.get(i) < 1) {
                throw f.wrong(
                        "layers_per_block, transformer_layers_per_block, cross_attention_dim",
                        "positive numbers",
                        layersPerBlock.get(i) + ", " + transformerLayersPerBlock.get(i) + ", "
                                + crossAttentionDim.get(i));
            }
        }
        if (inChannels < 1 || outChannels < 1 || convInKernel < 1 || convOutKernel < 1 || !(normEps > 0)) {
            throw f.wrong(
                    "in_channels, out_channels, conv_in_kernel, conv_out_kernel, norm_eps",
                    "positive numbers",
                    "%d, %d, %d, %d, %s".formatted(inChannels, outChannels, convInKernel, convOutKernel, normEps));
        }
        boolean projects = "projection".equals(classEmbedType) || additionEmbedType != null;
        if (projects && projectionClassEmbeddingsInputDim < 1) {
            throw f.wrong("projection_class_embeddings_input_dim", "a positive number", "none");
        }
    }

    private static void requireKnown(JsonFields f, String key, List<String> types, List<String> known) {
        for (String type : types) {
            if (!known.contains(type)) {
                throw f.wrong(key, "block types among " + String.join(", ", known), "\"" + type + "\"");
            }
        }
    }

    int levels() {
        return blockOutChannels.size();
    }

    int embeddingSize() {
        return timeEmbeddingDim == null ? 4 * blockOutChannels.getFirst() : timeEmbeddingDim;
    }

    Function activation() {
        return UNet2DConfig.activation(actFn);
    }

    /** Channels that the residual blocks of up block {@code i} take from the way down. */
    List<Integer> skips(int i) {
        List<Integer> upwards = blockOutChannels.reversed();
        int layers = layersPerBlock.reversed().get(i);
        List<Integer> skips = new java.util.ArrayList<>(Collections.nCopies(layers, upwards.get(i)));
        skips.add(upwards.get(Math.min(i + 1, levels() - 1)));
        return skips;
    }
}
