package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Parameters;
import diffusion.io.DType;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Autoencoder;
import diffusion.model.Golden;
import diffusion.model.Models;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** {@code sample} on a folder of diffusers' LDMPipeline. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LatentDiffusionTest {
    private static final Golden GOLDEN = Golden.read("ldm");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private static void part(Path place, JsonNode config, Parameters parameters) throws IOException {
        Json.write(Files.createDirectories(place).resolve("config.json"), config);
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Golden.weights(parameters.all())
                .forEach((tensor, values) -> tensors.put(tensor.name(), TensorData.of(tensor.shape(), values)));
        SafeTensors.write(place.resolve("diffusion_pytorch_model.safetensors"), tensors, Map.of(), DType.F32);
    }

    private Path model() throws IOException {
        Path model = folder.resolve("ldm");
        JsonNode unet = GOLDEN.facts().path("unet");
        JsonNode vqvae = GOLDEN.facts().path("vqvae");
        part(model.resolve("unet"), unet, Models.fromConfig(unet, "unet").parameters());
        part(
                model.resolve("vqvae"),
                vqvae,
                Autoencoder.Config.read(vqvae, "vqvae").model().parameters());
        Path scheduler = Files.createDirectories(model.resolve("scheduler"));
        Json.write(scheduler.resolve("scheduler_config.json"), GOLDEN.facts().path("scheduler"));
        ObjectNode index = Json.object();
        index.put("_class_name", "LDMPipeline");
        index.putArray("vqvae").add("diffusers").add("VQModel");
        index.putArray("unet").add("diffusers").add("UNet2DModel");
        index.putArray("scheduler").add("diffusers").add("DDIMScheduler");
        Json.write(model.resolve("model_index.json"), index);
        return model;
    }

    @Test
    void makesThePicturesOfDiffusers() throws IOException {
        Path model = model();
        Path out = folder.resolve("out.png");
        int steps = GOLDEN.facts()
                .path("runs")
                .path("ddim")
                .path("num_inference_steps")
                .intValue();
        for (int seed : List.of(0, 7)) {
            Cli.Result result =
                    Cli.run("sample", "--model", model, "--steps", steps, "--seed", seed, "-n", 1, "--out", out);
            assertThat(result.status()).as(result.err()).isZero();
            byte[] found = Images.read(out, 3).data();
            float[] expected = GOLDEN.floats("ddim." + seed);
            assertThat(found).hasSize(expected.length);
            int plane = found.length / 3;
            int worst = 0;
            int different = 0;
            for (int i = 0; i < found.length; i++) {
                int difference = Math.abs((found[i % 3 * plane + i / 3] & 0xff) - (int) expected[i]);
                worst = Math.max(worst, difference);
                different += difference > 1 ? 1 : 0;
            }
            assertThat(worst).as("largest difference in levels").isLessThanOrEqualTo(3);
            assertThat(different).as("values more than one level off").isLessThanOrEqualTo(found.length / 1000);
        }
        Path many = folder.resolve("many");
        Cli.run("sample", "--model", model, "--steps", steps, "--seed", 6, "-n", 3, "--batch", 2, "--out", many);
        assertThat(Images.read(many.resolve("00001-seed7.png"), 3)).isEqualTo(Images.read(out, 3));
        Cli.run("sample", "--model", model, "--size", 33, "--out", out).assertOneLine(1, "--size", "33");

        Cli.Result info = Cli.run("info", "--model", model);
        assertThat(info.status()).as(info.err()).isZero();
        assertThat(info.out()).contains("vqvae", "pictures: 32 x 32", "every parameter matches");
    }
}
