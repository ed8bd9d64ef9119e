package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Program;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import diffusion.graph.TrainOp.OptimizerStep;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Pictures, gradients and trained weights have the same bits whatever the number of threads. */
class ThreadInvarianceTest {
    private static final int BATCH = 7;
    private static final int STEPS = 3;

    private static final Map<String, float[]> ON_ONE_THREAD = trained(1);

    @ParameterizedTest
    @ValueSource(ints = {1, 2, 3, 5})
    void trainingHasTheSameBits(int threads) {
        Map<String, float[]> actual = trained(threads);
        assertThat(actual.keySet()).isEqualTo(ON_ONE_THREAD.keySet());
        actual.forEach((name, values) -> assertThat(values).as(name).isEqualTo(ON_ONE_THREAD.get(name)));
        float[] first = actual.get("step 0, output");
        assertThat(first).isNotEqualTo(actual.get("step 1, output")).doesNotContain(Float.NaN);
    }

    /** Output, loss, norm, gradients and weights of some steps of a net with convolution, norm, attention and linear. */
    private static Map<String, float[]> trained(int threads) {
        Graph g = new Graph("net");
        List<Tensor> weights = new ArrayList<>();
        Tensor x = g.input("x", BATCH, 3, 9, 11);
        Tensor h = g.conv2d(x, weight(weights, 20, 3, 3, 3), weight(weights, 20), Window.of(1, 1));
        h = g.groupNorm(h, weight(weights, 20), weight(weights, 20), 4, 1e-5f, true);
        h = g.conv2d(h, weight(weights, 36, 20, 3, 3), weight(weights, 36), Window.of(2, 1));
        h = g.transpose(g.reshape(h, BATCH, 36, 30));
        h = g.attention(
                g.linear(h, weight(weights, 36, 36), weight(weights, 36)),
                g.linear(h, weight(weights, 36, 36), null),
                h,
                2,
                0.3f);
        Tensor y = g.output(g.linear(h, weight(weights, 13, 36), weight(weights, 13)));
        Tensor target = g.input("target", y.shape());
        Tensor each = g.input("each", BATCH);
        Tensor loss = g.output(g.activation("loss", 1));
        g.append(new TrainOp.Loss(y, target, each, loss, TrainOp.Distance.L2, 1));
        Map<Tensor, Tensor> gradients = Gradients.append(g, loss, weights);
        Tensor norm = g.state("norm", 1);
        Tensor hyper = g.input("hyper", OptimizerStep.HYPER_SIZE);
        Graph update = new Graph("update");
        update.append(new TrainOp.GlobalNorm(List.copyOf(gradients.values()), norm));
        gradients.forEach((w, gradient) -> update.append(new OptimizerStep(
                w,
                gradient,
                update.state("m." + w.name(), w.shape()),
                update.state("v." + w.name(), w.shape()),
                norm,
                hyper,
                TrainOp.Optimizer.ADAMW)));
        Map<String, float[]> results = new LinkedHashMap<>();
        try (Program program = new CpuBackend(threads).compile(List.of(g, update))) {
            weights.forEach(w -> program.write(w, values(w, w.name().hashCode())));
            program.write(x, values(x, 1));
            program.write(target, values(target, 2));
            program.write(each, values(each, 3));
            for (int step = 0; step < STEPS; step++) {
                String at = "step " + step + ", ";
                program.write(hyper, new float[] {
                    0.01f,
                    0.9f,
                    0.999f,
                    1e-8f,
                    0.01f,
                    (float) (1 - Math.pow(0.9, step + 1)),
                    (float) (1 - Math.pow(0.999, step + 1)),
                    1,
                    1
                });
                program.run(g);
                results.put(at + "output", program.read(y));
                results.put(at + "loss", program.read(loss));
                gradients.forEach((w, gradient) -> results.put(at + "gradient of " + w, program.read(gradient)));
                program.run(update);
                results.put(at + "norm", program.read(norm));
                weights.forEach(w -> results.put(at + w, program.read(w)));
            }
        }
        return results;
    }

    private static Tensor weight(List<Tensor> weights, int... shape) {
        Tensor tensor = new Tensor("w" + weights.size(), Tensor.Role.PARAMETER, shape);
        weights.add(tensor);
        return tensor;
    }

    private static float[] values(Tensor tensor, long seed) {
        Random random = new Random(seed);
        float[] values = new float[tensor.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() * 0.3f;
        }
        return values;
    }
}
