package diffusion.benchmarks;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import diffusion.io.DType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.AutoencoderKL;
import diffusion.model.CLIPTextModel;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import diffusion.text.CLIPTokenizer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Writes a pipeline folder with the published configuration of a model and random fp16 weights, to measure time and memory
 * without the model itself: {@code RandomCheckpoint sd15|sd21|sdxl FOLDER}.
 */
public final class RandomCheckpoint {
    private static final String CLIP_L = """
            {"architectures": ["CLIPTextModel"], "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12,
             "num_attention_heads": 12, "hidden_act": "quick_gelu", "vocab_size": 49408, "eos_token_id": 2}""";
    private static final String VAE = """
            {"block_out_channels": [128, 256, 512, 512], "layers_per_block": 2, "sample_size": %d,
             "scaling_factor": %s, "down_block_types": ["DownEncoderBlock2D", "DownEncoderBlock2D",
             "DownEncoderBlock2D", "DownEncoderBlock2D"], "up_block_types": ["UpDecoderBlock2D", "UpDecoderBlock2D",
             "UpDecoderBlock2D", "UpDecoderBlock2D"]}""";

    private RandomCheckpoint() {}

    /** Writes the folder. */
    public static void main(String[] args) throws IOException {
        String kind = args[0];
        Path folder = Path.of(args[1]);
        Map<String, String> parts = new LinkedHashMap<>();
        switch (kind) {
            case "sd15" -> {
                parts.put("text_encoder", CLIP_L);
                parts.put("unet", """
                        {"cross_attention_dim": 768, "attention_head_dim": 8, "sample_size": 64}""");
                parts.put("vae", VAE.formatted(512, "0.18215"));
            }
            case "sd21" -> {
                parts.put("text_encoder", """
                        {"architectures": ["CLIPTextModel"], "hidden_size": 1024, "intermediate_size": 4096,
                         "num_hidden_layers": 23, "num_attention_heads": 16, "hidden_act": "gelu", "eos_token_id": 2}""");
                parts.put("unet", """
                        {"cross_attention_dim": 1024, "attention_head_dim": [5, 10, 20, 20], "sample_size": 96,
                         "use_linear_projection": true, "upcast_attention": true}""");
                parts.put("vae", VAE.formatted(768, "0.18215"));
            }
            case "sdxl" -> {
                parts.put("text_encoder", CLIP_L);
                parts.put("text_encoder_2", """
                        {"architectures": ["CLIPTextModelWithProjection"], "hidden_size": 1280,
                         "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
                         "hidden_act": "gelu", "projection_dim": 1280, "eos_token_id": 2}""");
                parts.put("unet", """
                        {"cross_attention_dim": 2048, "attention_head_dim": [5, 10, 20], "sample_size": 128,
                         "block_out_channels": [320, 640, 1280], "transformer_layers_per_block": [1, 2, 10],
                         "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
                         "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
                         "use_linear_projection": true, "addition_embed_type": "text_time",
                         "addition_time_embed_dim": 256, "projection_class_embeddings_input_dim": 2816}""");
                parts.put("vae", VAE.formatted(1024, "0.13025"));
            }
            default -> throw new IllegalArgumentException("expected sd15, sd21 or sdxl, found " + kind);
        }
        write(folder, kind, parts);
    }

    private static void write(Path folder, String kind, Map<String, String> parts) throws IOException {
        ObjectNode index = Json.object();
        index.put("_class_name", kind.equals("sdxl") ? "StableDiffusionXLPipeline" : "StableDiffusionPipeline");
        Path scheduler = Files.createDirectories(folder.resolve("scheduler"));
        Files.writeString(scheduler.resolve("scheduler_config.json"), """
                {"_class_name": "EulerDiscreteScheduler", "beta_start": 0.00085, "beta_end": 0.012,
                 "beta_schedule": "scaled_linear", "steps_offset": 1, "timestep_spacing": "leading"}""");
        index.putArray("scheduler").add("diffusers").add("EulerDiscreteScheduler");
        for (Map.Entry<String, String> part : parts.entrySet()) {
            String name = part.getKey();
            Path place = Files.createDirectories(folder.resolve(name));
            Files.writeString(place.resolve("config.json"), part.getValue());
            JsonNode config = Json.parse(part.getValue(), name);
            boolean text = name.startsWith("text");
            boolean openClip = kind.equals("sd21") || name.equals("text_encoder_2");
            ArrayNode entry = index.putArray(name);
            Parameters parameters;
            if (name.equals("unet")) {
                entry.add("diffusers").add("UNet2DConditionModel");
                parameters = new UNet2DConditionModel(UNet2DConditionConfig.read(config, name)).parameters();
            } else if (name.equals("vae")) {
                entry.add("diffusers").add("AutoencoderKL");
                parameters = new AutoencoderKL(AutoencoderKL.Config.read(config, name)).parameters();
            } else {
                entry.add("transformers").add("CLIPTextModel");
                parameters = new CLIPTextModel(CLIPTextModel.Config.read(config, name)).parameters();
                CLIPTokenizer.standard(openClip ? "!" : "<|endoftext|>")
                        .write(Files.createDirectories(folder.resolve(name.replace("text_encoder", "tokenizer"))));
            }
            Path file = place.resolve((text ? "model" : "diffusion_pytorch_model") + ".safetensors");
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            parameters
                    .all()
                    .forEach(parameter -> tensors.put(
                            parameter.name(), TensorData.lazy(parameter.shape(), () -> values(parameters, parameter))));
            SafeTensors.write(file, tensors, Map.of("format", "pt"), DType.F16);
            System.out.printf("%s: %,d parameters%n", file, parameters.count());
        }
        Json.write(folder.resolve("model_index.json"), index);
    }

    private static float[] values(Parameters parameters, Tensor parameter) {
        SplittableRandom random = new SplittableRandom(parameter.name().hashCode());
        float[] values = new float[parameter.size()];
        switch (parameters.init(parameter)) {
            case Init.Constant(float value) -> java.util.Arrays.fill(values, value);
            case Init.Uniform(float bound) -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = (random.nextInt() * 0x1p-31f) * bound;
                }
            }
            case Init.Normal(float std) -> {
                for (int i = 0; i < values.length; i++) {
                    values[i] = (random.nextInt() * 0x1p-31f) * 1.7f * std;
                }
            }
        }
        return values;
    }
}
