package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.Json;
import diffusion.io.TensorData;
import diffusion.model.AutoencoderKL;
import diffusion.model.CLIPTextModel;
import diffusion.model.Golden;
import diffusion.model.SingleFile.Family;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;

/**
 * Tiny checkpoints in a single file, named as diffusers' converters would have it (scripts/golden/single_file.py).
 *
 * @param unet config of the U-Net, and so on
 * @param tensors by original name
 */
record TinySingleFile(JsonNode unet, JsonNode vae, JsonNode text, JsonNode text2, Map<String, TensorData> tensors) {
    private static final String VAE = """
            {"_class_name": "AutoencoderKL", "block_out_channels": [32, 32, 64], "layers_per_block": 2,
             "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D", "DownEncoderBlock2D"],
             "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D", "UpDecoderBlock2D"]}""";
    private static final String TEXT = """
            {"vocab_size": 49408, "hidden_size": 64, "num_hidden_layers": 2, "intermediate_size": 64,
             "num_attention_heads": 1}""";
    private static final String OPEN_CLIP = """
            {"vocab_size": 49408, "hidden_size": 64, "num_hidden_layers": 3, "intermediate_size": 64,
             "num_attention_heads": 1, "hidden_act": "gelu", "projection_dim": 10,
             "architectures": ["CLIPTextModelWithProjection"]}""";
    private static final String UNET = """
            {"_class_name": "UNet2DConditionModel", "block_out_channels": [32, 64], "layers_per_block": 2,
             "down_block_types": ["CrossAttnDownBlock2D", "DownBlock2D"],
             "up_block_types": ["UpBlock2D", "CrossAttnUpBlock2D"], "cross_attention_dim": 64""";
    private static final String UNET_XL = """
            {"_class_name": "UNet2DConditionModel", "block_out_channels": [32, 64, 64], "layers_per_block": 2,
             "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
             "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
             "cross_attention_dim": 128, "attention_head_dim": 1, "transformer_layers_per_block": [1, 2, 3],
             "use_linear_projection": true, "addition_embed_type": "text_time", "addition_time_embed_dim": 256,
             "projection_class_embeddings_input_dim": 1546}""";

    /** The checkpoint of a family; that of Stable Diffusion 2 has OpenCLIP's last layer, which is not used. */
    static TinySingleFile of(Family family) {
        String config = switch (family) {
            case SD1 -> UNET + ", \"attention_head_dim\": 8}";
            case SD2 -> UNET + ", \"attention_head_dim\": 1, \"use_linear_projection\": true}";
            case SDXL -> UNET_XL;
            case SDXL_REFINER ->
                UNET_XL.replace("\"cross_attention_dim\": 128", "\"cross_attention_dim\": 64")
                        .replace("[1, 2, 3]", "[3, 2, 3]")
                        .replace("1546", "1290");
        };
        TinySingleFile file = new TinySingleFile(
                Json.parse(config, "unet"),
                Json.parse(VAE, "vae"),
                Json.parse(TEXT, "text"),
                Json.parse(OPEN_CLIP, "text 2"),
                new LinkedHashMap<>());
        Parameters unet = new UNet2DConditionModel(UNet2DConditionConfig.read(file.unet, "unet")).parameters();
        file.put(unet, names(family.isXL() ? "unet_sdxl" : "unet_sd"));
        file.put(new AutoencoderKL(AutoencoderKL.Config.read(file.vae, "vae")).parameters(), names("vae"));
        switch (family) {
            case SD1 -> file.clip("cond_stage_model.transformer.");
            case SD2 -> file.openClip("cond_stage_model.model.");
            case SDXL -> {
                file.clip("conditioner.embedders.0.transformer.");
                file.openClip("conditioner.embedders.1.model.");
            }
            case SDXL_REFINER -> file.openClip("conditioner.embedders.0.model.");
        }
        return file;
    }

    /** Original names by diffusers' ones. */
    static Map<String, String> names(String part) {
        Map<String, String> names = new LinkedHashMap<>();
        Golden.read("single_file")
                .facts()
                .path(part)
                .properties()
                .forEach(entry -> names.put(entry.getKey(), entry.getValue().textValue()));
        return names;
    }

    private void put(Parameters parameters, Map<String, String> names) {
        Golden.weights(parameters.all()).forEach((tensor, values) -> {
            String name = Objects.requireNonNull(names.get(tensor.name()));
            boolean convolution = tensor.rank() == 2 && name.contains(".mid.attn_1.");
            int[] shape = convolution ? new int[] {tensor.dim(0), tensor.dim(1), 1, 1} : tensor.shape();
            tensors.put(name, TensorData.of(shape, values));
        });
    }

    private void clip(String prefix) {
        Golden.weights(new CLIPTextModel(CLIPTextModel.Config.read(text, "text"))
                        .parameters()
                        .all())
                .forEach(
                        (tensor, values) -> tensors.put(prefix + tensor.name(), TensorData.of(tensor.shape(), values)));
    }

    private void openClip(String prefix) {
        Map<String, float[]> values = new LinkedHashMap<>();
        Map<String, int[]> shapes = new LinkedHashMap<>();
        Golden.weights(new CLIPTextModel(CLIPTextModel.Config.read(text2, "text"))
                        .parameters()
                        .all())
                .forEach((Tensor tensor, float[] weight) -> {
                    JsonNode place =
                            Golden.read("single_file").facts().path("clip").path(tensor.name());
                    String name =
                            prefix + place.path(0).textValue().substring("conditioner.embedders.1.model.".length());
                    int of = place.path(2).intValue();
                    float[] all = values.computeIfAbsent(name, _ -> new float[weight.length * of]);
                    System.arraycopy(weight, 0, all, place.path(1).intValue() * weight.length, weight.length);
                    int[] shape = tensor.shape();
                    shape[0] *= of;
                    shapes.put(name, shape);
                });
        String projection = prefix + "text_projection";
        int[] shape = Objects.requireNonNull(shapes.get(projection));
        shapes.put(projection, new int[] {shape[1], shape[0]});
        values.forEach((name, all) -> tensors.put(name, TensorData.of(Objects.requireNonNull(shapes.get(name)), all)));
    }
}
