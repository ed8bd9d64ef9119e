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

    /** The scheduler_config.json of Stable Diffusion 1.5: made from another class, whose keys it keeps. */
    @Test
    void passesOnTheKeysOfOtherClasses() {
        SchedulerConfig pndm = SchedulerConfig.of(Json.parse("""
                {"_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_end": 0.012,
                 "beta_schedule": "scaled_linear", "beta_start": 0.00085, "num_train_timesteps": 1000,
                 "set_alpha_to_one": false, "skip_prk_steps": true, "steps_offset": 1, "trained_betas": null,
                 "clip_sample": false}""", "sd15"), "sd15");
        assertThat(pndm.flag("skip_prk_steps")).isTrue();
        assertThat(pndm.as("DDIMScheduler").flag("clip_sample")).isFalse();
        assertThat(pndm.as("EulerDiscreteScheduler").integer("steps_offset")).isEqualTo(1);
        // Not given, so the other class's own default.
        assertThat(pndm.as("EulerDiscreteScheduler").text("timestep_spacing")).isEqualTo("linspace");
        SchedulerConfig karras = SchedulerFactory.configFor("DPM++ 2M SDE Karras", pndm);
        assertThat(karras.className()).isEqualTo("DPMSolverMultistepScheduler");
        assertThat(karras.text("algorithm_type")).isEqualTo("sde-dpmsolver++");
        assertThat(karras.flag("use_karras_sigmas")).isTrue();
        assertThat(SchedulerFactory.configFor("Euler a", pndm).className())
                .isEqualTo("EulerAncestralDiscreteScheduler");
        assertThat(SchedulerFactory.configFor("euler_a", pndm).className())
                .isEqualTo("EulerAncestralDiscreteScheduler");
    }

    @Test
    void aNameSaysAllThatWasAskedFor() {
        SchedulerConfig model = SchedulerConfig.defaults("PNDMScheduler");
        for (String name :
                new String[] {"DPM++ 2M SDE", "DPM++ 3M SDE exponential", " euler Karras ", "dpm2_a", "UniPC"}) {
            SchedulerConfig config = SchedulerFactory.configFor(name, model);
            String said = SchedulerFactory.nameOf(name, config);
            assertThat(said).isEqualTo(name.strip());
            assertThat(SchedulerFactory.configFor(said, model).toJson()).isEqualTo(config.toJson());
        }
        SchedulerConfig euler = SchedulerFactory.configFor("Euler", model);
        assertThat(SchedulerFactory.nameOf(null, euler)).isEqualTo("EulerDiscreteScheduler");
        assertThat(SchedulerFactory.nameOf(null, euler.with("use_karras_sigmas", true)))
                .isEqualTo("EulerDiscreteScheduler Karras");
        assertThat(SchedulerFactory.nameOf("Euler", euler.with("use_exponential_sigmas", true)))
                .isEqualTo("Euler Exponential");
    }

    @Test
    void samplersAreNotMixedWithModelsOfAnotherKind() {
        SchedulerConfig ddim = SchedulerConfig.defaults("DDIMScheduler");
        assertThat(SchedulerFactory.configFor("DPM++ SDE Karras", ddim).className())
                .isEqualTo("DPMSolverSDEScheduler");
        assertThatThrownBy(() -> SchedulerFactory.configFor("flow_match_euler", ddim))
                .hasMessageContaining("\"flow_match_euler\", which is for models of flow matching")
                .hasMessageContaining("discrete timesteps (DDIMScheduler)");
        assertThatThrownBy(() -> SchedulerFactory.configFor("ddim", SchedulerConfig.defaults("EDMEulerScheduler")))
                .hasMessageContaining("EDM's preconditioning (EDMEulerScheduler)");
        // The samplers that have flow sigmas take over from one another.
        SchedulerConfig flow = SchedulerConfig.of(
                Json.parse(
                        "{\"_class_name\": \"UniPCMultistepScheduler\", \"use_flow_sigmas\": true,"
                                + " \"prediction_type\": \"flow_prediction\", \"flow_shift\": 3}",
                        "flow"),
                "flow");
        assertThat(SchedulerFactory.configFor("dpmsolver++", flow).number("flow_shift"))
                .isEqualTo(3);
    }

    @Test
    void schedulersWithoutBetasSayWhatTheyLack() {
        assertThatThrownBy(() -> SchedulerFactory.byName("edm_euler").noise()).hasMessageContaining("has no betas");
        assertThatThrownBy(() -> SchedulerFactory.byName("edm_dpmsolver++").noise())
                .hasMessageContaining("has no betas");
        assertThatThrownBy(() -> SchedulerFactory.byName("ddim").setSigmas(1, 0))
                .hasMessageContaining("found sigmas for DDIMScheduler");
        assertThatThrownBy(() -> SchedulerFactory.byName("unipc").setSigmas(1, 0))
                .hasMessageContaining("found sigmas for UniPCMultistepScheduler");
        assertThatThrownBy(() -> SchedulerFactory.byName("flow_match_heun").setTimesteps(new int[] {3, 1}))
                .hasMessageContaining("expected a number of steps");
        assertThatThrownBy(() -> SchedulerFactory.byName("unclip").setTimesteps(1))
                .hasMessageContaining("expected 2 to");
        SchedulerConfig third = SchedulerConfig.defaults("DPMSolverSinglestepScheduler")
                .with("algorithm_type", "sde-dpmsolver++")
                .with("solver_order", 3);
        assertThatThrownBy(() -> SchedulerFactory.create(third)).hasMessageContaining("expected at most 2");
        assertThatThrownBy(() -> new Churn(-1, 0, 1, 1)).hasMessageContaining("s_churn");
    }
}
