package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class DDIMSchedulerTest {
    private static final SchedulerConfig L = SchedulerConfig.defaults("DDIMScheduler");

    private static DDIMScheduler tenSteps(SchedulerConfig config) {
        DDIMScheduler scheduler = new DDIMScheduler(config);
        scheduler.setTimesteps(10);
        return scheduler;
    }

    @ParameterizedTest
    @CsvSource({"0, 0, 0", "420, 400, 0.14771", "980, 960, 0.32460", "487, 486, 0.00979", "999, 998, 0.02"})
    void publishedVariance(int t, int previous, double expected) {
        // diffusers asks for (0, 0), where both ends are alphaBar_0
        assertThat(new DDIMScheduler(L).variance(t, previous)).isCloseTo(expected, offset(1e-5));
    }

    @ParameterizedTest
    @CsvSource({
        "leading, 1, 5, 801 601 401 201 1",
        "linspace, 1, 5, 999 749 500 250 0",
        "trailing, 1, 5, 999 799 599 399 199",
        "trailing, 1, 7, 999 856 713 570 428 285 142",
        "trailing, 0, 13, 999 922 845 768 691 614 537 461 384 307 230 153 76",
        "linspace, 0, 7, 999 832 666 500 333 166 0",
        "leading, 1, 20, 951 901 851 801 751 701 651 601 551 501 451 401 351 301 251 201 151 101 51 1",
        "linspace, 0, 1, 0",
        "trailing, 0, 1, 999"
    })
    void publishedTimesteps(String spacing, int stepsOffset, int n, String expected) {
        DDIMScheduler scheduler =
                new DDIMScheduler(L.with("timestep_spacing", spacing).with("steps_offset", stepsOffset));
        scheduler.setTimesteps(n);
        StringBuilder text = new StringBuilder();
        for (double t : scheduler.timesteps()) {
            text.append(text.isEmpty() ? "" : " ").append((int) t);
        }
        assertThat(text.toString()).isEqualTo(expected);
    }

    @Test
    void etaOneAddsTheVarianceAndDrawsAtEveryStep() {
        DDIMScheduler scheduler = tenSteps(L);
        assertThat(scheduler.step(0).needsNoise()).isFalse();
        scheduler.setEta(1);
        Step step = scheduler.step(3);
        assertThat(step.noise() * step.noise()).isCloseTo(scheduler.variance(600, 500), offset(1e-7));
        assertThat(scheduler.step(9).needsNoise()).isTrue();
        assertThat(scheduler.step(9).noise()).isZero();
    }

    @Test
    void clippedModelOutputChangesNothingUnlessX0IsClipped() {
        double[] x = {0.3, -0.2, 0.1, 0.05};
        double[] m = {0.2, -0.1, 0.3, 0.1};
        DDIMScheduler plain = tenSteps(L.with("clip_sample", false));
        DDIMScheduler clipped = tenSteps(L.with("clip_sample", false));
        clipped.setUseClippedModelOutput(true);
        double[] a = plain.step(2).apply(x, m, null, new ArrayList<>(), 1);
        double[] b = clipped.step(2).apply(x, m, null, new ArrayList<>(), 1);
        for (int i = 0; i < x.length; i++) {
            assertThat(b[i]).isCloseTo(a[i], offset(1e-6));
        }
        DDIMScheduler clippedAtOne = tenSteps(L);
        clippedAtOne.setUseClippedModelOutput(true);
        double[] far = {90, 0, 0, 0};
        double x0 = 1; // clipped
        double aBar = clippedAtOne.noise().alphaBar(700);
        double before = clippedAtOne.noise().alphaBar(600);
        double eps = (90 - Math.sqrt(aBar) * x0) / Math.sqrt(1 - aBar);
        assertThat(clippedAtOne.step(2).apply(far, m, null, new ArrayList<>(), 1)[0])
                .isCloseTo(Math.sqrt(before) * x0 + Math.sqrt(1 - before) * eps, offset(1e-4));
    }

    @Test
    void trueEpsilonLeadsBackToTheSample() {
        // with the true eps every step lands on the forward marginal, and the last one on x0
        for (String type : new String[] {"epsilon", "sample", "v_prediction"}) {
            DDIMScheduler scheduler = tenSteps(L.with("prediction_type", type).with("clip_sample", false));
            double x0 = 0.7;
            double eps = -1.3;
            NoiseSchedule.Mix start = scheduler.addNoise(0);
            double[] x = {start.sample() * x0 + start.noise() * eps};
            for (int i = 0; i < 10; i++) {
                NoiseSchedule.Mix target =
                        scheduler.noise().target((int) scheduler.timesteps()[i], PredictionType.of(type));
                double[] m = {target.sample() * x0 + target.noise() * eps};
                x = scheduler.step(i).apply(x, m, null, new ArrayList<>(), 1);
            }
            assertThat(x[0]).as(type).isCloseTo(x0, offset(1e-4));
        }
    }

    @Test
    void zeroTerminalSnrNeedsAnotherPredictionThanEpsilon() {
        SchedulerConfig config = L.with("rescale_betas_zero_snr", true).with("timestep_spacing", "trailing");
        assertThatThrownBy(() -> tenSteps(config).step(0))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("timestep 999")
                .hasMessageContaining("v_prediction");
        Step step = tenSteps(config.with("prediction_type", "v_prediction")).step(0);
        assertThat(step.px()).isZero();
        assertThat(step.pm()).isEqualTo(-1);
    }

    @Test
    void refusesBadRuns() {
        DDIMScheduler scheduler = new DDIMScheduler(L);
        assertThatThrownBy(() -> scheduler.setTimesteps(0)).hasMessageContaining("found 0 inference steps");
        assertThatThrownBy(() -> scheduler.setTimesteps(1001)).hasMessageContaining("1 to 1000");
        assertThatThrownBy(() -> scheduler.setEta(-1)).hasMessageContaining("eta -1.0");
        assertThatThrownBy(() -> new DDIMScheduler(L.with("timestep_spacing", "even")).setTimesteps(3))
                .hasMessageContaining("\"even\"");
        assertThatThrownBy(() -> tenSteps(L).step(10)).hasMessageContaining("step 10");
    }

    /** numpy.arange has one step more, to below the schedule, where 1000 / (1000 / n) rounds to more than n: 61, 103, ... */
    @ParameterizedTest
    @ValueSource(strings = {"DDIMScheduler", "EulerDiscreteScheduler", "DPMSolverMultistepScheduler"})
    void trailingTimestepsAreAsManyAsStepsAndNoneIsNegative(String name) {
        Scheduler scheduler =
                SchedulerFactory.create(SchedulerConfig.defaults(name).with("timestep_spacing", "trailing"));
        for (int n : new int[] {1, 7, 60, 61, 62, 103, 121, 122, 201, 206, 998, 999}) {
            scheduler.setTimesteps(n);
            double[] timesteps = scheduler.timesteps();
            assertThat(timesteps).as("%d steps", n).hasSize(n);
            assertThat(timesteps[0]).isEqualTo(999);
            assertThat(timesteps[n - 1]).isNotNegative();
        }
    }

    /** There all of the next sample's noise is drawn, and rounding leaves less than nothing for the direction. */
    @Test
    void etaOneFromZeroTerminalSnrHasAFiniteDirection() {
        DDIMScheduler scheduler = new DDIMScheduler(L.with("rescale_betas_zero_snr", true)
                .with("beta_schedule", "scaled_linear")
                .with("beta_start", 0.00085)
                .with("beta_end", 0.012)
                .with("timestep_spacing", "trailing")
                .with("prediction_type", "v_prediction"));
        scheduler.setEta(1);
        for (int n = 1; n <= 100; n++) {
            scheduler.setTimesteps(n);
            Step step = scheduler.step(0);
            assertThat(step.cx()).as("%d steps", n).isFinite();
            assertThat(step.cm()).isFinite();
            assertThat(step.c0()).isFinite();
        }
    }
}
