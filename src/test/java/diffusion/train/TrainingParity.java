package diffusion.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.io.Json;
import diffusion.model.DenoisingModel;
import diffusion.model.Golden;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TorchRandom;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ten steps of training on one backend against PyTorch: losses, gradient norms, learning rates, weights, averages. */
public abstract class TrainingParity {
    private static final int STEPS = 10;
    private static final int N = 4;

    /** The backend under test. */
    protected abstract Backend backend();

    @Test
    void adamwAgrees() {
        Golden golden = Golden.read("training_plain");
        check(golden, config(golden, Json.object().put("max_norm", 0)), null);
    }

    @ParameterizedTest
    @ValueSource(strings = {"power", "ramp"})
    void clippingWarmUpCosineAndAverageAgree(String average) {
        Golden golden = Golden.read("training_full");
        ObjectNode options = Json.object();
        options.put("warmup_steps", golden.facts().path("warmup_steps").intValue());
        options.put("lr_schedule", "cosine");
        options.put("max_norm", golden.facts().path("max_grad_norm").doubleValue());
        JsonNode ema = golden.facts().path("ema").path(average);
        options.put("ema_decay", ema.path("decay").doubleValue());
        options.put("ema_power", ema.path("power").asDouble(0));
        TrainConfig config = config(golden, options);
        for (int step = 0; step < STEPS; step++) {
            assertThat(config.learningRate(step))
                    .isCloseTo(golden.facts().path("learning_rates").get(step).doubleValue(), within(1e-12));
            assertThat(config.emaDecay(step + 1))
                    .isCloseTo(
                            golden.facts()
                                    .path("ema_decays")
                                    .path(average)
                                    .get(step)
                                    .doubleValue(),
                            within(1e-12));
        }
        check(golden, config, average);
    }

    private static TrainConfig config(Golden golden, ObjectNode options) {
        options.set("model", golden.facts().path("config"));
        options.set("scheduler", Json.object().put("_class_name", "DDPMScheduler"));
        options.put("size", 8).put("batch_size", N).put("steps", STEPS);
        return TrainConfig.read(options, "parity");
    }

    private void check(Golden golden, TrainConfig config, @org.jspecify.annotations.Nullable String averageName) {
        DenoisingModel model = golden.model();
        DenoisingModel average = golden.model();
        TrainingGraphs graphs = new TrainingGraphs(model, average, config, new PictureTerms(config, null, null));
        JsonNode facts = golden.facts();
        try (Program program = backend().compile(List.of(graphs.loss, graphs.update))) {
            Map<Tensor, float[]> weights = Golden.weights(model.parameters().all());
            weights.forEach(program::write);
            program.write(Objects.requireNonNull(graphs.labels), labels(facts));
            program.write(graphs.weight, new float[] {1, 1, 1, 1});
            TorchRandom random = new TorchRandom(123);
            for (int step = 0; step < STEPS; step++) {
                writeBatch(program, graphs, random, facts.path("timesteps").get(step));
                program.run(graphs.loss);
                assertThat((double) program.read(graphs.value)[0])
                        .as("loss of step %d", step)
                        .isCloseTo(facts.path("losses").get(step).doubleValue(), within(2e-5));
                program.write(graphs.hyper, hyper(config, step));
                program.write(graphs.emaDecay, new float[] {(float) config.emaDecay(step + 1)});
                program.run(graphs.update);
                if (averageName != null) {
                    assertThat((double) program.read(graphs.norm)[0])
                            .as("gradient norm of step %d", step)
                            .isCloseTo(facts.path("gradient_norms").get(step).doubleValue(), within(1e-4));
                }
            }
            checkSamples(program, model.parameters().all(), golden.floats("weights"));
            if (averageName != null) {
                checkSamples(program, average.parameters().all(), golden.floats("ema_" + averageName));
            }
        }
    }

    private static float[] labels(JsonNode facts) {
        float[] labels = new float[N];
        for (int n = 0; n < N; n++) {
            labels[n] = facts.path("class_labels").get(n).floatValue();
        }
        return labels;
    }

    /** Draws x0, noise and timesteps in the order of scripts/golden/training.py. */
    private static void writeBatch(Program program, TrainingGraphs graphs, TorchRandom random, JsonNode expected) {
        float[] clean = new float[graphs.clean.size()];
        float[] noise = new float[clean.length];
        long[] timesteps = new long[N];
        random.normal(clean);
        random.normal(noise);
        random.integers(0, 1000, timesteps);
        NoiseSchedule schedule = SchedulerFactory.create(SchedulerConfig.defaults("DDPMScheduler"))
                .noise();
        float[] mix = new float[2 * N];
        float[] target = new float[2 * N];
        float[] times = new float[N];
        for (int n = 0; n < N; n++) {
            int t = (int) timesteps[n];
            assertThat(t).isEqualTo(expected.get(n).intValue());
            times[n] = t;
            mix[2 * n] = schedule.addNoise(t).sample();
            mix[2 * n + 1] = schedule.addNoise(t).noise();
            target[2 * n] = schedule.target(t, PredictionType.EPSILON).sample();
            target[2 * n + 1] = schedule.target(t, PredictionType.EPSILON).noise();
        }
        program.write(graphs.clean, clean);
        program.write(graphs.noise, noise);
        program.write(graphs.timestep, times);
        program.write(graphs.mix, mix);
        program.write(graphs.targetMix, target);
    }

    private static float[] hyper(TrainConfig config, int step) {
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        hyper[OptimizerStep.LR] = (float) config.learningRate(step);
        hyper[OptimizerStep.BETA1] = (float) config.beta1();
        hyper[OptimizerStep.BETA2] = (float) config.beta2();
        hyper[OptimizerStep.EPS] = (float) config.eps();
        hyper[OptimizerStep.DECAY] = (float) config.weightDecay();
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(config.beta1(), step + 1));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(config.beta2(), step + 1));
        hyper[OptimizerStep.GRAD_SCALE] = 1;
        hyper[OptimizerStep.MAX_NORM] = (float) config.maxNorm();
        return hyper;
    }

    /** Compares every numel/12-th number of each tensor; ten steps move a weight by up to 1e-2. */
    private static void checkSamples(Program program, Collection<Tensor> parameters, float[] samples) {
        int at = 0;
        for (Tensor parameter : Golden.sorted(parameters)) {
            float[] values = program.read(parameter);
            int stride = Math.max(1, values.length / 12);
            for (int i = 0; i < 12 && i * stride < values.length; i++, at++) {
                // The bias of keys has no gradient but rounding noise, which Adam makes steps of.
                if (!parameter.name().endsWith("to_k.bias")) {
                    assertThat(values[i * stride])
                            .as("%s[%d]", parameter.name(), i * stride)
                            .isCloseTo(samples[at], within(1e-4f));
                }
            }
        }
        assertThat(at).isEqualTo(samples.length);
    }
}
