package diffusion.guidance;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import diffusion.backend.Program;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.ImageSimilarity;
import diffusion.metrics.SsimGraph;
import diffusion.pipeline.Guide;
import diffusion.pipeline.LoadedModel;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Energies and their gradients against central differences and plain formulas. */
class GuidesTest {
    private static final int SIDE = 28;
    private static final int PIXELS = SIDE * SIDE;
    private static final double STEP = 0.02;

    record Case(String name, Guide guide) {
        @Override
        public String toString() {
            return name;
        }
    }

    /** Smooth pictures in [-1, 1]. */
    private static float[] picture(int count, int pixels, int side, long seed) {
        Random random = new Random(seed);
        float[] values = new float[count * pixels];
        for (int n = 0; n < count; n++) {
            double phase = random.nextDouble();
            for (int i = 0; i < pixels; i++) {
                values[n * pixels + i] =
                        (float) (0.7 * Math.sin(0.4 * (i % side) + 7 * phase) * Math.cos(0.3 * (i / side) + 5 * phase)
                                + 0.1 * random.nextGaussian());
            }
        }
        return values;
    }

    static Stream<Case> cases() {
        Path classifier = LoadedModel.extract("digits-classifier", List.of("config.json", "model.safetensors"));
        float[] other = picture(1, PIXELS, SIDE, 9);
        float[] known = new float[PIXELS];
        Arrays.fill(known, 0, PIXELS / 2, 1);
        return Stream.of(
                new Case("classifier", new ClassifierGuide(classifier, 7, 3)),
                new Case("features", new FeatureGuide(classifier, other, 0.1)),
                new Case("style", new StyleGuide(classifier, other, 50)),
                new Case("ssim", new SsimGuide(other, 200)),
                new Case("mask", MeasurementGuide.masked(other, known, 2)),
                new Case("downsampled", MeasurementGuide.averaged(picture(1, 49, 7, 4), 4, 20)));
    }

    @ParameterizedTest
    @MethodSource("cases")
    void gradientsAgreeWithCentralDifferences(Case c) {
        Graph g = new Graph("energy");
        Tensor x = g.input("x", 2, 1, SIDE, SIDE);
        Tensor energy = g.output(c.guide.energy(g, x));
        Tensor gradient = g.output(
                Objects.requireNonNull(Gradients.append(g, energy, List.of(x)).get(x)));
        try (Program program = new ReferenceBackend().compile(List.of(g))) {
            g.constants().forEach(program::write);
            c.guide.load(program);
            float[] values = picture(2, PIXELS, SIDE, 1);
            program.write(x, values);
            program.run(g);
            float[] found = program.read(gradient);
            double largest = 0;
            for (float v : found) {
                largest = Math.max(largest, Math.abs(v));
            }
            Random random = new Random(2);
            for (int k = 0; k < 6; k++) {
                int i = random.nextInt(found.length);
                double narrow = difference(program, g, x, energy, values, i, STEP);
                double wide = difference(program, g, x, energy, values, i, 2 * STEP);
                assertThat((double) found[i])
                        .as("pixel %d", i)
                        .isCloseTo((4 * narrow - wide) / 3, offset(0.01 * largest));
            }
        }
    }

    private static double difference(
            Program program, Graph g, Tensor x, Tensor energy, float[] values, int i, double step) {
        double[] at = new double[2];
        for (int side = 0; side < 2; side++) {
            float[] moved = values.clone();
            moved[i] += (float) (side == 0 ? step : -step);
            program.write(x, moved);
            program.run(g);
            at[side] = program.read(energy)[0];
        }
        return (at[0] - at[1]) / (2 * step);
    }

    @Test
    void theGraphsSimilarityIsThatOfTheMetric() {
        Graph g = new Graph("ssim");
        Tensor x = g.input("x", 2, 3, 14, 17);
        Tensor y = g.input("y", 2, 3, 14, 17);
        Tensor mean = g.output(SsimGraph.ssim(g, x, y));
        float[] a = picture(2, 3 * 14 * 17, 17, 5);
        float[] b = picture(2, 3 * 14 * 17, 17, 6);
        try (Program program = new ReferenceBackend().compile(List.of(g))) {
            g.constants().forEach(program::write);
            program.write(x, a);
            program.write(y, b);
            program.run(g);
            double expected = 0;
            for (int n = 0; n < 2; n++) {
                expected += 0.5 * ImageSimilarity.ssim(unit(a, n), unit(b, n), 3, 14, 17);
            }
            assertThat((double) program.read(mean)[0]).isCloseTo(expected, offset(1e-5));
            assertThat(expected).isBetween(0.1, 0.9);
        }
    }

    private static float[] unit(float[] values, int n) {
        float[] one = Arrays.copyOfRange(values, n * values.length / 2, (n + 1) * values.length / 2);
        for (int i = 0; i < one.length; i++) {
            one[i] = 0.5f * one[i] + 0.5f;
        }
        return one;
    }
}
