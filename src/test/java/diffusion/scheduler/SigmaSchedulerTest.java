package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import java.util.Arrays;
import org.junit.jupiter.api.Test;

/** The samplers of k-diffusion against the sums that diffusers' tests publish, and its lists of sigmas and timesteps. */
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

    private static double[] run(Scheduler scheduler, int first) {
        return PublishedCase.runScaled(scheduler, first, new TorchRandom(0));
    }

    @Test
    void euler() {
        String name = "EulerDiscreteScheduler";
        PublishedCase.check(
                run(tenSteps(name), 0),
                10.08068275,
                0.013125889,
                10.08068275,
                0,
                0.00013690628,
                0.00027381256,
                6.8453141e-05,
                0.026251771);
        PublishedCase.check(
                run(tenSteps(name, "prediction_type", "v_prediction"), 0),
                2.418150125e-10,
                3.1486329e-13,
                2.418150125e-10,
                0,
                0,
                0,
                0,
                0);
        PublishedCase.check(
                run(tenSteps(name, "use_karras_sigmas", true), 0),
                124.5225983,
                0.1621388,
                -124.5225983,
                0,
                -0.0016911475,
                -0.0033822949,
                -0.00084557373,
                -0.32427782);
        PublishedCase.check(
                run(tenSteps(name), 8),
                57062.92969,
                74.30069,
                57062.92969,
                0.22743738,
                1.0000396,
                1.7726419,
                0.61373854,
                148.37393);
    }

    @Test
    void eulerAncestral() {
        String name = "EulerAncestralDiscreteScheduler";
        PublishedCase.check(
                run(tenSteps(name), 0),
                152.3192902,
                0.19833241,
                -55.10939407,
                -0.31697899,
                0.0099248774,
                0.09887851,
                0.10740804,
                -0.2041368);
        PublishedCase.check(
                run(tenSteps(name, "prediction_type", "v_prediction"), 0),
                108.4438934,
                0.14120299,
                -1.732414007,
                -0.25736612,
                0.097535238,
                0.075190082,
                0.029833885,
                -0.0098828105);
        PublishedCase.check(
                run(tenSteps(name), 8),
                56163.05078,
                73.128975,
                56163.05078,
                0.21259299,
                0.97273982,
                1.7421676,
                0.60699612,
                146.03055);
    }

    @Test
    void lms() {
        String name = "LMSDiscreteScheduler";
        PublishedCase.check(
                run(tenSteps(name), 0),
                1006.388062,
                1.3104011,
                -1006.388062,
                0,
                -0.013667807,
                -0.027335614,
                -0.0068339035,
                -2.6208034);
        PublishedCase.check(
                run(tenSteps(name, "prediction_type", "v_prediction"), 0),
                0.001741533866,
                2.2676222e-06,
                -0.001741533866,
                0,
                -2.3651854e-08,
                -4.7303708e-08,
                -1.1825927e-08,
                -4.5352449e-06);
        PublishedCase.check(
                run(tenSteps(name, "use_karras_sigmas", true), 0),
                3812.99292,
                4.9648347,
                -3812.99292,
                0,
                -0.051784452,
                -0.1035689,
                -0.025892226,
                -9.9296722);
        PublishedCase.check(
                run(tenSteps(name), 8),
                27663.68945,
                36.020428,
                27663.68945,
                0.11025999,
                0.48481181,
                0.85936385,
                0.29753599,
                71.930603);
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
