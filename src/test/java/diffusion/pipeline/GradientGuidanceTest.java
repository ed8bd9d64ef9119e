package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import diffusion.backend.Program;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import diffusion.io.DiffusionException;
import diffusion.scheduler.PredictionType;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** One guided step on data of a Gaussian, of which everything is known. */
class GradientGuidanceTest {
    private static final double SPREAD = 0.3; // of the data
    private static final double Y = 0.2;
    private static final double NOISE = 2; // of the measurement
    private static final float[] X = {0.4f, -0.7f, 1.1f, 0.05f};

    /** 1 / (2 NOISE^2) sum (x0 - Y)^2. */
    private static Tensor energy(Graph g, Tensor x0) {
        float[] target = new float[x0.size()];
        Arrays.fill(target, (float) Y);
        float[] weight = new float[x0.dim(0)];
        Arrays.fill(weight, (float) (x0.size() / (2 * NOISE * NOISE)));
        Tensor loss = g.activation("loss", 1);
        g.append(new Loss(
                x0, g.constant("y", target, x0.shape()), g.constant("w", weight, weight.length), loss, Distance.L2, 0));
        return loss;
    }

    @ParameterizedTest
    @CsvSource({
        "ddim, epsilon, false",
        "ddim, v_prediction, false",
        "ddim, sample, false",
        "euler, epsilon, false",
        "euler, v_prediction, false",
        "ddim, epsilon, true",
        "flow_match_euler, flow_prediction, false",
        "pndm, epsilon, false",
        "pndm, v_prediction, true"
    })
    void x0MovesAsTheScoreOfTheMeasurementSays(String name, String prediction, boolean guided) {
        SchedulerConfig config = SchedulerFactory.byName(name).config();
        if (!prediction.equals("flow_prediction")) {
            config = config.with("prediction_type", prediction);
        }
        if (name.equals("ddim")) {
            config = config.with("clip_sample", false);
        }
        if (name.equals("pndm")) {
            config = config.with("skip_prk_steps", true);
        }
        Scheduler scheduler = SchedulerFactory.create(config);
        scheduler.setTimesteps(10);
        int i = 6;
        scheduler.setBeginIndex(i);
        double ratio =
                scheduler.addNoise(i).noise() / (double) scheduler.addNoise(i).sample();
        // E[x0 | x] = gain * x in the units of the state, x = sample * (x0 + ratio * eps)
        double variance = 1 / (1 / (SPREAD * SPREAD) + 1 / (ratio * ratio));
        double gain = variance / (ratio * ratio) / scheduler.addNoise(i).sample();
        Step step = scheduler.step(i);
        double scale = scheduler.inputScale(i);
        // The answer that gives this x0, as a multiple of what the network sees.
        float slope = (float) ((gain - step.px()) / step.pm() / scale);
        GuidedNetwork.Network network = (g, x, t, _) ->
                g.addChannel(g.scale(x, slope), g.scale(g.reshape(t, t.size(), 1), 0)); // the time is not needed
        List<List<Guide>> ways = List.of(List.of(), List.of(GradientGuidanceTest::energy));
        List<float[]> results = new ArrayList<>();
        for (List<Guide> guides : ways) {
            SamplingLoop loop = new SamplingLoop(new Sampling(network, scheduler, guided, 0, guides, 2, 1, 1, 2), 1);
            try (Program program = new ReferenceBackend().compile(loop.graphs())) {
                loop.graphs().forEach(graph -> graph.constants().forEach(program::write));
                results.add(loop.run(
                        program,
                        List.of(
                                RandomSource.of(RandomSource.Kind.TORCH, 0),
                                RandomSource.of(RandomSource.Kind.TORCH, 1)),
                        3,
                        new SamplingLoop.Part(i, i + 1, X),
                        () -> false,
                        (_, _, _, _) -> {}));
            }
        }
        for (int k = 0; k < X.length; k++) {
            double x0 = gain * X[k];
            double moved = x0 - variance * (x0 - Y) / (NOISE * NOISE);
            double expected = results.getFirst()[k] + (moved - x0) * (step.c0() + step.cm() / step.pm());
            assertThat((double) results.getLast()[k]).as("element %d", k).isCloseTo(expected, offset(2e-5));
            assertThat(results.getLast()[k]).isNotCloseTo(results.getFirst()[k], offset(1e-4f));
        }
        assertThat(scheduler.predictionType()).isEqualTo(PredictionType.of(prediction));
    }

    @ParameterizedTest
    @ValueSource(strings = {"ipndm", "flow_match_heun", "sde_ve"})
    void refusesSamplersThatKnowNoDenoisedPicture(String name) {
        Scheduler scheduler =
                SchedulerFactory.create(SchedulerFactory.byName(name).config());
        scheduler.setTimesteps(10);
        GuidedNetwork.Network network = (g, x, _, _) -> g.scale(x, 1);
        List<Guide> guides = List.of(GradientGuidanceTest::energy);
        Sampling sampling = new Sampling(network, scheduler, false, 0, guides, 2, 1, 1, 2);
        assertThatThrownBy(() -> new SamplingLoop(sampling, 1))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("--guide: expected a sampler")
                .hasMessageContaining(scheduler.config().className());
    }
}
