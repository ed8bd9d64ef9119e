package diffusion.backend.reference;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.OpRunner;
import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.io.SafeTensors;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Locale;
import java.util.Objects;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/** The reference backend against PyTorch in double; scripts/golden/ops.py says how the values were made. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TorchOpsTest {
    /** Both sides compute in double and round to float once. */
    private static final double TOLERANCE = 1e-6;

    private final OpRunner ops = new OpRunner(new ReferenceBackend());
    private final SafeTensors golden = open();

    private static SafeTensors open() {
        try {
            return SafeTensors.open(
                    Path.of(Objects.requireNonNull(TorchOpsTest.class.getResource("/golden/ops.safetensors"))
                            .toURI()));
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    @AfterAll
    void close() {
        golden.close();
    }

    private Tensor in(String name) {
        return ops.in(golden.shape(name), golden.floats(name));
    }

    private Tensor out(String name) {
        return ops.out(golden.shape(name));
    }

    /** The gradient of a weight, which starts at zero. */
    private Tensor sum(String name) {
        return ops.state(golden.shape(name), new float[golden.floats(name).length]);
    }

    private void check(Tensor actual, String name) {
        assertClose(name, ops.get(actual), golden.floats(name));
    }

    private static void assertClose(String name, float[] actual, float[] expected) {
        double largest = 0;
        for (float value : expected) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(actual).as(name).hasSameSizeAs(expected);
        for (int i = 0; i < expected.length; i++) {
            assertThat((double) actual[i]).as("%s [%d]", name, i).isCloseTo(expected[i], within(TOLERANCE * largest));
        }
    }

    @ParameterizedTest
    @CsvSource({"conv, 1, 1, 1", "conv_down, 2, 0, 1"})
    void convolution(String name, int stride, int before, int after) {
        Window window = new Window(stride, before, before, after, after);
        Tensor x = in(name + "/x");
        Tensor w = in(name + "/w");
        Tensor y = out(name + "/y");
        Tensor dy = in(name + "/dy");
        Tensor dx = out(name + "/dx");
        Tensor dw = sum(name + "/dw");
        Tensor dBias = sum(name + "/dbias");
        ops.run(new MatrixOp.Conv2d(x, w, in(name + "/bias"), y, window));
        ops.run(new MatrixOp.Conv2dGradInput(dy, w, dx, window));
        ops.run(new MatrixOp.Conv2dGradWeight(x, dy, dw, dBias, window));
        check(y, name + "/y");
        check(dx, name + "/dx");
        check(dw, name + "/dw");
        check(dBias, name + "/dbias");
    }

    @Test
    void linear() {
        Tensor x = in("linear/input");
        Tensor w = in("linear/weight");
        Tensor y = out("linear/y");
        Tensor dy = in("linear/dy");
        Tensor dx = out("linear/dinput");
        Tensor dw = sum("linear/dweight");
        Tensor dBias = sum("linear/dbias");
        ops.run(new MatrixOp.Linear(x, w, in("linear/bias"), y));
        ops.run(new MatrixOp.LinearGradInput(dy, w, dx));
        ops.run(new MatrixOp.LinearGradWeight(x, dy, dw, dBias));
        check(y, "linear/y");
        check(dx, "linear/dinput");
        check(dw, "linear/dweight");
        check(dBias, "linear/dbias");
    }

    @Test
    void attention() {
        Tensor q = in("attention/q");
        Tensor k = in("attention/k");
        Tensor v = in("attention/v");
        Tensor y = out("attention/y");
        Tensor dq = out("attention/dq");
        Tensor dk = out("attention/dk");
        Tensor dv = out("attention/dv");
        ops.run(new MatrixOp.Attention(q, k, v, y, 2, 0.5f));
        ops.run(new MatrixOp.AttentionGrad(q, k, v, in("attention/dy"), dq, dk, dv, 2, 0.5f));
        check(y, "attention/y");
        check(dq, "attention/dq");
        check(dk, "attention/dk");
        check(dv, "attention/dv");
    }

    @ParameterizedTest
    @CsvSource({"norm, false", "norm_silu, true"})
    void groupNorm(String name, boolean silu) {
        Tensor x = in(name + "/x");
        Tensor gamma = in(name + "/gamma");
        Tensor beta = in(name + "/beta");
        Tensor y = out(name + "/y");
        Tensor dx = out(name + "/dx");
        Tensor dGamma = sum(name + "/dgamma");
        Tensor dBeta = sum(name + "/dbeta");
        ops.run(new PointOp.GroupNorm(x, gamma, beta, y, 3, 1e-5f, silu));
        ops.run(new PointOp.GroupNormGrad(x, gamma, beta, in(name + "/dy"), dx, dGamma, dBeta, 3, 1e-5f, silu));
        check(y, name + "/y");
        check(dx, name + "/dx");
        check(dGamma, name + "/dgamma");
        check(dBeta, name + "/dbeta");
    }

    @ParameterizedTest
    @EnumSource(names = {"RELU", "SILU", "GELU", "MISH"})
    void activation(Function function) {
        String name = function.name().toLowerCase(Locale.ROOT);
        both(
                name,
                (x, y) -> new PointOp.Activation(x, y, function),
                (x, dy, dx) -> new PointOp.ActivationGrad(x, dy, dx, function));
    }

    @Test
    void pooling() {
        both("pool", (x, y) -> new LayoutOp.AvgPool(x, y, 2, 2), (x, dy, dx) -> new LayoutOp.AvgPoolGrad(dy, dx, 2, 2));
    }

    @Test
    void upsampling() {
        both("upsample", LayoutOp.Upsample::new, (x, dy, dx) -> new LayoutOp.UpsampleGrad(dy, dx));
    }

    @Test
    void embedding() {
        Tensor y = out("embedding/y");
        Tensor dTable = sum("embedding/dtable");
        ops.run(new LayoutOp.Embedding(in("embedding/index"), in("embedding/table"), y));
        ops.run(new LayoutOp.EmbeddingGrad(in("embedding/index"), in("embedding/dy"), dTable));
        check(y, "embedding/y");
        check(dTable, "embedding/dtable");
    }

    @ParameterizedTest
    @CsvSource({"y, false", "flipped, true"})
    void timeEmbedding(String name, boolean flip) {
        Tensor y = out("time/" + name);
        ops.run(new LayoutOp.SinusoidalEmbedding(in("time/t"), in("time/f"), y, flip, false));
        check(y, "time/" + name);
    }

    @ParameterizedTest
    @EnumSource
    void loss(Distance distance) {
        String name = distance.name().toLowerCase(Locale.ROOT);
        Tensor target = in(name + "/target");
        Tensor weight = in(name + "/weight");
        both(
                name,
                (x, y) -> new TrainOp.Loss(x, target, weight, y, distance, 0.7f),
                (x, dy, dx) -> new TrainOp.LossGrad(x, target, weight, dy, dx, distance, 0.7f));
    }

    @Test
    void crossEntropy() {
        Tensor label = in("cross_entropy/label");
        both(
                "cross_entropy",
                (x, y) -> new TrainOp.CrossEntropy(x, label, y),
                (x, dy, dx) -> new TrainOp.CrossEntropyGrad(x, label, dy, dx));
    }

    @Test
    void variationalBound() {
        Tensor trueMean = in("bound/true_mean");
        Tensor mean = in("bound/mean");
        Tensor x0 = in("bound/x0");
        Tensor c = in("bound/c");
        Tensor v = in("bound/v");
        Tensor y = out("bound/y");
        Tensor dv = out("bound/dv");
        ops.run(new TrainOp.VlbLoss(v, trueMean, mean, x0, c, y));
        ops.run(new TrainOp.VlbLossGrad(v, trueMean, mean, x0, c, in("bound/dy"), dv));
        check(y, "bound/y");
        check(dv, "bound/dv");
    }

    private interface Forward {
        Op of(Tensor x, Tensor y);
    }

    private interface Backward {
        Op of(Tensor x, Tensor dy, Tensor dx);
    }

    private void both(String name, Forward forward, Backward backward) {
        Tensor x = in(name + "/x");
        Tensor y = out(name + "/y");
        Tensor dx = out(name + "/dx");
        ops.run(forward.of(x, y));
        ops.run(backward.of(x, in(name + "/dy"), dx));
        check(y, name + "/y");
        check(dx, name + "/dx");
    }

    @ParameterizedTest
    @EnumSource
    void optimizer(Optimizer rule) {
        String name = "optimizer/" + rule.name().toLowerCase(Locale.ROOT);
        float[] gradients = golden.floats("optimizer/grad");
        float[] trace = golden.floats(name);
        int[] shape = golden.shape("optimizer/w");
        int size = shape[0];
        Tensor w = ops.state(shape, golden.floats("optimizer/w"));
        Tensor grad = ops.state(shape, new float[size]);
        Tensor m = ops.state(shape, new float[size]);
        Tensor v = ops.state(shape, new float[size]);
        Tensor norm = ops.in(0);
        for (int step = 1; step * size <= trace.length; step++) {
            float[] gradient = Arrays.copyOfRange(gradients, (step - 1) * size, step * size);
            ops.set(grad, gradient);
            Tensor squares = ops.out(1);
            ops.run(new TrainOp.GlobalNorm(java.util.List.of(grad), squares));
            ops.set(norm, ops.get(squares));
            ops.run(new OptimizerStep(w, grad, m, v, norm, ops.in(hyper(step)), rule));
            assertClose(name + ", step " + step, ops.get(w), Arrays.copyOfRange(trace, (step - 1) * size, step * size));
            assertThat(ops.get(grad)).containsOnly(0);
        }
    }

    private static float[] hyper(int step) {
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        hyper[OptimizerStep.LR] = 0.1f;
        hyper[OptimizerStep.BETA1] = 0.8f;
        hyper[OptimizerStep.BETA2] = 0.95f;
        hyper[OptimizerStep.EPS] = 1e-6f;
        hyper[OptimizerStep.DECAY] = 0.05f;
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(0.8, step));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(0.95, step));
        hyper[OptimizerStep.GRAD_SCALE] = 0.5f;
        hyper[OptimizerStep.MAX_NORM] = 1;
        return hyper;
    }
}
