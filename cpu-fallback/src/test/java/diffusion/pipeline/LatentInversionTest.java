package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.cpu.CpuBackend;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.stream.LongStream;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** Inversion and interpolation in the latent space of a tiny Stable Diffusion pipeline with random weights. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LatentInversionTest {
    private static final int SIDE = 32;

    private final CpuBackend backend = new CpuBackend(2);

    @SuppressWarnings("NullAway.Init")
    private StableDiffusionComponents components;

    @BeforeAll
    void write(@TempDir Path folder) {
        TinyStableDiffusion.write(folder, Golden.read("edit_img2img_sd"));
        components = StableDiffusionComponents.open("tiny", folder);
    }

    private record Made(List<Picture> pictures, float[] latents) {}

    private Made run(String prompt, double guidance, int count, int steps, long seed, @Nullable Edit edit) {
        List<Picture> pictures = new ArrayList<>();
        List<float[]> latents = new ArrayList<>();
        List<Long> seeds = LongStream.range(seed, seed + count).boxed().toList();
        new StableDiffusionPipeline(
                        components,
                        Inversion.sampler(SchedulerFactory.create(components.scheduler())),
                        backend,
                        WeightAdjustment.NONE)
                .run(
                        new StableDiffusionPipeline.Request(
                                Collections.nCopies(count, Prompt.plain(prompt)),
                                null,
                                seeds,
                                RandomSource.Kind.TORCH,
                                SIDE,
                                SIDE,
                                steps,
                                guidance,
                                0,
                                0,
                                2,
                                false,
                                edit),
                        () -> false,
                        step -> latents.add(step.samples().getFirst()),
                        pictures::add);
        return new Made(pictures, latents.getLast());
    }

    private static Picture picture() {
        byte[] data = new byte[3 * SIDE * SIDE];
        new Random(3).nextBytes(data);
        return new Picture(3, SIDE, SIDE, data);
    }

    private static double distance(float[] a, float[] b) {
        double sum = 0;
        double norm = 0;
        for (int i = 0; i < b.length; i++) {
            sum += Math.pow(a[i] - b[i], 2);
            norm += b[i] * b[i];
        }
        return Math.sqrt(sum / norm);
    }

    @Test
    void withoutAChangeOfTextTheLatentComesBack() {
        float[] latent;
        try (LatentEncoder encoder =
                new LatentEncoder(backend, components.vae(), components.vaeWeights(), SIDE, SIDE, false)) {
            latent = encoder.encode(picture().toModel()).mean();
        }
        // Random weights make a rough field, which takes short steps and not the whole way.
        Edit edit = new Edit.Invert(List.of(picture()), "a cat", 0.1);
        double few = distance(run("a cat", 1, 1, 100, 0, edit).latents, latent);
        double many = distance(run("a cat", 1, 1, 1000, 0, edit).latents, latent);
        assertThat(many).isLessThan(0.05).isLessThan(few / 4);
        assertThat(distance(run("a dog", 5, 1, 1000, 0, edit).latents, latent)).isGreaterThan(10 * many);
    }

    @Test
    void bracketsOfAPlainSourceAreLetters() {
        List<Picture> picture = List.of(picture());
        float[] plain = run("a cat", 1, 1, 6, 0, new Edit.Invert(picture, "a (cat:3)", 0.5, true)).latents;
        float[] escaped = run("a cat", 1, 1, 6, 0, new Edit.Invert(picture, "a \\(cat:3\\)", 0.5)).latents;
        float[] weighted = run("a cat", 1, 1, 6, 0, new Edit.Invert(picture, "a (cat:3)", 0.5)).latents;
        assertThat(plain).isEqualTo(escaped).isNotEqualTo(weighted);
    }

    @Test
    void aRowBetweenSeedsHasTheirPicturesAtItsEnds() {
        List<Picture> row = run("a cat", 3, 5, 4, 7, new Edit.Between(7, 99)).pictures;
        assertThat(row).hasSize(5).doesNotHaveDuplicates();
        assertThat(row.getFirst())
                .isEqualTo(run("a cat", 3, 1, 4, 7, null).pictures.getFirst());
        assertThat(row.getLast())
                .isEqualTo(run("a cat", 3, 1, 4, 99, null).pictures.getFirst());
    }
}
