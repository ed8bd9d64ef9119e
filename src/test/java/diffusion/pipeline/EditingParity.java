package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.io.Picture;
import diffusion.model.DenoisingModel;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.RePaintScheduler;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Whole pictures of diffusers' pipelines that make pictures from pictures, on one backend. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class EditingParity {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** The backend under test. */
    protected abstract Backend backend();

    /** Family and run, with a space between. */
    protected List<String> runs() {
        return Golden.runs("edit_", "img2img_sd", "img2img_sdxl", "inpaint_4", "inpaint_9", "upscale");
    }

    @ParameterizedTest
    @MethodSource("runs")
    void picturesAgree(String name) {
        String family = name.substring(0, name.indexOf(' '));
        String runName = name.substring(family.length() + 1);
        Golden golden = Golden.read("edit_" + family);
        Path place = folder.resolve(family);
        if (!place.toFile().exists()) {
            TinyStableDiffusion.write(place, golden);
        }
        JsonNode run = golden.facts().path("runs").path(runName);
        String input = run.path("image").asText("image");
        Picture picture = picture(golden, "input." + input);
        double strength = run.path("strength").asDouble();
        Edit edit = family.equals("upscale")
                ? new Edit.Upscale(picture, run.path("noise_level").intValue())
                : family.startsWith("inpaint")
                        ? new Edit.Inpaint(picture, picture(golden, "mask." + input), strength)
                        : new Edit.ImageToImage(picture, strength);
        TextToImageParity.check(golden, runName, TextToImageParity.pipeline(backend(), place, run), null, edit);
    }

    /** The runs in pixels. */
    protected List<String> pixelRuns() {
        return Golden.read("edit_pixels").runs();
    }

    @ParameterizedTest
    @MethodSource("pixelRuns")
    void picturesInPixelsAgree(String name) {
        Golden golden = Golden.read("edit_pixels");
        JsonNode run = golden.facts().path("runs").path(name);
        int steps = run.path("num_inference_steps").intValue();
        SchedulerConfig config = SchedulerConfig.of(run.path("scheduler_config"), name);
        Scheduler scheduler = SchedulerFactory.create(run.has("eta") ? config.with("eta", 0.7) : config);
        if (scheduler instanceof RePaintScheduler repaint) {
            repaint.setJumps(
                    run.path("jump_length").intValue(),
                    run.path("jump_n_sample").intValue());
        }
        scheduler.setTimesteps(steps);
        Picture picture = picture(golden, "input");
        float[] image = picture.toModel();
        float[] mask = new float[image.length];
        float[] grey = golden.floats("mask");
        for (int i = 0; i < mask.length; i++) {
            mask[i] = grey[i % grey.length] >= 128 ? 1 : 0;
        }
        DenoisingModel model = golden.model();
        SamplingLoop loop = new SamplingLoop(model, scheduler, 1, picture.height(), picture.width(), false, 0);
        List<RandomSource> generators = List.of(RandomSource.of(
                RandomSource.Kind.TORCH, golden.facts().path("seed").longValue()));
        float[] noise = SamplingLoop.draw(generators, image.length);
        Edit edit = new Edit.ImageToImage(picture, run.path("strength").asDouble(1));
        SamplingLoop.Course course = scheduler instanceof RePaintScheduler repaint
                ? new RePaintCourse(repaint, generators, noise, image, mask)
                : EditCourse.begin(
                        scheduler, edit.begin(scheduler, steps), false, image, noise, run.has("hole") ? mask : null);
        try (Program program = backend().compile(List.of(loop.graph()))) {
            Golden.weights(model.parameters().all()).forEach(program::write);
            float[] made = loop.run(program, generators, new int[1], 1, course, () -> false, (_, _, _, _) -> {});
            Picture result = Picture.fromModel(made, 0, 3, picture.height(), picture.width());
            TextToImageParity.assertNear(result, golden.floats(name));
            for (int i = 0; i < mask.length && !name.startsWith("change"); i++) {
                if (mask[i] == 0) {
                    assertThat(result.data()[i]).isEqualTo(picture.data()[i]);
                }
            }
        }
    }

    /** Values [H, W] or [H, W, 3] as a picture. */
    static Picture picture(Golden golden, String name) {
        int[] shape = golden.shape(name);
        float[] values = golden.floats(name);
        int channels = shape.length == 2 ? 1 : 3;
        byte[] data = new byte[values.length];
        int plane = data.length / channels;
        for (int i = 0; i < data.length; i++) {
            data[i % channels * plane + i / channels] = (byte) (int) values[i];
        }
        return new Picture(channels, shape[0], shape[1], data);
    }
}
