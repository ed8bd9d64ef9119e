package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** Distances whose value follows from means and covariances worked out by hand. */
class FrechetDistanceTest {
    @Test
    void oneDimension() {
        double[][] a = {{-1}, {1}}; // mean 0, variance 2
        double[][] b = {{2}, {8}}; // mean 5, variance 18
        // (m1 - m2)^2 + (s1 - s2)^2 with deviations sqrt(2) and 3 sqrt(2)
        assertThat(FrechetDistance.between(a, b)).isCloseTo(25 + 8, within(1e-9));
    }

    @Test
    void covariancesThatDoNotCommute() {
        double[][] a = {{1, 0}, {-1, 0}, {0, 2}, {0, -2}}; // diag(2, 8) / 3
        double[][] b = {{2, 2}, {-2, -2}, {1, -1}, {-1, 1}}; // [[10, 6], [6, 10]] / 3
        // the root of a 2 x 2 matrix M has the trace sqrt(tr M + 2 sqrt(det M))
        double trace = Math.sqrt(100 / 9.0 + 2 * 32 / 9.0);
        assertThat(FrechetDistance.between(a, b)).isCloseTo(10 - 2 * trace, within(1e-9));
        assertThat(FrechetDistance.between(b, a)).isCloseTo(10 - 2 * trace, within(1e-9));
    }

    @Test
    void shiftCountsAloneEvenWithDeadAndDependentFeatures() {
        Random random = new Random(3);
        double[][] a = new double[20][40]; // fewer points than features: a singular covariance
        double[][] b = new double[20][40];
        for (int i = 0; i < a.length; i++) {
            for (int j = 1; j < 40; j++) { // feature 0 is always 0
                a[i][j] = random.nextGaussian();
                b[i][j] = a[i][j] + 0.5;
            }
        }
        assertThat(FrechetDistance.between(a, a)).isCloseTo(0, within(1e-6));
        assertThat(FrechetDistance.between(a, b)).isCloseTo(39 * 0.25, within(1e-6));
    }

    @Test
    void featuresWithoutAnyVariance() {
        double[][] a = {{1, 2}, {1, 2}};
        double[][] b = {{4, 6}, {4, 6}};
        assertThat(FrechetDistance.between(a, b)).isCloseTo(25, within(1e-9));
    }
}
