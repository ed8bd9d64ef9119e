package diffusion.nn;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.model.Models;
import diffusion.nn.ResnetBlock2D.Resample;
import diffusion.scheduler.TorchRandom;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * The numbers that diffusers publishes for single layers, tests/models/test_layers_utils.py: inputs and then weights come
 * from torch's generator with seed 0, so nothing but the expected numbers is stored.
 *
 * <p>Left out: what no model here has (transposed convolutions, FIR filters, adaptive norms, discrete inputs) and the checks
 * of Python classes.
 */
public abstract class PublishedLayers {
    private final TorchRandom random = new TorchRandom(0);
    private final Parameters parameters = new Parameters();
    private final Scope root = Scope.root(parameters);
    private final Graph graph = new Graph("layer");
    private final List<Tensor> inputs = new ArrayList<>();
    private final List<float[]> drawn = new ArrayList<>();

    /** The backend under test. */
    protected abstract Backend backend();

    /** The next normal numbers of the generator. */
    private Tensor randn(int... shape) {
        Tensor input = graph.input("input" + inputs.size(), shape);
        float[] values = new float[input.size()];
        random.normal(values);
        inputs.add(input);
        drawn.add(values);
        return input;
    }

    /** The next weights of the generator, by torch's rules, in the order they were declared. */
    private void weights(Program program) {
        Models.initialize(parameters, Models.RandomSource.of(random::uniform, random::normal), program::write);
    }

    private float[] run(Tensor output, @Nullable Integer contextAfterWeights) {
        graph.output(output);
        try (Program program = backend().compile(List.of(graph))) {
            weights(program);
            if (contextAfterWeights != null) {
                random.normal(drawn.get(contextAfterWeights));
            }
            for (int i = 0; i < inputs.size(); i++) {
                program.write(inputs.get(i), drawn.get(i));
            }
            program.run(graph);
            return program.read(output);
        }
    }

    /** The last three rows and columns of the last channel. */
    private void check(Tensor output, String expected) {
        check(output, run(output, null), expected);
    }

    private static void check(Tensor output, float[] found, String expected) {
        int height = output.dim(2);
        int width = output.dim(3);
        String[] numbers = expected.split(" ", -1);
        assertThat(numbers).hasSize(9);
        for (int i = 0; i < 9; i++) {
            int at = found.length - (3 - i / 3) * width + width - 3 + i % 3;
            assertThat(found[at]).as("element %d", i).isEqualTo(Float.parseFloat(numbers[i]), within(1e-3f));
        }
        assertThat(height).isGreaterThan(3);
    }

    @Test
    void upsampleDefault() {
        check(
                graph.upsample(randn(1, 32, 32, 32), 2, 2),
                "-0.2173 -1.2079 -1.2079 0.2952 1.1254 1.1254 0.2952 1.1254 1.1254");
    }

    @ParameterizedTest
    @CsvSource({
        "32, 0.7145 1.3773 0.3492 0.8448 1.0839 -0.3341 0.5956 0.1250 -0.4841",
        "64, 0.2703 0.1656 -0.2538 -0.0553 -0.2984 0.1044 0.1155 0.2579 0.7755"
    })
    void upsampleWithConv(int channels, String expected) {
        Tensor x = randn(1, 32, 32, 32);
        check(Conv2d.same3x3(root.child("conv"), 32, channels).apply(graph, graph.upsample(x, 2, 2)), expected);
    }

    @Test
    void downsampleDefault() {
        check(
                graph.avgPool(randn(1, 32, 64, 64), 2, 2),
                "-0.0513 -0.3889 0.0640 0.0836 -0.5460 -0.0341 -0.0169 -0.6967 0.1179");
    }

    @ParameterizedTest
    @CsvSource({
        "32, 0.9267 0.5878 0.3337 1.2321 -0.1191 -0.3984 -0.7532 -0.0715 -0.3913",
        "16, -0.6586 0.5985 0.0721 0.1256 -0.1492 0.4436 -0.2544 0.5021 1.1522"
    })
    void downsampleWithConv(int channels, String expected) {
        Tensor x = randn(1, 32, 64, 64);
        check(new Conv2d(root.child("conv"), 32, channels, 3, Window.of(2, 1)).apply(graph, x), expected);
    }

    @ParameterizedTest
    @CsvSource({
        "NONE, -1.9010 -0.2974 -0.8245 -1.3533 0.8742 -0.9645 -2.0584 1.3387 -0.4746",
        "UP, 1.2130 -0.8753 -0.9027 1.5783 -0.5362 -0.5001 1.0726 -0.7732 -0.4182",
        "DOWN, -0.3002 -0.7135 0.1359 0.0561 -0.7935 0.0113 -0.1766 -0.6714 -0.0436"
    })
    void resnet(Resample resample, String expected) {
        check(block(resample, randn(1, 32, 64, 64)), expected);
    }

    private Tensor block(Resample resample, Tensor x) {
        Tensor temb = randn(1, 128);
        ResnetBlock2D.Options options = new ResnetBlock2D.Options(128, 32, 1e-6f, Function.SILU, false, 0);
        return new ResnetBlock2D(root.child("resnet"), 32, 32, options, resample, 1).apply(graph, x, temb);
    }

    /** A convolution in the shortcut where the channels stay: x becomes conv(x) in the sum. */
    @Test
    void resnetWithUseInShortcut() {
        Tensor x = randn(1, 32, 64, 64);
        Tensor residual = graph.add(block(Resample.NONE, x), x, 1, -1);
        Tensor shortcut = new Conv2d(root.child("conv_shortcut"), 32, 32, 1, Window.of(1, 0)).apply(graph, x);
        check(graph.add(residual, shortcut), "0.2226 -1.0791 -0.1629 0.3659 -0.2889 -1.2376 0.0582 0.9206 0.0044");
    }

    @ParameterizedTest
    @CsvSource({
        "1, -1.9455 -0.0066 -1.3933 -1.5878 0.5325 -0.6486 -1.8648 0.7515 -0.9689",
        "2, -1.9380 -0.0083 -1.3771 -1.5819 0.5209 -0.6441 -1.8545 0.7563 -0.9615"
    })
    void spatialTransformer(int heads, String expected) {
        Tensor x = randn(1, 32, 64, 64);
        Transformer2DModel model = new Transformer2DModel(root.child("transformer"), 32, heads, 1, 0, 32, false, false);
        check(model.apply(graph, x, x), expected); // without a text's features there is nothing else to look at
    }

    @Test
    void spatialTransformerCrossAttentionDim() {
        Tensor x = randn(1, 64, 64, 64);
        Transformer2DModel model = new Transformer2DModel(root.child("transformer"), 64, 2, 1, 64, 32, false, false);
        Tensor context = graph.input("context", 1, 4, 64);
        inputs.add(context);
        drawn.add(new float[context.size()]);
        Tensor output = model.apply(graph, x, context);
        check(
                output,
                run(output, inputs.indexOf(context)),
                "0.0143 -0.6909 -2.1547 -1.8893 1.4097 0.1359 -0.2521 -1.3359 0.2598");
    }

    @ParameterizedTest
    @CsvSource({
        "false, 1, 0.9646 0.9804 0.9892 0.9615 0.9787 0.9882 0.9582 0.9769 0.9872",
        "true, 0, 0.3019 0.2280 0.1716 0.3146 0.2377 0.1790 0.3272 0.2474 0.1864"
    })
    void sinusoidEmbeddings(boolean flip, float shift, String expected) {
        Tensor t = graph.input("timestep", 128);
        float[] timesteps = new float[128];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = i;
        }
        inputs.add(t);
        drawn.add(timesteps);
        Tensor embedded = new TimeProjection.Positional(64, flip, shift).apply(graph, t);
        float[] found = run(embedded, null);
        String[] numbers = expected.split(" ", -1);
        for (int i = 0; i < 9; i++) {
            float number = Float.parseFloat(numbers[i]);
            assertThat(found[(23 + i / 3) * 64 + 47 + i % 3])
                    .isEqualTo(number, within(1e-3f * Math.abs(number) + 5e-5f));
        }
    }
}
