package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.cpu.CpuBackend;
import diffusion.io.DiffusionException;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Ways to spend model calls otherwise than one a step, with tiny models of texts and with guidance. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TextSavingTest {
    private static final List<String> TEXTS = List.of("a house", "the sea", "a tree");

    private Path model = Path.of(".");

    @BeforeAll
    void write(@TempDir Path temporary) {
        model = temporary.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
    }

    /** The latents of the three texts, one after the other, and what they took. */
    private record Made(float[] latents, ImageGenerator.Effort effort) {
        /** Root mean square difference. */
        double to(Made other) {
            double sum = 0;
            for (int i = 0; i < latents.length; i++) {
                sum += Math.pow(latents[i] - other.latents[i], 2) / latents.length;
            }
            return Math.sqrt(sum);
        }

        double size() {
            return to(new Made(new float[latents.length], effort));
        }
    }

    private Made make(String sampler, int steps, String saving, int threads, int batch, @Nullable Edit edit) {
        Scheduler scheduler = SchedulerFactory.byName(sampler);
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                StableDiffusionComponents.open("tiny", model),
                scheduler,
                new CpuBackend(threads),
                WeightAdjustment.NONE,
                saving.isEmpty() ? null : Saving.parse(saving),
                List.of());
        List<float[]> latents = new ArrayList<>();
        pipeline.run(
                new StableDiffusionPipeline.Request(
                        TEXTS.stream().map(Prompt::plain).toList(),
                        null,
                        List.of(1L, 2L, 3L),
                        RandomSource.Kind.TORCH,
                        16,
                        24,
                        steps,
                        3,
                        0.5,
                        0,
                        batch,
                        false,
                        edit),
                () -> false,
                step -> {
                    if (step.done() == step.steps()) {
                        latents.addAll(step.samples());
                    }
                },
                _ -> {});
        assertThat(latents).hasSize(TEXTS.size());
        LatentEdit.Rows rows = new LatentEdit.Rows(TEXTS.size());
        latents.forEach(rows::add);
        return new Made(rows.all(), pipeline.effort());
    }

    private Made make(String sampler, int steps, String saving) {
        return make(sampler, steps, saving, 1, 2, null);
    }

    /** The host keeps states in double precision, so they are the sampler's up to rounding. */
    @ParameterizedTest
    @CsvSource({"ddim, parallel=4:0", "ddpm, parallel=3:0", "euler, parallel=9:0", "euler, stop=0", "unipc, stop=0"})
    void theSamplersOwnStepsAreFound(String sampler, String saving) {
        Made plain = make(sampler, 7, "");
        assertThat(make(sampler, 7, saving).to(plain)).isLessThan(1e-3 * plain.size());
    }

    @ParameterizedTest
    @ValueSource(strings = {"ddim", "euler_a", "dpmsolver++"})
    void stretchesOnceAreTheSampler(String sampler) {
        Made plain = make(sampler, 6, "");
        assertThat(make(sampler, 6, "jumps=2:1").latents).isEqualTo(plain.latents);
        Made twice = make(sampler, 6, "jumps=2:2");
        assertThat(twice.effort.calls()).isEqualTo(6 + 2 * 2);
        assertThat(twice.to(plain)).isGreaterThan(0.01 * plain.size());
    }

    @Test
    void adaptiveStepsComeToTheSolution() {
        Made solution = make("euler", 1000, "");
        Made fine = make("euler", 1, "adaptive=0.002");
        Made coarse = make("euler", 1, "adaptive=0.5");
        assertThat(fine.to(solution)).isLessThan(0.02 * solution.size());
        assertThat(coarse.effort.calls()).isLessThan(fine.effort.calls() / 4);
    }

    /** Neither the threads nor what else is in a batch, each picture following a text of its own. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "parallel=4:0.1",
                "adaptive=0.1",
                "corrector=1",
                "stop=0.05",
                "cache=2",
                "metropolis=1",
                "jumps=2:2"
            })
    void nothingElseChangesAPicture(String saving) {
        Made one = make("ddpm", 5, saving, 1, 1, null);
        Made together = make("ddpm", 5, saving, 2, 2, null);
        assertThat(together.latents).isEqualTo(one.latents);
        assertThat(together.effort.calls()).isEqualTo(one.effort.calls());
    }

    @Test
    void refusesWhatDoesNotGoTogether() {
        assertThatThrownBy(() -> make("unipc", 5, "parallel=3"))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("--parallel: expected a sampler whose steps need no earlier ones");
        for (String saving : List.of("parallel=3", "adaptive=0.1", "stop=0.1", "corrector=1", "metropolis=1")) {
            assertThatThrownBy(() -> make("ddim", 5, saving, 1, 1, new Edit.Between(1, 2)))
                    .isInstanceOf(DiffusionException.class)
                    .hasMessageContaining("only --cache and --jumps go with --input");
        }
        assertThat(make("ddim", 5, "jumps=1:2", 1, 1, new Edit.Between(1, 2))
                        .effort
                        .calls())
                .isGreaterThan(5);
    }
}
