package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.io.Picture;
import diffusion.model.DenoisingModel;
import diffusion.model.Golden;
import diffusion.scheduler.DDIMScheduler;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TorchRandom;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Whole pictures of diffusers' pipelines on one backend: the same seeds give the same pictures, also in one batch. */
public abstract class SamplingParity {
    private static final int SIZE = 16;

    /** The backend under test. */
    protected abstract Backend backend();

    @ParameterizedTest
    @ValueSource(strings = {"ddpm", "ddpm_fixed_large_cosine", "ddim", "ddim_eta1_v"})
    void picturesAgree(String name) {
        Golden golden = Golden.read("pipelines");
        JsonNode run = golden.facts().path("runs").path(name);
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.of(run.path("scheduler"), name));
        scheduler.setTimesteps(run.path("num_inference_steps").intValue());
        if (scheduler instanceof DDIMScheduler ddim) {
            ddim.setEta(run.path("eta").asDouble(0));
        }
        DenoisingModel model = golden.model();
        SamplingLoop loop = new SamplingLoop(model, scheduler, 2, SIZE, SIZE, false, 0);
        try (Program program = backend().compile(List.of(loop.graph()))) {
            Golden.weights(model.parameters().all()).forEach(program::write);
            List<TorchRandom> generators = List.of(new TorchRandom(0), new TorchRandom(7));
            float[] samples = loop.run(program, generators, new int[2], 1, () -> false, (_, _, _, _) -> {});
            check(samples, 0, golden, name + ".0");
            check(samples, 1, golden, name + ".7");
        }
    }

    private static void check(float[] samples, int n, Golden golden, String name) {
        float[] image = golden.floats(name + ".image"); // [1, H, W, 3] in [0, 1]
        float[] pixels = golden.floats(name + ".pixels");
        Picture picture = Picture.fromModel(samples, n * image.length, 3, SIZE, SIZE);
        int different = 0;
        for (int c = 0; c < 3; c++) {
            for (int i = 0; i < SIZE * SIZE; i++) {
                float x = samples[n * image.length + c * SIZE * SIZE + i];
                assertThat(Math.clamp(x / 2 + 0.5f, 0f, 1f))
                        .as("%s, channel %d, pixel %d", name, c, i)
                        .isCloseTo(image[3 * i + c], within(1e-4f));
                int level = picture.data()[c * SIZE * SIZE + i] & 0xff;
                int difference = Math.abs(level - (int) pixels[3 * i + c]);
                assertThat(difference)
                        .as("%s, channel %d, pixel %d", name, c, i)
                        .isLessThanOrEqualTo(1);
                different += difference;
            }
        }
        // Only values that lie on the border between two levels may fall on the other side.
        assertThat(different).as("%s, levels that differ", name).isLessThanOrEqualTo(2);
    }
}
