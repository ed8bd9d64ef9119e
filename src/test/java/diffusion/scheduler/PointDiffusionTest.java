package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import diffusion.scheduler.LinearDiffusion.Moments;
import java.util.Arrays;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

class PointDiffusionTest {
    private static final int N = 20_000;

    private static void sameMoments(Moments found, Moments expected, double tolerance) {
        assertThat(found.mean()).containsExactly(expected.mean(), offset(tolerance));
        for (int i = 0; i < expected.covariance().length; i++) {
            assertThat(found.covariance()[i]).containsExactly(expected.covariance()[i], offset(tolerance));
        }
    }

    @Test
    void linearDiffusionHasItsClosedFormMoments() {
        // contracts, turns and shears, so that no wrong transpose goes unnoticed
        LinearDiffusion process = new LinearDiffusion(new double[][] {{0.9, -0.25}, {0.1, 0.95}}, 0.2);
        RandomSource random = new TorchRandom(1);
        double[] x = PointData.MOONS.sample(N, random);
        for (int i = 0; i < x.length; i += 2) {
            x[i] += 2;
        }
        Moments start = Moments.of(x, 2);
        for (int t = 1; t <= 20; t++) {
            x = process.step(x, random);
            sameMoments(Moments.of(x, 2), process.moments(start, t), 0.02);
        }
    }

    @Test
    void constantBetaOnALineFollowsTheTextbookFormula() {
        double beta = 0.1;
        LinearDiffusion process = LinearDiffusion.constant(1, beta);
        Moments start = new Moments(new double[] {3}, new double[][] {{0.25}});
        for (int t : new int[] {0, 1, 7, 100}) {
            Moments moments = process.moments(start, t);
            double alphaBar = Math.pow(1 - beta, t);
            assertThat(moments.mean()[0]).isCloseTo(Math.sqrt(alphaBar) * 3, offset(1e-12));
            assertThat(moments.covariance()[0][0]).isCloseTo(alphaBar * 0.25 + 1 - alphaBar, offset(1e-12));
        }
        RandomSource random = new TorchRandom(2);
        double[] x = new double[N];
        Arrays.fill(x, 3);
        for (int t = 0; t < 7; t++) {
            x = process.step(x, random);
        }
        Moments point = new Moments(new double[] {3}, new double[][] {{0}});
        sameMoments(Moments.of(x, 1), process.moments(point, 7), 0.02);
    }

    @ParameterizedTest
    @EnumSource(PointData.class)
    void jumpingToTEqualsWalkingThere(PointData data) {
        NoiseSchedule noise = new NoiseSchedule(Betas.linear(50, 0.01, 0.1));
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.defaults("DDPMScheduler")
                .with("num_train_timesteps", 50)
                .with("beta_start", 0.01)
                .with("beta_end", 0.1));
        RandomSource random = new TorchRandom(3);
        int d = data.dimension();
        double[] x0 = data.sample(N, random);
        double[] walked = x0;
        for (float beta : noise.betas()) {
            walked = LinearDiffusion.constant(d, beta).step(walked, random);
        }
        double[] jumped = new PointDiffusion(data.distribution(10, random), scheduler).forward(x0, 49, random);
        sameMoments(Moments.of(walked, d), Moments.of(jumped, d), 0.03);
    }

    @Test
    void posteriorMeanIsTheScoreByTweedie() {
        GaussianMixture data = PointData.MIXTURE.distribution(0, new TorchRandom(0));
        double[] x = {0.4, -0.9};
        for (double alphaBar : new double[] {0.999, 0.5, 0.01}) {
            double[] mean = data.posteriorMean(x, alphaBar);
            for (int j = 0; j < 2; j++) {
                double h = 1e-5;
                double[] up = x.clone();
                double[] down = x.clone();
                up[j] += h;
                down[j] -= h;
                double score =
                        (Math.log(data.density(up, alphaBar)) - Math.log(data.density(down, alphaBar))) / (2 * h);
                assertThat((x[j] + (1 - alphaBar) * score) / Math.sqrt(alphaBar))
                        .isCloseTo(mean[j], offset(1e-4));
            }
        }
    }

    @ParameterizedTest
    @CsvSource({
        "ddpm, epsilon, 250",
        "ddim, epsilon, 100",
        "ddim, v_prediction, 100",
        "ddpm, sample, 250",
        "ddim, sample, 100"
    })
    void reverseProcessDrawsTheMixture(String name, String prediction, int steps) {
        SchedulerConfig config = SchedulerConfig.defaults("DDPMScheduler")
                .with("clip_sample", false)
                .with("prediction_type", prediction)
                .with("timestep_spacing", "trailing");
        Scheduler scheduler = SchedulerFactory.byName(name, config);
        scheduler.setTimesteps(steps);
        GaussianMixture data = PointData.LINE.distribution(0, new TorchRandom(0));
        int n = 4000;
        double[] x = new PointDiffusion(data, scheduler)
                .reverse(n, new TorchRandom(5))
                .states()
                .getLast();
        double left = 0;
        double sum = 0;
        double squares = 0;
        for (double v : x) {
            if (v < -0.5) {
                left++;
                sum += v;
                squares += v * v;
            }
        }
        assertThat(left / n).isCloseTo(0.35, offset(0.03));
        assertThat(sum / left).isCloseTo(-1.4, offset(0.03));
        assertThat(Math.sqrt(squares / left - sum / left * (sum / left))).isCloseTo(0.2, offset(0.03));
    }

    @Test
    void refusesUnknownSetsAndRaggedMatrices() {
        assertThatThrownBy(() -> PointData.of("torus")).hasMessageContaining("swissroll, moons, mixture or 1d");
        assertThatThrownBy(() -> new LinearDiffusion(new double[][] {{1, 2}}, 1))
                .hasMessageContaining("square");
        assertThatThrownBy(() -> new GaussianMixture(new double[1], new double[0][], new double[1]))
                .hasMessageContaining("0 means");
    }
}
