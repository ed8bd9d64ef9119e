package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.PointOp.Function;
import diffusion.io.Json;
import diffusion.io.JsonFields;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The configuration of a {@link UNet2DModel}; components, defaults and JSON keys are those of diffusers' class.
 *
 * @param sampleSize height and width of the pictures; 0 if not given
 * @param timeEmbeddingDim features of the time embedding; null for four times the first block's channels
 * @param midBlockType null for none
 * @param attentionHeadDim null for one head
 * @param attnNormNumGroups groups of the middle attention's normalisation; null for diffusers' choice
 * @param classEmbedType null, "timestep" or "identity"
 * @param numClassEmbeds number of classes; null for an unconditional model
 */
public record UNet2DConfig(
        int sampleSize,
        int inChannels,
        int outChannels,
        boolean centerInputSample,
        String timeEmbeddingType,
        @Nullable Integer timeEmbeddingDim,
        double freqShift,
        boolean flipSinToCos,
        List<String> downBlockTypes,
        @Nullable String midBlockType,
        List<String> upBlockTypes,
        List<Integer> blockOutChannels,
        int layersPerBlock,
        double midBlockScaleFactor,
        int downsamplePadding,
        String downsampleType,
        String upsampleType,
        double dropout,
        String actFn,
        @Nullable Integer attentionHeadDim,
        int normNumGroups,
        @Nullable Integer attnNormNumGroups,
        double normEps,
        String resnetTimeScaleShift,
        boolean addAttention,
        @Nullable String classEmbedType,
        @Nullable Integer numClassEmbeds,
        @Nullable Integer numTrainTimesteps) {

    /** Reads a config.json; unknown keys and values of the wrong kind are errors that name them. */
    public static UNet2DConfig read(JsonNode json, String source) {
        JsonFields f = new JsonFields(json, source);
        boolean nullMid =
                json.has("mid_block_type") && json.get("mid_block_type").isNull();
        boolean nullHead =
                json.has("attention_head_dim") && json.get("attention_head_dim").isNull();
        Integer headDim = f.integerOrNull("attention_head_dim");
        UNet2DConfig config = new UNet2DConfig(
                f.integer("sample_size", 0),
                f.integer("in_channels", 3),
                f.integer("out_channels", 3),
                f.flag("center_input_sample", false),
                f.choice("time_embedding_type", "positional", "positional", "fourier", "learned"),
                f.integerOrNull("time_embedding_dim"),
                f.number("freq_shift", 0),
                f.flag("flip_sin_to_cos", true),
                f.texts(
                        "down_block_types",
                        List.of("DownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D", "AttnDownBlock2D")),
                nullMid ? null : f.choice("mid_block_type", "UNetMidBlock2D", "UNetMidBlock2D"),
                f.texts("up_block_types", List.of("AttnUpBlock2D", "AttnUpBlock2D", "AttnUpBlock2D", "UpBlock2D")),
                f.integers("block_out_channels", List.of(224, 448, 672, 896)),
                f.integer("layers_per_block", 2),
                f.number("mid_block_scale_factor", 1),
                f.integer("downsample_padding", 1),
                f.choice("downsample_type", "conv", "conv", "resnet"),
                f.choice("upsample_type", "conv", "conv", "resnet"),
                f.number("dropout", 0),
                f.choice("act_fn", "silu", "silu", "swish", "relu", "gelu", "mish"),
                headDim == null && !nullHead ? Integer.valueOf(8) : headDim,
                f.integer("norm_num_groups", 32),
                f.integerOrNull("attn_norm_num_groups"),
                f.number("norm_eps", 1e-5),
                f.choice("resnet_time_scale_shift", "default", "default", "scale_shift"),
                f.flag("add_attention", true),
                f.textOrNull("class_embed_type"),
                f.integerOrNull("num_class_embeds"),
                f.integerOrNull("num_train_timesteps"));
        f.ignore("mid_block_type");
        f.requireNoOthers();
        config.check(f);
        return config;
    }

    private void check(JsonFields f) {
        int blocks = blockOutChannels.size();
        if (blocks == 0 || downBlockTypes.size() != blocks || upBlockTypes.size() != blocks) {
            throw f.wrong(
                    "block_out_channels",
                    "as many entries as down_block_types and up_block_types",
                    "%d, %d and %d".formatted(blocks, downBlockTypes.size(), upBlockTypes.size()));
        }
        requireKnown(f, "down_block_types", downBlockTypes, List.of("DownBlock2D", "AttnDownBlock2D"));
        requireKnown(f, "up_block_types", upBlockTypes, List.of("UpBlock2D", "AttnUpBlock2D"));
        if (normNumGroups < 1) {
            throw f.wrong("norm_num_groups", "a positive number", String.valueOf(normNumGroups));
        }
        for (int channels : blockOutChannels) {
            if (channels < 1 || channels % normNumGroups != 0) {
                throw f.wrong(
                        "block_out_channels",
                        "multiples of norm_num_groups " + normNumGroups,
                        String.valueOf(channels));
            }
        }
        if (inChannels < 1 || outChannels < 1 || layersPerBlock < 1 || sampleSize < 0) {
            throw f.wrong(
                    "in_channels, out_channels, layers_per_block, sample_size",
                    "positive numbers",
                    "%d, %d, %d, %d".formatted(inChannels, outChannels, layersPerBlock, sampleSize));
        }
        if (downsamplePadding != 0 && downsamplePadding != 1) {
            throw f.wrong("downsample_padding", "0 or 1", String.valueOf(downsamplePadding));
        }
        requirePositive(f, "attention_head_dim", attentionHeadDim);
        requirePositive(f, "attn_norm_num_groups", attnNormNumGroups);
        requirePositive(f, "num_class_embeds", numClassEmbeds);
        requirePositive(f, "time_embedding_dim", timeEmbeddingDim);
        requirePositive(f, "num_train_timesteps", numTrainTimesteps);
        if (!(normEps > 0) || !(midBlockScaleFactor > 0)) {
            throw f.wrong("norm_eps, mid_block_scale_factor", "positive numbers", normEps + ", " + midBlockScaleFactor);
        }
        if (dropout < 0 || dropout >= 1) {
            throw f.wrong("dropout", "a probability below 1", String.valueOf(dropout));
        }
        if (classEmbedType != null && !List.of("timestep", "identity").contains(classEmbedType)) {
            throw f.wrong("class_embed_type", "null, timestep or identity", "\"" + classEmbedType + "\"");
        }
        if (timeEmbeddingType.equals("learned") && numTrainTimesteps == null) {
            throw f.wrong("num_train_timesteps", "a number with time_embedding_type learned", "null");
        }
    }

    private static void requirePositive(JsonFields f, String key, @Nullable Integer value) {
        if (value != null && value < 1) {
            throw f.wrong(key, "a positive number", value.toString());
        }
    }

    private static void requireKnown(JsonFields f, String key, List<String> types, List<String> known) {
        for (String type : types) {
            if (!known.contains(type)) {
                throw f.wrong(key, "block types among " + String.join(", ", known), "\"" + type + "\"");
            }
        }
    }

    /** The config.json that diffusers reads. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put("_class_name", "UNet2DModel");
        json.put("_diffusers_version", ModelFolder.DIFFUSERS_VERSION);
        json.put("act_fn", actFn);
        json.put("add_attention", addAttention);
        json.put("attention_head_dim", attentionHeadDim);
        json.put("attn_norm_num_groups", attnNormNumGroups);
        blockOutChannels.forEach(json.putArray("block_out_channels")::add);
        json.put("center_input_sample", centerInputSample);
        json.put("class_embed_type", classEmbedType);
        downBlockTypes.forEach(json.putArray("down_block_types")::add);
        json.put("downsample_padding", downsamplePadding);
        json.put("downsample_type", downsampleType);
        json.put("dropout", dropout);
        json.put("flip_sin_to_cos", flipSinToCos);
        if (freqShift == Math.rint(freqShift)) {
            json.put("freq_shift", (int) freqShift);
        } else {
            json.put("freq_shift", freqShift);
        }
        json.put("in_channels", inChannels);
        json.put("layers_per_block", layersPerBlock);
        json.put("mid_block_scale_factor", midBlockScaleFactor);
        json.put("mid_block_type", midBlockType);
        json.put("norm_eps", normEps);
        json.put("norm_num_groups", normNumGroups);
        json.put("num_class_embeds", numClassEmbeds);
        json.put("num_train_timesteps", numTrainTimesteps);
        json.put("out_channels", outChannels);
        json.put("resnet_time_scale_shift", resnetTimeScaleShift);
        json.put("sample_size", sampleSize == 0 ? null : (Integer) sampleSize);
        json.put("time_embedding_dim", timeEmbeddingDim);
        json.put("time_embedding_type", timeEmbeddingType);
        upBlockTypes.forEach(json.putArray("up_block_types")::add);
        json.put("upsample_type", upsampleType);
        return json;
    }

    /** The activation that act_fn names. */
    Function activation() {
        return activation(actFn);
    }

    /** The activation of diffusers' name. */
    static Function activation(String name) {
        return switch (name) {
            case "relu" -> Function.RELU;
            case "gelu" -> Function.GELU;
            case "mish" -> Function.MISH;
            default -> Function.SILU;
        };
    }

    /** Features of the time embedding. */
    int embeddingSize() {
        return timeEmbeddingDim == null ? 4 * blockOutChannels.getFirst() : timeEmbeddingDim;
    }
}
