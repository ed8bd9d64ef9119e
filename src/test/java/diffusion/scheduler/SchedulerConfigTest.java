package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SchedulerConfigTest {
    private static SchedulerConfig parse(String json) {
        return SchedulerConfig.of(Json.parse(json, "test.json"), "test.json");
    }

    @Test
    void readsAPublishedConfig() {
        SchedulerConfig config = parse("""
                {
                  "_class_name": "DDPMScheduler",
                  "_diffusers_version": "0.1.1",
                  "beta_end": 0.02,
                  "beta_schedule": "linear",
                  "beta_start": 0.0001,
                  "clip_sample": true,
                  "num_train_timesteps": 1000,
                  "tensor_format": "pt",
                  "timestep_values": null,
                  "trained_betas": null,
                  "variance_type": "fixed_large"
                }
                """);
        Scheduler scheduler = SchedulerFactory.create(config);
        assertThat(scheduler).isInstanceOf(DDPMScheduler.class);
        assertThat(scheduler.config().text("variance_type")).isEqualTo("fixed_large");
        assertThat(scheduler.config().text("prediction_type")).isEqualTo("epsilon");
        assertThat(parse("{\"_class_name\": \"DDPMScheduler\", \"predict_epsilon\": false}")
                        .text("prediction_type"))
                .isEqualTo("sample");
    }

    @Test
    void writesWhatItReads(@TempDir Path folder) {
        SchedulerConfig config = SchedulerConfig.defaults("DDIMScheduler")
                .with("steps_offset", 1)
                .with("beta_end", 0.012)
                .with("trained_betas", new float[] {0.25f, 0.5f});
        config.write(folder);
        SchedulerConfig read = SchedulerConfig.read(folder);
        assertThat(read.toJson()).isEqualTo(config.toJson());
        assertThat(read.numbers("trained_betas")).containsExactly(0.25f, 0.5f);
        assertThat(read.className()).isEqualTo("DDIMScheduler");
    }

    @Test
    void anotherSchedulerTakesOverTheSchedule() {
        SchedulerConfig ddpm =
                SchedulerConfig.defaults("DDPMScheduler").with("beta_end", 0.03).with("variance_type", "learned");
        Scheduler ddim = SchedulerFactory.byName("ddim", ddpm);
        assertThat(ddim.config().number("beta_end")).isEqualTo(0.03);
        assertThat(ddim.config().has("variance_type")).isFalse();
        assertThat(ddim.config().flag("set_alpha_to_one")).isTrue();
        assertThat(SchedulerFactory.byName("DDPMScheduler", ddpm).learnsVariance())
                .isTrue();
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"_class_name": "DDPMScheduler", "beta_strat": 0.1}        | beta_strat
                    {"_class_name": "DDPMScheduler", "beta_start": "small"}    | a number
                    {"_class_name": "DDPMScheduler", "num_train_timesteps": 1.5} | an integer
                    {"_class_name": "DDPMScheduler", "clip_sample": 1}         | true or false
                    {"_class_name": "DDPMScheduler", "trained_betas": ["a"]}   | expected numbers
                    {"_class_name": "DPMScheduler"}                            | ddim (DDIMScheduler)
                    {"beta_start": 0.1}                                        | _class_name
                    """)
    void badConfigsAreRefusedInOneLine(String json, String expected) {
        assertThatThrownBy(() -> parse(json))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining(expected)
                .extracting(Throwable::getMessage)
                .asString()
                .doesNotContain("\n");
    }

    @Test
    void badValuesAreRefusedWhenTheSchedulerIsMade() {
        SchedulerConfig ddpm = SchedulerConfig.defaults("DDPMScheduler");
        assertThatThrownBy(() -> SchedulerFactory.create(ddpm.with("num_train_timesteps", 0)))
                .hasMessageContaining("num_train_timesteps 0");
        assertThatThrownBy(() -> SchedulerFactory.create(ddpm.with("prediction_type", "noise")))
                .hasMessageContaining("\"noise\"");
        assertThatThrownBy(() -> ddpm.with("beta_start", "x")).hasMessageContaining("a number");
        assertThatThrownBy(() -> ddpm.with("nothing", 1)).hasMessageContaining("nothing");
        assertThatThrownBy(() -> SchedulerFactory.byName("runge")).hasMessageContaining("ddpm (DDPMScheduler)");
    }
}
