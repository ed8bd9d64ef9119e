package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.cpu.CpuBackend;
import diffusion.io.DType;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Golden;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.StableDiffusionPipeline;
import diffusion.pipeline.TextualInversion;
import diffusion.pipeline.TinyStableDiffusion;
import diffusion.pipeline.WeightAdjustment;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Learned words against diffusers' load_textual_inversion (scripts/golden/textual_inversion.py). */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TextualInversionTest {
    private static final Golden GOLDEN = Golden.read("textual_inversion");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private Path file(String name, Map<String, TensorData> tensors) {
        Path file = folder.resolve(name + ".safetensors");
        SafeTensors.write(file, tensors, Map.of(), DType.F32);
        return file;
    }

    private static TensorData tensor(String name) {
        return TensorData.of(GOLDEN.shape(name), GOLDEN.floats(name));
    }

    private static TensorData zeros(int... shape) {
        return TensorData.of(shape, new float[shape[0] * shape[1]]);
    }

    @Test
    void idsAndPicturesAreThoseOfDiffusers() {
        Path model = folder.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
        StableDiffusionComponents components = StableDiffusionComponents.open("tiny", model);
        components = TextualInversion.add(components, file("one", Map.of("<cat>", tensor("one"))), null);
        components =
                TextualInversion.add(components, file("many", Map.of("emb_params", tensor("many"))), "<many-things>");
        String prompt = GOLDEN.facts().path("prompt").textValue();
        int[] ids = components.texts().getFirst().tokenizer().encode(prompt);
        float[] expected = GOLDEN.floats("ids");
        assertThat(ids).hasSameSizeAs(expected);
        for (int i = 0; i < ids.length; i++) {
            assertThat((float) ids[i]).as("token " + i).isEqualTo(expected[i]);
        }
        assertPicture(components, GOLDEN);
    }

    @Test
    void picturesOfXlAreThoseOfDiffusers() {
        Golden golden = Golden.read("textual_inversion_sdxl");
        Path model = folder.resolve("tiny-xl");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sdxl"));
        Map<String, TensorData> vectors = new LinkedHashMap<>();
        for (String name : List.of("clip_l", "clip_g")) {
            vectors.put(name, TensorData.of(golden.shape(name), golden.floats(name)));
        }
        assertPicture(
                TextualInversion.add(StableDiffusionComponents.open("tiny", model), file("xl", vectors), "<cat>"),
                golden);
    }

    /** Makes the picture of a golden file and holds it to the stored one. */
    private static void assertPicture(StableDiffusionComponents components, Golden golden) {
        JsonNode facts = golden.facts();
        List<Picture> pictures = new ArrayList<>();
        new StableDiffusionPipeline(
                        components,
                        SchedulerFactory.create(SchedulerConfig.of(facts.path("scheduler_config"), "scheduler")),
                        new CpuBackend(2),
                        WeightAdjustment.NONE)
                .run(
                        new StableDiffusionPipeline.Request(
                                List.of(Prompt.plain(facts.path("prompt").textValue())),
                                null,
                                List.of(facts.path("seed").longValue()),
                                RandomSource.Kind.TORCH,
                                facts.path("height").intValue(),
                                facts.path("width").intValue(),
                                facts.path("num_inference_steps").intValue(),
                                facts.path("guidance_scale").doubleValue(),
                                0,
                                0,
                                1,
                                false,
                                null),
                        () -> false,
                        _ -> {},
                        pictures::add);
        byte[] found = pictures.getFirst().data();
        float[] pixels = golden.floats("pixels");
        assertThat(found).hasSize(pixels.length);
        int plane = found.length / 3;
        int different = 0;
        for (int i = 0; i < found.length; i++) {
            int difference = Math.abs((found[i % 3 * plane + i / 3] & 0xff) - (int) pixels[i]);
            assertThat(difference).isLessThanOrEqualTo(3);
            different += difference > 1 ? 1 : 0;
        }
        assertThat(different).isLessThanOrEqualTo(found.length / 1000);
    }

    @Test
    void refusesThoseOfOtherModels() {
        Path model = folder.resolve("sd");
        Path xl = folder.resolve("xl");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
        TinyStableDiffusion.write(xl, Golden.read("text_to_image_sdxl"));
        Path cat = file("cat", Map.of("<cat>", tensor("one")));
        Path wide = file("wide", Map.of("emb_params", zeros(2, 15)));
        Path both = file("both", Map.of("clip_l", zeros(2, 12), "clip_g", zeros(2, 15)));
        Path out = folder.resolve("out.png");
        Path again = folder.resolve("again.png");
        Object[] plain = {"sample", "--model", xl, "--prompt", "a BOTH", "--steps", 1, "--embedding", both, "--out", out
        };
        assertThat(Cli.run(plain).status()).isZero();
        assertThat(Cli.run("sample", "--from", out, "--out", again).status()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(out, 3));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(out));
        Cli.run("sample", "--model", model, "--prompt", "x", "--embedding", wide)
                .assertOneLine(1, "[2, 15]", "12 numbers", "another base model");
        Cli.run("sample", "--model", model, "--prompt", "x", "--embedding", both)
                .assertOneLine(1, "2 text encoders");
        Cli.run("sample", "--model", xl, "--prompt", "x", "--embedding", cat).assertOneLine(1, "1 text encoders");
        Cli.run("sample", "--model", model, "--prompt", "x", "--embedding", cat + ":a</w>")
                .assertOneLine(1, "vocabulary already", "FILE:TOKEN");
        Cli.run("sample", "--model", model, "--prompt", "x", "--embedding", cat, "--embedding", cat)
                .assertOneLine(1, "<cat>", "vocabulary already");
    }
}
