package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.io.Json;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * StyleID on one backend against a torch program in which the content's and the style's features are stored by runs of their
 * own, rather than computed beside the result.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class StylizeParity {
    private static final double TOLERANCE = 1e-4;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** The backend under test. */
    protected abstract Backend backend();

    /** Family and run, with a space between. */
    protected List<String> runs() {
        return Golden.runs("stylize_", "sd", "sdxl");
    }

    @ParameterizedTest
    @MethodSource("runs")
    void picturesAgree(String name) {
        String family = name.substring(0, name.indexOf(' '));
        String runName = name.substring(family.length() + 1);
        Golden golden = Golden.read("stylize_" + family);
        Path place = folder.resolve(family);
        if (!place.toFile().exists()) {
            TinyStableDiffusion.write(place, golden);
        }
        JsonNode run = golden.facts().path("runs").path(runName);
        float[] latent = TextToImageParity.check(
                golden,
                runName,
                TextToImageParity.pipeline(backend(), place, run),
                null,
                edit(golden, run, run.path("source").textValue()));
        Golden.assertClose(name, latent, golden.floats(runName + ".sample"), TOLERANCE);
    }

    /** The runs in pixels. */
    protected List<String> pixelRuns() {
        return Golden.read("stylize_pixels").runs();
    }

    @ParameterizedTest
    @MethodSource("pixelRuns")
    void samplesInPixelsAgree(String name) throws IOException {
        Golden golden = Golden.read("stylize_pixels");
        JsonNode run = golden.facts().path("runs").path(name);
        Path place = folder.resolve("pixels");
        Path unet = Files.createDirectories(place.resolve("unet"));
        Path scheduler = Files.createDirectories(place.resolve("scheduler"));
        Json.write(unet.resolve("config.json"), golden.facts().path("config"));
        Json.write(scheduler.resolve("scheduler_config.json"), golden.facts().path("scheduler"));
        Json.write(place.resolve("model_index.json"), Json.parse("{\"_class_name\": \"DDIMPipeline\"}", "index"));
        TinyStableDiffusion.weights(
                unet.resolve("diffusion_pytorch_model.safetensors"),
                golden.model().parameters());
        LoadedModel model = LoadedModel.open(place.toString());
        int steps = run.path("num_inference_steps").intValue();
        List<float[]> samples = new ArrayList<>();
        // Two results are alike, whatever the batch.
        ImageGenerator.Request request = new ImageGenerator.Request(
                2, 0, RandomSource.Kind.TORCH, steps, 1, golden.shape("input.content")[0], List.of(-1, -1, -1));
        try (ImageGenerator generator = new ImageGenerator(
                model, Inversion.sampler(model.scheduler(null)), backend(), request, edit(golden, run, null))) {
            generator.run(
                    () -> false,
                    step -> {
                        if (step.first() != FinishedStep.LED_BACK && step.done() == step.steps()) {
                            samples.addAll(step.samples());
                        }
                    },
                    _ -> {});
        }
        assertThat(samples).hasSize(3);
        for (float[] sample : samples) {
            Golden.assertClose(name, sample, golden.floats(name + ".sample"), TOLERANCE);
        }
    }

    private static Edit edit(Golden golden, JsonNode run, @Nullable String source) {
        return new Edit.Stylize(
                new Edit.Invert(
                        List.of(
                                EditingParity.picture(golden, "input.content"),
                                EditingParity.picture(golden, "input.style")),
                        source,
                        run.path("strength").doubleValue()),
                new Injection(
                        run.path("gamma").doubleValue(),
                        run.path("tau").doubleValue(),
                        run.path("share").doubleValue(),
                        run.path("adain").booleanValue(),
                        List.of()));
    }
}
