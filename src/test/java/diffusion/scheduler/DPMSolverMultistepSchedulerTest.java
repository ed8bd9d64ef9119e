package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.Json;
import org.junit.jupiter.api.Test;

class DPMSolverMultistepSchedulerTest {
    private static final SchedulerConfig DEFAULTS = SchedulerConfig.defaults("DPMSolverMultistepScheduler");

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
