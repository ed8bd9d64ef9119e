package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.guidance.MeasurementGuide;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Guidance by gradients through U-Net and decoder against torch's autograd. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class LatentGuidanceParity {
    private static final double TOLERANCE = 1e-4;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** The backend under test. */
    protected abstract Backend backend();

    /** The runs of the file. */
    protected List<String> runs() {
        return Golden.read("guidance_sd").runs();
    }

    @ParameterizedTest
    @MethodSource("runs")
    void picturesAgree(String name) {
        Golden golden = Golden.read("guidance_sd");
        Path place = folder.resolve("sd");
        if (!place.toFile().exists()) {
            TinyStableDiffusion.write(place, golden);
        }
        JsonNode run = golden.facts().path("runs").path(name);
        Picture picture = EditingParity.picture(golden, "input.image");
        float[] y = picture.toModel();
        List<Guide> guides = new ArrayList<>();
        if (run.has("mask")) {
            float[] grey = golden.floats("mask.image");
            float[] known = new float[y.length];
            for (int i = 0; i < known.length; i++) {
                known[i] = grey[i % grey.length] < 128 ? 1 : 0;
            }
            guides.add(MeasurementGuide.masked(y, known, run.path("mask").doubleValue()));
        }
        if (run.has("downsampled")) {
            int factor = golden.facts().path("factor").intValue();
            guides.add(MeasurementGuide.averaged(
                    means(y, picture.width(), factor),
                    factor,
                    run.path("downsampled").doubleValue()));
        }
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                StableDiffusionComponents.open("tiny", place),
                SchedulerFactory.create(SchedulerConfig.of(run.path("scheduler_config"), name)),
                backend(),
                WeightAdjustment.NONE,
                null,
                guides);
        float[] latent = TextToImageParity.check(golden, name, pipeline, null, null);
        Golden.assertClose(name, latent, golden.floats(name + ".sample"), TOLERANCE);
    }

    /** Means over squares of planes, all of which have a multiple of {@code factor} rows. */
    private static float[] means(float[] x, int width, int factor) {
        float[] means = new float[x.length / factor / factor];
        for (int i = 0; i < x.length; i++) {
            means[i / width / factor * (width / factor) + i % width / factor] += x[i] / factor / factor;
        }
        return means;
    }
}
