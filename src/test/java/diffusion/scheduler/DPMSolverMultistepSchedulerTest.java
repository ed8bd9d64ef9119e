package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.Json;
import org.junit.jupiter.api.Test;

class DPMSolverMultistepSchedulerTest {
    private static final SchedulerConfig DEFAULTS = SchedulerConfig.defaults("DPMSolverMultistepScheduler");
    private static final SchedulerConfig M =
            DEFAULTS.with("lower_order_final", false).with("final_sigmas_type", "sigma_min");

    private static double[] run(SchedulerConfig config, int first) {
        Scheduler scheduler = SchedulerFactory.create(config);
        scheduler.setTimesteps(10);
        return PublishedCase.run(scheduler, first, null);
    }

    @Test
    void published() {
        SchedulerConfig v = M.with("prediction_type", "v_prediction");
        SchedulerConfig threshold =
                M.with("thresholding", true).with("sample_max_value", 0.5).with("dynamic_thresholding_ratio", 0.87);
        PublishedCase.check(
                run(M, 0),
                253.5513916,
                0.33014503,
                253.5513916,
                0,
                0.0034434944,
                0.0068869889,
                0.0017217472,
                0.66029012);
        PublishedCase.check(
                run(M, 5),
                318.4111023,
                0.41459778,
                318.4111023,
                0.64256465,
                0.64018667,
                0.63780922,
                0.64137566,
                0.18663108);
        PublishedCase.check(
                run(threshold, 0),
                872.7270508,
                1.1363634,
                872.7270508,
                0,
                0.017532907,
                0.035065815,
                0.0087664537,
                1.0069476);
        PublishedCase.check(
                run(v, 0),
                172.8739624,
                0.2250963,
                172.8739624,
                0,
                0.0023478104,
                0.0046956209,
                0.0011739052,
                0.45019275);
        PublishedCase.check(
                run(v.with("use_karras_sigmas", true), 0),
                160.6641998,
                0.20919818,
                160.6641998,
                0,
                0.0021819884,
                0.0043639769,
                0.0010909942,
                0.41839638);
        PublishedCase.check(
                run(v.with("use_lu_lambdas", true), 0),
                119.3648224,
                0.15542294,
                119.3648224,
                0,
                0.0016210995,
                0.0032421991,
                0.00081054977,
                0.31084585);
    }

    @Test
    void readsPublishedConfigsWithAnInfinity() {
        SchedulerConfig read = SchedulerConfig.of(
                Json.parse(
                        "{\"_class_name\": \"DPMSolverMultistepScheduler\", \"lambda_min_clipped\": -Infinity,"
                                + " \"variance_type\": null}",
                        "test"),
                "test");
        assertThat(read.toJson()).isEqualTo(DEFAULTS.toJson());
        assertThat(read.toJson().has("lambda_min_clipped")).isFalse();
    }

    @Test
    void refusesWhatDoesNotExist() {
        assertThatThrownBy(() -> SchedulerFactory.create(DEFAULTS.with("algorithm_type", "dpm")))
                .hasMessageContaining("\"dpm\"");
        assertThatThrownBy(() -> SchedulerFactory.create(DEFAULTS.with("algorithm_type", "dpmsolver")))
                .hasMessageContaining("expected sigma_min");
        assertThatThrownBy(() -> SchedulerFactory.create(DEFAULTS.with("solver_order", 4)))
                .hasMessageContaining("1 to 3");
        assertThatThrownBy(() -> SchedulerFactory.create(DEFAULTS).setTimesteps(1000))
                .hasMessageContaining("1 to 999");
    }
}
