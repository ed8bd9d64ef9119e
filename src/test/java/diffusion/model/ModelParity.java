package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** UNet2DModel against diffusers' on one backend: outputs of every option, and the gradient of every weight. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class ModelParity {
    /** The backend under test. */
    protected abstract Backend backend();

    /** The options to try, each in a file of reference outputs. */
    protected List<String> configurations() {
        return List.of(
                "plain",
                "attention",
                "attention_heads",
                "three_levels_12x12",
                "padding0",
                "padding0_attention",
                "fourier",
                "learned_time",
                "classes",
                "classes_timestep",
                "classes_identity",
                "scale_shift",
                "scale_shift_groups",
                "resnet_resampling",
                "centered_relu",
                "gelu",
                "mish",
                "no_mid_block",
                "wide_8x16",
                "one_block");
    }

    @ParameterizedTest
    @MethodSource("configurations")
    void outputAgrees(String name) {
        Golden golden = Golden.read("unet_" + name);
        float[] output = run(golden, golden.floats("timestep"));
        Golden.assertClose(name, output, golden.floats("output"), 1e-5);
    }

    /** One pass through a file's model, with weights by the rule and the file's sample and labels. */
    protected final float[] run(Golden golden, float[] timesteps) {
        DenoisingModel model = golden.model();
        assertThat(model.parameters().count())
                .isEqualTo(golden.facts().path("parameters").longValue());
        Graph graph = new Graph("unet");
        Tensor sample = graph.input("sample", golden.shape("sample"));
        Tensor timestep = graph.input("timestep", timesteps.length);
        boolean conditional = golden.tensors().containsKey("class_labels");
        Tensor labels = conditional ? graph.input("class_labels", golden.shape("class_labels")) : null;
        Tensor output = graph.output(model.apply(graph, sample, timestep, labels));
        try (Program program = backend().compile(List.of(graph))) {
            Golden.weights(model.parameters().all()).forEach(program::write);
            program.write(sample, golden.floats("sample"));
            program.write(timestep, timesteps);
            if (labels != null) {
                program.write(labels, golden.floats("class_labels"));
            }
            program.run(graph);
            return program.read(output);
        }
    }

    @Test
    void everyGradientAgrees() {
        Golden golden = Golden.read("gradients");
        DenoisingModel model = golden.model();
        Graph graph = new Graph("loss");
        Tensor noisy = graph.input("noisy", golden.shape("noisy"));
        Tensor noise = graph.input("noise", golden.shape("noise"));
        Tensor timestep = graph.input("timestep", 2);
        Tensor labels = graph.input("class_labels", 2);
        Tensor weight = graph.input("weight", 2);
        Tensor loss = graph.activation("loss", 1);
        Tensor predicted = model.apply(graph, noisy, timestep, labels);
        graph.append(new Loss(predicted, noise, weight, loss, Distance.L2, 1));
        graph.output(loss);
        Map<Tensor, Tensor> gradients =
                Gradients.append(graph, loss, model.parameters().all());
        assertThat(gradients).hasSize(model.parameters().all().size());
        try (Program program = backend().compile(List.of(graph))) {
            Golden.weights(model.parameters().all()).forEach(program::write);
            program.write(noisy, golden.floats("noisy"));
            program.write(noise, golden.floats("noise"));
            program.write(timestep, golden.floats("timestep"));
            program.write(labels, floats(golden.facts().path("class_labels")));
            program.write(weight, new float[] {1, 1});
            program.run(graph);
            assertThat(program.read(loss)[0]).isCloseTo(golden.floats("loss")[0], within(1e-5f));
            gradients.forEach((parameter, gradient) -> {
                float[] expected = golden.floats("gradient." + parameter.name());
                float[] found = program.read(gradient);
                if (isZeroInTheory(parameter)) {
                    assertThat(found)
                            .as(parameter.name())
                            .usingComparatorWithPrecision(1e-7f)
                            .containsOnly(0f);
                } else {
                    Golden.assertClose(parameter.name(), found, expected, 5e-5);
                }
            });
        }
    }

    /** A softmax does not see what is added to all of its inputs. */
    static boolean isZeroInTheory(Tensor parameter) {
        return parameter.name().endsWith("to_k.bias");
    }

    static float[] floats(@Nullable JsonNode array) {
        float[] values = new float[Objects.requireNonNull(array).size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = array.get(i).floatValue();
        }
        return values;
    }
}
