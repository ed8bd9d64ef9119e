package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import java.util.List;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Trajectories of points whose exact denoiser is known. */
class TrajectoryTest {
    private static final GaussianMixture DATA = new GaussianMixture(
            new double[] {1, 2}, new double[][] {{0.8, -0.3}, {-0.5, 0.6}}, new double[] {0.2, 0.1});

    private static Scheduler scheduler(String name, int steps) {
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.defaults(name)
                .with("beta_schedule", "squaredcos_cap_v2")
                .with("prediction_type", "sample")
                .with("timestep_spacing", "trailing")
                .with("clip_sample", false));
        scheduler.setTimesteps(steps);
        return scheduler;
    }

    /** Runs a trajectory with the exact model; the level of each query is its timestep's or what {@code level} says. */
    private static double[] follow(Trajectory way, Scheduler scheduler, @Nullable Supplier<Double> level) {
        while (!way.done()) {
            List<double[]> answers = way.queries().stream()
                    .map(query -> DATA.posteriorMean(
                            query.x(),
                            level == null ? scheduler.noise().alphaBar((int) query.timestep()) : level.get()))
                    .toList();
            way.answer(answers);
        }
        assertThat(way.progress()).isEqualTo(1);
        assertThat(way.queries()).isEmpty();
        return way.sample();
    }

    private static double[] noise(int seed) {
        float[] z = new float[2];
        new TorchRandom(seed).normal(z);
        return PicardWindow.widen(z);
    }

    private static double distance(double[] a, double[] b) {
        return Math.hypot(a[0] - b[0], a[1] - b[1]);
    }

    @Test
    void adaptiveStepsComeToTheSolutionOfTheEquation() {
        Scheduler ddim = scheduler("DDIMScheduler", 1000);
        double fineError = 0;
        double coarseError = 0;
        for (int seed = 0; seed < 20; seed++) {
            double[] x = noise(seed);
            double[] solution = follow(SteppedTrajectory.resting(ddim, x, new TorchRandom(0), 0), ddim, null);
            AdaptiveSolver fine = new AdaptiveSolver(ddim, x, 1e-3);
            fineError = Math.max(fineError, distance(follow(fine, ddim, fine::alphaBar), solution));
            AdaptiveSolver coarse = new AdaptiveSolver(ddim, x, 2);
            coarseError = Math.max(coarseError, distance(follow(coarse, ddim, coarse::alphaBar), solution));
        }
        assertThat(fineError).isLessThan(0.02);
        assertThat(coarseError).isGreaterThan(fineError);
    }

    @Test
    void picardIterationWithoutToleranceIsTheSampler() {
        BiFunction<String, Integer, double[]> sequential = (name, seed) -> {
            Scheduler scheduler = scheduler(name, 15);
            return follow(SteppedTrajectory.resting(scheduler, noise(seed), new TorchRandom(seed), 0), scheduler, null);
        };
        for (String name : List.of("DDIMScheduler", "DDPMScheduler")) {
            for (int window : new int[] {1, 4, 15, 40}) {
                Scheduler scheduler = scheduler(name, 15);
                PicardWindow way = new PicardWindow(scheduler, noise(7), new TorchRandom(7), window, 0);
                assertThat(way.width()).isEqualTo(Math.min(window, 15));
                assertThat(distance(follow(way, scheduler, null), sequential.apply(name, 7)))
                        .as(name + ", window " + window)
                        .isLessThan(1e-9);
            }
        }
    }

    /** Few steps of DDIM make a wide Gaussian too narrow; Langevin dynamics at every level widens it again. */
    @Test
    void correctorBringsTheDistributionBack() {
        int d = 200;
        GaussianMixture wide =
                new GaussianMixture(new double[] {1}, new double[][] {new double[d]}, new double[] {1.5});
        Scheduler ddim = scheduler("DDIMScheduler", 6);
        double plain = 0;
        double corrected = 0;
        int n = 20;
        for (int seed = 0; seed < n; seed++) {
            float[] z = new float[d];
            new TorchRandom(seed).normal(z);
            double[] x = PicardWindow.widen(z);
            plain += variance(wide, SteppedTrajectory.resting(ddim, x, new TorchRandom(seed), 0), ddim) / n;
            corrected += variance(wide, SteppedTrajectory.corrected(ddim, x, new TorchRandom(seed), 20, 0.3), ddim) / n;
        }
        assertThat(Math.abs(corrected - 2.25)).isLessThan(Math.abs(plain - 2.25) / 2);
    }

    private static double variance(GaussianMixture data, Trajectory way, Scheduler scheduler) {
        while (!way.done()) {
            Trajectory.Query query = way.queries().getFirst();
            way.answer(List.of(data.posteriorMean(query.x(), scheduler.noise().alphaBar((int) query.timestep()))));
        }
        return Arrays.stream(way.sample()).map(v -> v * v).average().orElseThrow();
    }

    /** Data whose denoised state is settled well before the end. */
    private static final GaussianMixture TIGHT = new GaussianMixture(
            new double[] {1, 2}, new double[][] {{0.8, -0.3}, {-0.5, 0.6}}, new double[] {0.02, 0.01});

    private static Scheduler pndm(boolean skip, String prediction) {
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.defaults("PNDMScheduler")
                .with("skip_prk_steps", skip)
                .with("prediction_type", prediction)
                .with("beta_schedule", "scaled_linear")
                .with("beta_start", 0.00085)
                .with("beta_end", 0.012)
                .with("steps_offset", 1));
        scheduler.setTimesteps(20);
        return scheduler;
    }

    /** What a network that knows the data would answer. */
    private static double[] output(Scheduler scheduler, Trajectory.Query query) {
        int t = (int) query.timestep();
        NoiseSchedule.Mix mix = scheduler.noise().addNoise(t);
        NoiseSchedule.Mix target = scheduler.noise().target(t, scheduler.predictionType());
        double[] x0 = TIGHT.posteriorMean(query.x(), scheduler.noise().alphaBar(t));
        double[] m = new double[x0.length];
        Arrays.setAll(m, i -> {
            double eps = (query.x()[i] - mix.sample() * x0[i]) / mix.noise();
            return target.sample() * x0[i] + target.noise() * eps;
        });
        return m;
    }

    @ParameterizedTest
    @CsvSource({"true, epsilon", "true, v_prediction", "false, epsilon", "false, v_prediction"})
    void pndmKnowsTheDenoisedStateAndEndsWhenItRests(boolean skip, String prediction) {
        Scheduler scheduler = pndm(skip, prediction);
        int saved = 0;
        for (int seed = 0; seed < 5; seed++) {
            double[] whole = {};
            for (double rest : new double[] {0, 1e-3}) {
                SteppedTrajectory way = SteppedTrajectory.resting(scheduler, noise(seed), new TorchRandom(seed), rest);
                int calls = 0;
                double before = -1;
                double last = -2;
                while (!way.done()) {
                    Trajectory.Query query = way.queries().getFirst();
                    double[] m = output(scheduler, query);
                    assertThat(scheduler.step(calls).predictX0(query.x(), m, 1))
                            .containsExactly(
                                    TIGHT.posteriorMean(
                                            query.x(), scheduler.noise().alphaBar((int) query.timestep())),
                                    offset(1e-4));
                    way.answer(List.of(m));
                    calls++;
                    before = last;
                    last = query.timestep();
                }
                assertThat(last)
                        .as("x0 hardly changes where a timestep is asked again")
                        .isNotEqualTo(before);
                whole = rest == 0 ? way.sample() : whole;
                assertThat(distance(way.sample(), whole)).isLessThan(0.05);
                saved += scheduler.timesteps().length - calls;
            }
        }
        assertThat(saved).isPositive();
    }
}
