package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.reference.ReferenceBackend;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a callback sees after each step. */
class FinishedStepTest {
    private static final int STEPS = 3;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** What was seen of a step. */
    private record Seen(int done, List<float[]> samples, List<float[]> predictions, List<Picture> previews) {}

    private List<Picture> run(String family, List<Seen> seen) {
        Path model = folder.resolve(family);
        TinyStableDiffusion.write(model, Golden.read("text_to_image_" + family));
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                StableDiffusionComponents.open("tiny", model),
                SchedulerFactory.byName("euler"),
                new ReferenceBackend(),
                WeightAdjustment.NONE);
        List<Picture> pictures = new ArrayList<>();
        List<Prompt> prompts = List.of(Prompt.plain("a house"), Prompt.plain("the sea"), Prompt.plain("a tree"));
        pipeline.run(
                new StableDiffusionPipeline.Request(
                        prompts,
                        null,
                        List.of(1L, 2L, 3L),
                        RandomSource.Kind.TORCH,
                        16,
                        24,
                        STEPS,
                        3,
                        0,
                        0,
                        2,
                        false,
                        null),
                () -> false,
                step -> {
                    assertThat(step.steps()).isEqualTo(STEPS);
                    assertThat(step.pictures()).isEqualTo(step.first() == 0 ? 2 : 1);
                    seen.add(new Seen(step.done(), step.samples(), step.predictions(), step.previews()));
                },
                pictures::add);
        assertThat(seen.stream().map(Seen::done)).containsExactly(1, 2, 3, 1, 2, 3);
        return pictures;
    }

    /** Euler ends without noise, so its last prediction is the sample; a tiny autoencoder shows it as the result will be. */
    @Test
    void theLastPredictionIsTheResult() {
        List<Seen> seen = new ArrayList<>();
        List<Picture> pictures = run("taesd", seen);
        for (Seen step : seen) {
            float difference = 0;
            for (int p = 0; p < step.samples.size(); p++) {
                for (int i = 0; i < step.samples.get(p).length; i++) {
                    float a = step.samples.get(p)[i];
                    difference =
                            Math.max(difference, Math.abs(a - step.predictions.get(p)[i]));
                }
            }
            if (step.done == STEPS) {
                assertThat(difference).isLessThan(1e-4f);
            } else {
                assertThat(difference).isGreaterThan(1e-3f);
            }
        }
        assertNear(seen.get(2).previews.get(0), pictures.get(0));
        assertNear(seen.get(2).previews.get(1), pictures.get(1));
        assertNear(seen.get(5).previews.get(0), pictures.get(2));
    }

    private static void assertNear(Picture found, Picture expected) {
        byte[] a = found.data();
        byte[] b = expected.data();
        assertThat(a).hasSameSizeAs(b);
        for (int i = 0; i < a.length; i++) {
            assertThat(a[i] & 0xff).isCloseTo(b[i] & 0xff, within(1));
        }
    }

    /** Without one a latent is a pixel; red and blue are those of the published fit. */
    @Test
    void latentsAreShownAsPixels() {
        List<Seen> seen = new ArrayList<>();
        run("sd", seen);
        float[] latent = seen.getFirst().predictions.getFirst();
        Picture preview = seen.getFirst().previews.getFirst();
        assertThat(List.of(preview.channels(), preview.height(), preview.width()))
                .isEqualTo(List.of(3, 8, 12));
        int plane = 8 * 12;
        for (int i = 0; i < plane; i++) {
            float red = 0.3512f * latent[i]
                    + 0.3250f * latent[plane + i]
                    - 0.2829f * latent[2 * plane + i]
                    - 0.2120f * latent[3 * plane + i];
            assertThat(preview.data()[i] & 0xff).isCloseTo(Picture.toByte(red) & 0xff, within(1));
        }
    }
}
