package diffusion.train;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.data.Percentage.withPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.data.Dataset;
import diffusion.graph.Tensor;
import diffusion.io.Json;
import diffusion.metrics.Classifier;
import diffusion.model.DenoisingModel;
import diffusion.model.Golden;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** A loss with terms of SSIM and features on one backend: against PyTorch, against central differences, and in a training. */
public abstract class PictureTermsParity {
    private static final int SIDE = 12;

    /** The backend under test. */
    protected abstract Backend backend();

    /** A compiled loss with the golden file's weights and batch. */
    private static final class Case implements AutoCloseable {
        final Golden golden = Golden.read("training_pictures");
        final DenoisingModel model = golden.model();
        final TrainingGraphs graphs;
        final PictureTerms terms;
        final Program program;

        Case(Backend backend, PredictionType type) {
            JsonNode facts = golden.facts();
            ObjectNode options = Json.object();
            options.set("model", facts.path("config"));
            options.set("scheduler", Json.object().put("_class_name", "DDPMScheduler"));
            options.put("size", SIDE).put("batch_size", 4);
            options.put("ssim_weight", facts.path("loss_weights").path("ssim").doubleValue());
            options.put(
                    "features_weight",
                    facts.path("loss_weights").path("features").doubleValue());
            TrainConfig config = TrainConfig.read(options, "parity");
            Classifier classifier = new Classifier(Classifier.Config.read(facts.path("classifier"), "golden"));
            terms = new PictureTerms(config, classifier, null);
            graphs = new TrainingGraphs(model, golden.model(), config, terms);
            program = backend.compile(List.of(graphs.loss, graphs.update));
            graphs.loss.constants().forEach(program::write);
            Golden.weights(model.parameters().all()).forEach(program::write);
            Golden.weights(classifier.parameters().all()).forEach(program::write);
            float[] labels = new float[4];
            long[] timesteps = new long[4];
            float[] times = new float[4];
            float[] mix = new float[8];
            float[] target = new float[8];
            NoiseSchedule schedule = SchedulerFactory.create(SchedulerConfig.defaults("DDPMScheduler"))
                    .noise();
            for (int n = 0; n < 4; n++) {
                labels[n] = facts.path("class_labels").get(n).intValue();
                timesteps[n] = facts.path("timesteps").get(n).intValue();
                times[n] = timesteps[n];
                mix[2 * n] = schedule.addNoise((int) timesteps[n]).sample();
                mix[2 * n + 1] = schedule.addNoise((int) timesteps[n]).noise();
                target[2 * n] = schedule.target((int) timesteps[n], type).sample();
                target[2 * n + 1] = schedule.target((int) timesteps[n], type).noise();
            }
            program.write(Objects.requireNonNull(graphs.labels), labels);
            program.write(graphs.weight, new float[] {1, 1, 1, 1});
            program.write(graphs.clean, golden.floats("x0"));
            program.write(graphs.noise, golden.floats("noise"));
            program.write(graphs.timestep, times);
            program.write(graphs.mix, mix);
            program.write(graphs.targetMix, target);
            terms.write(program, schedule, type, timesteps);
        }

        double loss() {
            program.run(graphs.loss);
            return program.read(graphs.value)[0];
        }

        @Override
        public void close() {
            program.close();
        }
    }

    @ParameterizedTest
    @ValueSource(strings = {"epsilon", "v_prediction", "sample"})
    void lossAndGradientAgree(String prediction) {
        try (Case c = new Case(backend(), PredictionType.of(prediction))) {
            JsonNode expected = c.golden.facts().path("runs").path(prediction);
            assertThat(c.loss()).isCloseTo(expected.path("loss").doubleValue(), withPercentage(0.01));
            c.terms.values.forEach((name, term) -> assertThat((double) c.program.read(term)[0])
                    .as(name)
                    .isCloseTo(expected.path(name).doubleValue(), withPercentage(0.01)));
            assertThat(c.terms.values).containsOnlyKeys("ssim_loss", "features_loss");
            List<Float> found = new ArrayList<>();
            for (Tensor parameter : Golden.sorted(c.model.parameters().all())) {
                float[] gradient = c.program.read(Objects.requireNonNull(c.graphs.gradients.get(parameter)));
                int stride = Math.max(1, gradient.length / 12);
                for (int i = 0; i < 12 && i * stride < gradient.length; i++) {
                    found.add(gradient[i * stride]);
                }
            }
            float[] gradient = new float[found.size()];
            for (int i = 0; i < gradient.length; i++) {
                gradient[i] = found.get(i);
            }
            Golden.assertClose("gradient", gradient, c.golden.floats(prediction + ".gradient"), 2e-4);
        }
    }

    @Test
    void theGradientIsThatOfCentralDifferences() {
        try (Case c = new Case(backend(), PredictionType.V_PREDICTION)) {
            c.loss();
            Map<Tensor, float[]> gradients = new LinkedHashMap<>();
            c.graphs.gradients.forEach((parameter, gradient) -> gradients.put(parameter, c.program.read(gradient)));
            Map<Tensor, float[]> weights = new LinkedHashMap<>();
            gradients.keySet().forEach(parameter -> weights.put(parameter, c.program.read(parameter)));
            double squares = 0;
            for (float[] gradient : gradients.values()) {
                for (float g : gradient) {
                    squares += (double) g * g;
                }
            }
            double norm = Math.sqrt(squares);
            double step = 2e-3;
            double[] at = new double[2];
            for (int side = 0; side < 2; side++) {
                double along = (side == 0 ? step : -step) / norm;
                weights.forEach((parameter, values) -> {
                    float[] moved = values.clone();
                    float[] gradient = Objects.requireNonNull(gradients.get(parameter));
                    for (int i = 0; i < moved.length; i++) {
                        moved[i] += (float) (along * gradient[i]);
                    }
                    c.program.write(parameter, moved);
                });
                at[side] = c.loss();
            }
            // Along the gradient the slope is its norm.
            assertThat((at[0] - at[1]) / (2 * step)).isCloseTo(norm, withPercentage(1));
        }
    }

    /** Discs of random places and sizes. */
    private record Discs(List<String> classNames) implements Dataset {
        @Override
        public int size() {
            return 32;
        }

        @Override
        public int channels() {
            return 1;
        }

        @Override
        public int height() {
            return SIDE;
        }

        @Override
        public int width() {
            return SIDE;
        }

        @Override
        public int label(int index) {
            return 0;
        }

        @Override
        public void read(int index, float[] into, int offset) {
            Random random = new Random(index);
            double y = 3 + 6 * random.nextDouble();
            double x = 3 + 6 * random.nextDouble();
            double radius = 2 + 2 * random.nextDouble();
            for (int i = 0; i < SIDE * SIDE; i++) {
                double d = Math.hypot(i / SIDE - y, i % SIDE - x);
                into[offset + i] = (float) Math.clamp(radius - d, -1, 1);
            }
        }
    }

    @Test
    void theTermOfSimilarityFallsWhenItLeadsTheTraining() {
        ObjectNode options = Json.object();
        ObjectNode model = (ObjectNode) Json.parse("""
                {"_class_name": "UNet2DModel", "sample_size": 12, "in_channels": 1, "out_channels": 1,
                 "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D"],
                 "block_out_channels": [8, 8], "layers_per_block": 1, "norm_num_groups": 4, "attention_head_dim": 8}
                """, "test");
        options.set("model", model);
        options.set(
                "scheduler", Json.object().put("_class_name", "DDPMScheduler").put("prediction_type", "v_prediction"));
        options.put("size", SIDE).put("batch_size", 8).put("steps", 80).put("learning_rate", 0.01);
        options.put("ssim_weight", 1000); // beside which the squared error counts nothing
        double[] terms = new double[80];
        try (Trainer trainer =
                new Trainer(TrainConfig.read(options, "test"), new Discs(List.of("disc")), backend(), _ -> List.of())) {
            for (int step = 0; step < terms.length; step++) {
                Trainer.Report report = trainer.advance();
                terms[step] = Objects.requireNonNull(report.terms().get("ssim_loss"));
                assertThat(report.loss()).isCloseTo(1000 * terms[step], within(10.0));
            }
        }
        double first = Arrays.stream(terms, 0, 16).average().orElseThrow();
        double last = Arrays.stream(terms, 64, 80).average().orElseThrow();
        assertThat(last).as("from %f", first).isLessThan(0.8 * first);
    }
}
