package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Program;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;

class ConvDenoiserTest {
    private final ConvDenoiser model = new ConvDenoiser(new ConvDenoiser.Config(5, 2, 4, 10));
    private final Graph graph = new Graph("denoiser");
    private final Tensor x = graph.input("x", 1, 2, 5, 5);
    private final Tensor t = graph.input("t", 1);
    private final Tensor y = graph.output(model.apply(graph, x, t, null));

    @Test
    void hasThreeConvolutions() {
        assertThat(model.parameters().all().stream().map(Tensor::toString))
                .containsExactly(
                        "conv1.weight[4, 3, 3, 3]",
                        "conv1.bias[4]",
                        "conv2.weight[4, 4, 3, 3]",
                        "conv2.bias[4]",
                        "conv3.weight[2, 4, 3, 3]",
                        "conv3.bias[2]");
        assertThat(y.shape()).containsExactly(1, 2, 5, 5);
        assertThat(new ConvDenoiser(ConvDenoiser.Config.read(model.config().without("_class_name"), "again")).config())
                .isEqualTo(model.config());
    }

    @Test
    void seesTheTimeAndTeachesEveryWeight() {
        Tensor loss = graph.activation("loss", 1);
        Tensor weight = graph.input("weight", 1);
        Tensor target = graph.input("target", 1, 2, 5, 5);
        graph.append(new Loss(y, target, weight, loss, Distance.L2, 1));
        Map<Tensor, Tensor> gradients =
                Gradients.append(graph, loss, model.parameters().all());
        try (Program program = new ReferenceBackend().compile(List.of(graph))) {
            Random random = new Random(4);
            for (Tensor parameter : model.parameters().all()) {
                program.write(parameter, normal(random, parameter.size()));
            }
            program.write(x, normal(random, x.size()));
            program.write(weight, new float[] {1});
            program.write(target, normal(random, target.size()));
            program.write(t, new float[] {1});
            program.run(graph);
            float[] early = program.read(y);
            program.write(t, new float[] {9});
            program.run(graph);
            assertThat(program.read(y)).isNotEqualTo(early);
            gradients.forEach((parameter, gradient) -> {
                float largest = 0;
                for (float value : program.read(gradient)) {
                    largest = Math.max(largest, Math.abs(value));
                }
                assertThat(largest).as(parameter.name()).isPositive();
            });
        }
    }

    private static float[] normal(Random random, int size) {
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
