package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole pictures of diffusers' text-to-image pipelines on one backend, from folders as diffusers lays them out. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class TextToImageParity {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** The backend under test. */
    protected abstract Backend backend();

    /** Family and run, with a space between. */
    protected List<String> runs() {
        return Golden.runs("text_to_image_", "sd", "taesd", "sdxl", "lcm");
    }

    @ParameterizedTest
    @MethodSource("runs")
    void picturesAgree(String name) {
        String family = name.substring(0, name.indexOf(' '));
        String runName = name.substring(family.length() + 1);
        Golden golden = Golden.read("text_to_image_" + family);
        Path place = folder.resolve(name.replace(' ', '-'));
        TinyStableDiffusion.write(place, golden);
        JsonNode run = golden.facts().path("runs").path(runName);
        check(golden, runName, pipeline(backend(), place, run), null, null);
    }

    /** Runs whose last steps a refiner does. */
    protected List<String> refined() {
        return Golden.read("refiner").runs();
    }

    @ParameterizedTest
    @MethodSource("refined")
    void refinedPicturesAgree(String name) {
        Golden golden = Golden.read("refiner");
        Path base = folder.resolve("base-" + name);
        Path refiner = folder.resolve("refiner-" + name);
        TinyStableDiffusion.write(base, Golden.read("text_to_image_sdxl"));
        TinyStableDiffusion.write(refiner, golden);
        JsonNode run = golden.facts().path("runs").path(name);
        check(
                golden,
                name,
                pipeline(backend(), base, run),
                new StableDiffusionPipeline.Refiner(
                        pipeline(backend(), refiner, run), run.path("fraction").doubleValue()),
                null);
    }

    /** The pipeline in a folder with a run's sampler. */
    static StableDiffusionPipeline pipeline(Backend backend, Path place, JsonNode run) {
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.of(run.path("scheduler_config"), "scheduler"));
        return new StableDiffusionPipeline(
                StableDiffusionComponents.open("tiny", place), scheduler, backend, WeightAdjustment.NONE);
    }

    /** Makes the picture of a run and holds it to the stored one; returns its latent. */
    static float[] check(
            Golden golden,
            String runName,
            StableDiffusionPipeline pipeline,
            StableDiffusionPipeline.@Nullable Refiner refiner,
            @Nullable Edit edit) {
        JsonNode run = golden.facts().path("runs").path(runName);
        int[] size = golden.shape(runName); // [.., H, W, 3]
        Prompt negative = run.has("negative_prompt")
                ? Prompt.plain(run.path("negative_prompt").textValue())
                : null;
        List<Picture> pictures = new ArrayList<>();
        List<float[]> latents = new ArrayList<>();
        pipeline.run(
                new StableDiffusionPipeline.Request(
                        List.of(Prompt.plain(golden.facts().path("prompt").textValue())),
                        negative,
                        List.of(golden.facts().path("seed").longValue()),
                        RandomSource.Kind.TORCH,
                        size[size.length - 3],
                        size[size.length - 2],
                        run.path("num_inference_steps").intValue(),
                        run.path("guidance_scale").doubleValue(),
                        run.path("guidance_rescale").asDouble(0),
                        run.path("clip_skip").asInt(0),
                        1,
                        false,
                        edit),
                refiner,
                () -> false,
                step -> latents.add(step.samples().getFirst()),
                pictures::add);
        assertNear(pictures.getFirst(), golden.floats(runName));
        return latents.getLast();
    }

    /** Requires a picture to be that of [H, W, 3]: 1 level off on all but a thousandth of the values, nowhere more than 3. */
    static void assertNear(Picture picture, float[] pixels) {
        int different = 0;
        int worst = 0;
        byte[] data = picture.data();
        assertThat(data).hasSameSizeAs(pixels);
        int plane = data.length / 3;
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < plane; i++) {
                int difference = Math.abs((data[c * plane + i] & 0xff) - (int) pixels[3 * i + c]);
                worst = Math.max(worst, difference);
                different += difference > 1 ? 1 : 0;
            }
        }
        assertThat(worst).as("largest difference in levels").isLessThanOrEqualTo(3);
        assertThat(different).as("values more than one level off").isLessThanOrEqualTo(data.length / 1000);
    }
}
