package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The lists of sigmas and timesteps of k-diffusion's samplers as diffusers has them, and what they refuse. */
class SigmaSchedulerTest {
    private static Scheduler tenSteps(String name, Object... changes) {
        SchedulerConfig config = SchedulerConfig.defaults(name).with("num_train_timesteps", 1100);
        for (int i = 0; i < changes.length; i += 2) {
            config = config.with((String) changes[i], changes[i + 1]);
        }
        Scheduler scheduler = SchedulerFactory.create(config);
        scheduler.setTimesteps(10);
        return scheduler;
    }

    @Test
    void sigmasAndTimestepsAreThoseOfDiffusers() {
        check(tenSteps("EulerDiscreteScheduler"), """
                1099 976.888916 854.777771 732.666687 610.555542 488.444458 366.333344 244.222229 122.111115 0
                261.055573 81.4056854 29.1121178 11.9125652 5.53581953 2.86487556 1.58681774 0.874082506 0.400163233 \
                0.0100013297 0""");
        check(tenSteps("EulerDiscreteScheduler", "use_karras_sigmas", true), """
                1099 1035.54004 961.053101 871.100098 757.834961 605.782898 387.296051 139.537933 23.536715 0
                261.055573 140.048264 70.6954117 33.1392097 14.1679049 5.38518715 1.75221932 0.459769577 0.0878118873 \
                0.0100013297 0""");
    }

    private static void check(Scheduler scheduler, String lists) {
        double[][] expected = lists.lines()
                .map(line -> Arrays.stream(line.split(" "))
                        .mapToDouble(Double::parseDouble)
                        .toArray())
                .toArray(double[][]::new);
        assertThat(scheduler.timesteps()).containsExactly(expected[0], offset(1e-3));
        double[] found = ((SigmaScheduler) scheduler).sigmas();
        for (int i = 0; i < found.length; i++) {
            assertThat(found[i]).isCloseTo(expected[1][i], offset(1e-6 * expected[1][i]));
        }
    }

    @Test
    void startsAtTheLargestSigma() {
        assertThat(tenSteps("EulerDiscreteScheduler").initNoiseSigma()).isCloseTo(261.055573, offset(1e-4));
        Scheduler leading = tenSteps("EulerDiscreteScheduler", "timestep_spacing", "leading");
        assertThat(leading.initNoiseSigma()).isCloseTo(1 / leading.inputScale(0), offset(1e-9));
    }

    @Test
    void missingSigmaEndsAreWrittenAsNull() {
        SchedulerConfig config = SchedulerConfig.defaults("EulerDiscreteScheduler");
        assertThat(config.toJson().path("sigma_min").isNull()).isTrue();
        assertThat(config.with("sigma_min", 0.1).toJson().path("sigma_min").doubleValue())
                .isEqualTo(0.1);
    }

    @Test
    void refusesBadRuns() {
        assertThatThrownBy(() -> tenSteps("EulerDiscreteScheduler").setTimesteps(0))
                .hasMessageContaining("found 0 inference steps");
        assertThatThrownBy(() -> tenSteps("LMSDiscreteScheduler", "use_karras_sigmas", true)
                        .setTimesteps(new int[] {5, 1}))
                .hasMessageContaining("expected one of them");
        assertThatThrownBy(() -> tenSteps("EulerDiscreteScheduler", "final_sigmas_type", "none"))
                .hasMessageContaining("final_sigmas_type");
    }
}
