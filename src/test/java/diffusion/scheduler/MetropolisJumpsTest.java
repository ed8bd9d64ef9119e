package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Jumps between levels of noise on data whose density is known. */
class MetropolisJumpsTest {
    private static final GaussianMixture TWO =
            new GaussianMixture(new double[] {0.3, 0.7}, new double[][] {{-0.8}, {0.5}}, new double[] {0.15, 0.3});
    private static final int POINTS = 3000;

    private static Scheduler scheduler(int steps) {
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.defaults("DDIMScheduler")
                .with("prediction_type", "sample")
                .with("timestep_spacing", "trailing")
                .with("clip_sample", false));
        scheduler.setTimesteps(steps);
        return scheduler;
    }

    /** What a perfect model answers at timesteps between whole ones too: noise rises evenly in its logarithm. */
    private static List<double[]> answers(GaussianMixture data, Scheduler scheduler, List<Trajectory.Query> queries) {
        NoiseSchedule noise = scheduler.noise();
        return queries.stream()
                .map(query -> {
                    int below = Math.min((int) query.timestep(), noise.length() - 2);
                    double part = query.timestep() - below;
                    double log = (1 - part) * Math.log(noise.snr(below)) + part * Math.log(noise.snr(below + 1));
                    return data.posteriorMean(query.x(), 1 / (1 + Math.exp(-log)));
                })
                .toList();
    }

    /** First and second moment, share of the left mode, and share of jumps that were taken. */
    private record Found(double mean, double square, double left, double accepted) {
        static Found of(double[] points, double accepted) {
            return new Found(
                    Arrays.stream(points).average().orElseThrow(),
                    Arrays.stream(points).map(v -> v * v).average().orElseThrow(),
                    Arrays.stream(points).filter(v -> v < -0.2).count() / (double) points.length,
                    accepted);
        }
    }

    /** Points of the data at the level of a step, or all at 0, after some jumps each. */
    private static Found jump(int step, int jumps, double size, boolean fromData) {
        Scheduler scheduler = scheduler(50);
        NoiseSchedule.Mix mix = scheduler.addNoise(step);
        double[] points = noised(mix, 1);
        double accepted = 0;
        for (int i = 0; i < POINTS; i++) {
            MetropolisJumps moves = new MetropolisJumps(scheduler, new TorchRandom(100 + i), jumps, size);
            moves.begin(new double[] {fromData ? points[i] : 0}, mix);
            while (!moves.done()) {
                moves.answer(answers(TWO, scheduler, moves.queries()));
            }
            points[i] = moves.state()[0];
            accepted += moves.accepted() / POINTS;
        }
        return Found.of(points, accepted);
    }

    private static double[] noised(NoiseSchedule.Mix mix, long seed) {
        double[] points = TWO.sample(POINTS, new TorchRandom(seed));
        float[] z = new float[POINTS];
        new TorchRandom(seed + 1).normal(z);
        for (int i = 0; i < POINTS; i++) {
            points[i] = mix.sample() * points[i] + mix.noise() * z[i];
        }
        return points;
    }

    private static Found data(int step) {
        return Found.of(noised(scheduler(50).addNoise(step), 5), 1);
    }

    @Test
    void whatTheDensityIsItStays() {
        for (int step : new int[] {36, 44}) {
            Found data = data(step);
            Found after = jump(step, 20, 1.5, true);
            assertThat(after.mean).isCloseTo(data.mean, within(0.05));
            assertThat(after.square).isCloseTo(data.square, within(0.03));
            assertThat(after.left).isCloseTo(data.left, within(0.03));
            assertThat(after.accepted).isBetween(0.4, 0.97);
        }
    }

    @Test
    void whatIsNotTheDensityBecomesIt() {
        Found data = data(30);
        Found after = jump(30, 60, 1.5, false);
        assertThat(after.mean).isCloseTo(data.mean, within(0.05));
        assertThat(after.square).isCloseTo(data.square, within(0.04));
    }

    /** Taking all of them would make the density narrower: the step down has the variance of data without spread. */
    @Test
    void takingAllOfThemWouldChangeIt() {
        double sigma = 0.5;
        double delta = 1.5;
        double spread = 0.6;
        GaussianMixture wide = new GaussianMixture(new double[] {1}, new double[][] {{0}}, new double[] {spread});
        double up = sigma * Math.sqrt(1 + delta);
        double tau2 = delta * sigma * sigma;
        double deviation = Math.sqrt(sigma * sigma * tau2 / (up * up));
        double alphaBar = 1 / (1 + up * up);
        double[] points = new double[POINTS];
        for (int i = 0; i < POINTS; i++) {
            TorchRandom random = new TorchRandom(i);
            float[] z = new float[41];
            random.normal(z);
            double u = z[0] * Math.sqrt(spread * spread + sigma * sigma);
            for (int k = 1; k < z.length; k += 2) {
                double y = u + Math.sqrt(tau2) * z[k];
                double x0 = wide.posteriorMean(new double[] {y * Math.sqrt(alphaBar)}, alphaBar)[0];
                u = y + tau2 * (x0 - y) / (up * up) + deviation * z[k + 1];
            }
            points[i] = u;
        }
        double expected = spread * spread + sigma * sigma;
        assertThat(Found.of(points, 1).square).isLessThan(0.9 * expected);
    }

    @Test
    void theSmallerTheMoreOftenTaken() {
        double small = jump(44, 5, 0.01, true).accepted;
        assertThat(small).isGreaterThan(0.99);
        assertThat(jump(44, 5, 20, true).accepted).isBetween(0.1, small - 0.15);
    }

    /** Few steps of DDIM make a wide Gaussian too narrow. */
    @Test
    void runsWithJumpsComeNearerToTheData() {
        int d = 50;
        GaussianMixture wide =
                new GaussianMixture(new double[] {1}, new double[][] {new double[d]}, new double[] {1.5});
        Scheduler ddim = scheduler(6);
        double plain = 0;
        double corrected = 0;
        int n = 20;
        for (int seed = 0; seed < n; seed++) {
            float[] z = new float[d];
            new TorchRandom(seed).normal(z);
            double[] x = PicardWindow.widen(z);
            plain += variance(wide, SteppedTrajectory.resting(ddim, x, new TorchRandom(seed), 0), ddim) / n;
            Trajectory way = SteppedTrajectory.metropolis(ddim, x, new TorchRandom(seed), 30, 0.3);
            corrected += variance(wide, way, ddim) / n;
            assertThat(way.accepted()).isBetween(0.2, 0.999);
        }
        assertThat(Math.abs(corrected - 2.25)).isLessThan(Math.abs(plain - 2.25) / 2);
    }

    private static double variance(GaussianMixture data, Trajectory way, Scheduler scheduler) {
        while (!way.done()) {
            assertThat(way.queries().size()).isLessThanOrEqualTo(way.width());
            way.answer(answers(data, scheduler, way.queries()));
        }
        return Arrays.stream(way.sample()).map(v -> v * v).average().orElseThrow();
    }
}
