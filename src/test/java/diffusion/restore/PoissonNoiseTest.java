package diffusion.restore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Counted light, and Anscombe's transform of it. */
class PoissonNoiseTest {
    private static final int MANY = 20_000;

    /** Counts of one brightness. */
    private static double[] counts(double peak, double brightness) {
        float[] values = new float[MANY];
        Arrays.fill(values, (float) (2 * brightness - 1));
        float[] noisy = new PoissonNoise(peak)
                .spoil(new Pictures(2, 1, 100, MANY / 200, values), 3)
                .values();
        double[] counts = new double[MANY];
        for (int i = 0; i < MANY; i++) {
            counts[i] = peak * (noisy[i] + 1) / 2;
        }
        return counts;
    }

    private static double mean(double[] values) {
        return Arrays.stream(values).average().orElseThrow();
    }

    private static double variance(double[] values) {
        double mean = mean(values);
        return Arrays.stream(values).map(v -> (v - mean) * (v - mean)).average().orElseThrow();
    }

    @ParameterizedTest
    @ValueSource(doubles = {1, 3, 8, 25, 90})
    void countsHaveTheirMeanAsVariance(double expected) {
        double[] counts = counts(100, expected / 100);
        assertThat(mean(counts)).isCloseTo(expected, within(0.05 * Math.sqrt(expected)));
        assertThat(variance(counts)).isCloseTo(expected, within(0.05 * expected));
        for (double k : counts) {
            assertThat(k).isCloseTo(Math.rint(k), within(1e-3));
        }
    }

    @ParameterizedTest
    @ValueSource(doubles = {4, 10, 30, 100})
    void theTransformMakesTheVarianceOne(double expected) {
        double[] stable = Arrays.stream(counts(100, expected / 100))
                .map(PoissonNoise::stabilised)
                .toArray();
        assertThat(variance(stable)).isCloseTo(1, within(0.06));
    }

    @ParameterizedTest
    @ValueSource(doubles = {0.5, 1, 2, 5, 20, 80})
    void theInverseIsThatOfMeans(double expected) {
        double stable = mean(Arrays.stream(counts(100, expected / 100))
                .map(PoissonNoise::stabilised)
                .toArray());
        assertThat(PoissonNoise.counts(stable)).isCloseTo(expected, within(0.02 + 0.03 * Math.sqrt(expected)));
        if (expected <= 5) { // the plain inverse comes out too low
            assertThat(stable * stable / 4 - 0.375).isLessThan(expected - 0.08);
        }
    }

    @Test
    void aPerfectMethodGivesThePictureBack() {
        float[] clean = new float[64];
        for (int i = 0; i < clean.length; i++) {
            clean[i] = i / 31.5f - 1;
        }
        Pictures picture = new Pictures(1, 1, 8, 8, clean);
        PoissonNoise light = new PoissonNoise(400);
        Pictures same = light.throughGaussian(picture, stable -> stable);
        for (int i = 8; i < clean.length; i++) {
            // As a mean the transform of k counts stands for k + 1/4 or so of them.
            assertThat(same.values()[i]).isCloseTo(clean[i], within(0.004f));
        }
        Measurement measured = light.measurement(picture, picture);
        assertThat(measured.noise()[63]).isCloseTo(2 / 20f, within(1e-4f));
        assertThat(measured.noise()[0]).isPositive().isLessThan(measured.noise()[20]);
    }
}
