package diffusion.restore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Program;
import diffusion.cpu.CpuBackend;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.Golden;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.TorchRandom;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;

/** The built-in model as a prior. */
class PixelPriorTest {
    private static final LoadedModel DIGITS = LoadedModel.open("digits");
    private static final PixelPrior PRIOR =
            new PixelPrior(DIGITS, new CpuBackend(), 2, () -> false, PixelPriorTest::count);
    private static int calls;

    private static void count(int more) {
        calls += more;
    }

    @AfterAll
    static void close() {
        PRIOR.close();
    }

    private static float[] normal(long seed, int n) {
        float[] values = new float[n];
        new TorchRandom(seed).normal(values);
        return values;
    }

    /** At a whole timestep it is the x0 of a sampler's step. */
    @Test
    void denoisesAsASamplerDoes() {
        int t = 400;
        Scheduler scheduler = DIGITS.scheduler(null);
        scheduler.setTimesteps(new int[] {t});
        Graph graph = new Graph("model");
        Tensor x = graph.input("x", 1, 1, 28, 28);
        Tensor time = graph.input("t", 1);
        Tensor label = graph.input("label", 1);
        Tensor answer = graph.output(DIGITS.model().apply(graph, x, time, label));
        float[] noisy = normal(1, 784);
        double[] expected;
        try (Program program = new CpuBackend().compile(List.of(graph))) {
            DIGITS.load(program::fill);
            program.write(x, noisy);
            program.write(time, new float[] {t});
            program.write(label, new float[] {DIGITS.nullClass()});
            program.run(graph);
            expected = scheduler.step(0).predictX0(doubles(noisy), doubles(program.read(answer)), 1);
        }
        double sigma = PRIOR.sigma(t);
        float[] exploding = new float[784]; // x / sqrt(alphaBar)
        for (int i = 0; i < 784; i++) {
            exploding[i] = (float) (noisy[i] * Math.sqrt(1 + sigma * sigma));
        }
        float[] found =
                PRIOR.denoise(new Pictures(1, 1, 28, 28, exploding), sigma).values();
        float[] wanted = new float[784];
        for (int i = 0; i < 784; i++) {
            wanted[i] = (float) expected[i];
        }
        Golden.assertClose("x0", found, wanted, 1e-4);
    }

    private static double[] doubles(float[] values) {
        double[] out = new double[values.length];
        Arrays.setAll(out, i -> values[i]);
        return out;
    }

    @Test
    void timestepsLieWhereTheirNoiseIs() {
        for (double sigma : new double[] {0.02, 0.1, 0.39, 1, 7, 49}) {
            assertThat(PRIOR.sigma(PRIOR.timestep(sigma))).isCloseTo(sigma, within(1e-6 * sigma));
        }
        assertThat(PRIOR.timestep(0)).isZero();
        assertThat(PRIOR.timestep(1e9)).isEqualTo(999);
        assertThat(PRIOR.timestep(0.5)).isStrictlyBetween(PRIOR.timestep(0.4), PRIOR.timestep(0.6));
    }

    @Test
    void channelsOfColourAreDenoisedEachOnItsOwnAndPicturesAtTheirOwnNoise() {
        Pictures colour = new Pictures(1, 3, 28, 28, normal(2, 3 * 784));
        Pictures grey = new Pictures(3, 1, 28, 28, colour.values());
        int before = calls;
        float[] found = PRIOR.denoise(colour, 0.7).values();
        assertThat(calls - before).isEqualTo(3).isEqualTo(PRIOR.calls(1, 3, 28, 28));
        assertThat(found).containsExactly(PRIOR.denoise(grey, 0.7).values());
        assertThat(PRIOR.denoise(grey, 0.2, 0.7, 3).get(1))
                .containsExactly(PRIOR.denoise(grey, 0.7).get(1))
                .isNotEqualTo(PRIOR.denoise(grey, 0.2).get(1));
    }

    @Test
    void squaresGiveThePictureBack() {
        for (int[] size : new int[][] {{28, 28}, {29, 28}, {49, 61}, {100, 30}, {5, 40}}) {
            float[] picture = normal(3, 2 * size[0] * size[1]);
            Tiles tiles = new Tiles(size[0], size[1], 28);
            int plane = size[0] * size[1];
            float[] squares = new float[tiles.count() * 784];
            for (int i = 0; i < tiles.count(); i++) {
                tiles.cut(picture, plane, i, squares, i * 784);
            }
            float[] back = new float[picture.length];
            tiles.blend(squares, 0, 784, back, plane);
            Golden.assertClose(
                    Arrays.toString(size),
                    Arrays.copyOfRange(back, plane, 2 * plane),
                    Arrays.copyOfRange(picture, plane, 2 * plane),
                    1e-6);
        }
        assertThat(new Tiles(28, 28, 28).count()).isEqualTo(1);
        assertThat(new Tiles(56, 28, 28).count()).isEqualTo(3);
    }

    @Test
    void samplesKeepWhatIsKnown() {
        float[] values = normal(4, 2 * 784);
        boolean[] known = new boolean[784];
        for (int i = 0; i < 784; i++) {
            known[i] = i % 5 != 0;
            values[i] = known[i] ? Math.clamp(values[i], -1, 1) : Float.NaN; // must not be read
            values[784 + i] = values[i];
        }
        Pictures y = new Pictures(2, 1, 28, 28, values);
        PosteriorSampler sampler = new PosteriorSampler(2, 2);
        Pictures found = sampler.sample(PRIOR, Measurement.masked(y, known, 0), 9);
        for (int i = 0; i < 784; i++) {
            assertThat(found.values()[i]).isFinite();
            if (known[i]) {
                assertThat(found.values()[i]).isCloseTo(values[i], within(1e-6f));
            }
        }
        assertThat(found.get(0)).isNotEqualTo(found.get(1)); // another seed
        Pictures alone = new Pictures(1, 1, 28, 28, y.get(1));
        assertThat(sampler.sample(PRIOR, Measurement.masked(alone, known, 0), 10)
                        .values())
                .containsExactly(found.get(1));
    }

    @Test
    void samplesHaveTheMeansThatWereMeasured() {
        Pictures small = new Pictures(1, 1, 14, 14, normal(5, 196));
        for (int i = 0; i < 196; i++) {
            small.values()[i] = Math.clamp(small.values()[i], -1, 1);
        }
        Pictures found = new PosteriorSampler(2, 1).sample(PRIOR, Measurement.averaged(small, 2, 0), 1);
        assertThat(found.height()).isEqualTo(28);
        Golden.assertClose("means", found.average(2).values(), small.values(), 1e-5);
    }
}
