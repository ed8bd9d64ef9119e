package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Parameters;
import diffusion.io.DType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Autoencoder;
import diffusion.model.CLIPTextModel;
import diffusion.model.Golden;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.zip.GZIPInputStream;

/** Writes the tiny pipelines of scripts/golden/text_to_image.py as diffusers lays them out. */
public final class TinyStableDiffusion {
    private TinyStableDiffusion() {}

    /** A pipeline folder with the parts of a golden file; the scheduler is a default one. */
    public static void write(Path folder, Golden golden) {
        try {
            JsonNode parts = golden.facts().path("components");
            ObjectNode index = Json.object();
            index.put("_class_name", golden.facts().path("pipeline").asText());
            golden.facts().path("index").properties().forEach(entry -> index.set(entry.getKey(), entry.getValue()));
            index.putArray("scheduler").add("diffusers").add("EulerDiscreteScheduler");
            ObjectNode scheduler = Json.object();
            scheduler.put("_class_name", "EulerDiscreteScheduler");
            Json.write(
                    Files.createDirectories(folder.resolve("scheduler")).resolve("scheduler_config.json"), scheduler);
            if (golden.facts().has("low_res_scheduler")) {
                index.putArray("low_res_scheduler").add("diffusers").add("DDPMScheduler");
                Json.write(
                        Files.createDirectories(folder.resolve("low_res_scheduler"))
                                .resolve("scheduler_config.json"),
                        golden.facts().path("low_res_scheduler"));
            }
            for (Map.Entry<String, JsonNode> part : parts.properties()) {
                String name = part.getKey();
                Path place = Files.createDirectories(folder.resolve(name));
                Json.write(place.resolve("config.json"), part.getValue());
                boolean text = name.startsWith("text");
                ArrayNode entry = index.putArray(name).add(text ? "transformers" : "diffusers");
                entry.add(
                        name.equals("unet")
                                ? "UNet2DConditionModel"
                                : name.equals("vae")
                                        ? part.getValue().path("_class_name").asText()
                                        : part.getValue()
                                                .path("architectures")
                                                .path(0)
                                                .asText());
                weights(
                        place.resolve((text ? "model" : "diffusion_pytorch_model") + ".safetensors"),
                        parameters(name, part.getValue()));
            }
            for (Map.Entry<String, JsonNode> pad : golden.facts().path("pads").properties()) {
                index.putArray(pad.getKey()).add("transformers").add("CLIPTokenizer");
                tokenizer(
                        folder.resolve(pad.getKey()),
                        golden.facts().path("merges").intValue(),
                        pad.getValue().textValue());
            }
            Json.write(folder.resolve("model_index.json"), index);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static Parameters parameters(String name, JsonNode config) {
        return switch (name) {
            case "unet" -> new UNet2DConditionModel(UNet2DConditionConfig.read(config, name)).parameters();
            case "vae" -> Autoencoder.Config.read(config, name).model().parameters();
            default -> new CLIPTextModel(CLIPTextModel.Config.read(config, name)).parameters();
        };
    }

    static void weights(Path file, Parameters parameters) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Golden.weights(parameters.all())
                .forEach((tensor, values) -> tensors.put(tensor.name(), TensorData.of(tensor.shape(), values)));
        SafeTensors.write(file, tensors, Map.of("format", "pt"), DType.F32);
    }

    /** The first merges of CLIP's vocabulary. */
    static void tokenizer(Path folder, int merges, String pad) throws IOException {
        Files.createDirectories(folder);
        List<String> lines = new ArrayList<>();
        try (BufferedReader reader = new BufferedReader(new InputStreamReader(
                new GZIPInputStream(
                        Objects.requireNonNull(TinyStableDiffusion.class.getResourceAsStream("/clip/merges.txt.gz"))),
                StandardCharsets.UTF_8))) {
            reader.lines().limit(merges + 1).forEach(lines::add);
        }
        Files.write(folder.resolve("merges.txt"), lines);
        List<String> words = new ArrayList<>();
        List<String> hidden = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            boolean visible = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            (visible ? words : hidden).add(String.valueOf((char) (visible ? b : 256 + hidden.size())));
        }
        words.addAll(hidden);
        List.copyOf(words).forEach(word -> words.add(word + "</w>"));
        lines.stream().skip(1).forEach(line -> words.add(line.replace(" ", "")));
        words.addAll(List.of("<|startoftext|>", "<|endoftext|>"));
        ObjectNode vocabulary = Json.object();
        for (int i = 0; i < words.size(); i++) {
            vocabulary.put(words.get(i), i);
        }
        Json.write(folder.resolve("vocab.json"), vocabulary);
        ObjectNode config = Json.object();
        config.put("pad_token", pad);
        config.put("model_max_length", 77);
        Json.write(folder.resolve("tokenizer_config.json"), config);
    }
}
