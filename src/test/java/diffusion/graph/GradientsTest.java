package diffusion.graph;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.data.Offset.offset;

import diffusion.backend.Program;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.GradientCases.Case;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Gradients of every op, and of a net of them, against central differences of the reference backend. */
class GradientsTest {
    private static final double STEP = 0.01;

    /** Room for the fourth-order error of the differences and for outputs rounded to float. */
    private static final double TOLERANCE = 1e-3;

    static List<Case> cases() {
        return GradientCases.all();
    }

    @Test
    void everyOpWithAGradientIsChecked() {
        Set<Class<?>> covered = new HashSet<>();
        for (Case c : cases()) {
            differentiate(c);
            c.graph().ops().forEach(op -> covered.add(op.getClass()));
        }
        Set<Class<?>> expected = new HashSet<>(leaves(Op.class).toList());
        expected.removeAll(
                Set.of(TrainOp.GlobalNorm.class, TrainOp.OptimizerStep.class, TrainOp.Ema.class, SamplerStep.class));
        assertThat(covered).isEqualTo(expected);
    }

    private static Stream<Class<?>> leaves(Class<?> type) {
        return type.isSealed()
                ? Stream.of(type.getPermittedSubclasses()).flatMap(GradientsTest::leaves)
                : Stream.of(type);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreeWithCentralDifferences(Case c) {
        Differentiated d = differentiate(c);
        try (Program program = new ReferenceBackend().compile(List.of(c.graph()))) {
            c.values().forEach(program::write);
            program.write(d.target, d.targetValues);
            program.run(c.graph());
            for (Tensor x : c.wanted()) {
                // Read before the differences, whose runs would add to the gradients of weights.
                float[] gradient = program.read(Objects.requireNonNull(d.gradients.get(x)));
                float[] numeric = centralDifferences(program, c, d, x);
                assertClose(c + ", " + x, gradient, numeric);
                clear(program, d);
                program.run(c.graph());
            }
        }
    }

    private static void clear(Program program, Differentiated d) {
        d.gradients.values().stream()
                .filter(gradient -> gradient.role() == Tensor.Role.STATE)
                .forEach(gradient -> program.write(gradient, new float[gradient.size()]));
    }

    /** A case with its backward ops; a case without a loss of its own has a squared error for loss. */
    private record Differentiated(Map<Tensor, Tensor> gradients, Tensor target, float[] targetValues) {}

    private static Differentiated differentiate(Case c) {
        Graph g = c.graph();
        Tensor y = g.output(c.y());
        Tensor target = g.input("target", y.shape());
        float[] targetValues = new float[y.size()];
        Random random = new Random(5);
        for (int i = 0; i < targetValues.length; i++) {
            targetValues[i] = (float) random.nextGaussian();
        }
        Tensor weight = g.constant("weight", ones(y.dim(0)), y.dim(0));
        Tensor loss = g.activation("loss", 1);
        g.append(new Loss(y, target, weight, loss, Distance.L2, 0));
        Map<Tensor, Tensor> gradients = Gradients.append(g, loss, c.wanted());
        gradients.values().forEach(g::output);
        return new Differentiated(gradients, target, targetValues);
    }

    private static float[] ones(int size) {
        float[] ones = new float[size];
        Arrays.fill(ones, 1);
        return ones;
    }

    /** Richardson's extrapolation of two central differences, which leaves an error of order STEP^4. */
    private static float[] centralDifferences(Program program, Case c, Differentiated d, Tensor x) {
        float[] values = Objects.requireNonNull(c.values().get(x)).clone();
        float[] slopes = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            double narrow = difference(program, c, d, x, values, i, STEP);
            double wide = difference(program, c, d, x, values, i, 2 * STEP);
            slopes[i] = (float) ((4 * narrow - wide) / 3);
        }
        program.write(x, values);
        return slopes;
    }

    private static double difference(
            Program program, Case c, Differentiated d, Tensor x, float[] values, int i, double step) {
        float before = values[i];
        float above = (float) (before + step);
        float below = (float) (before - step);
        values[i] = above;
        double high = loss(program, c, d, x, values);
        values[i] = below;
        double low = loss(program, c, d, x, values);
        values[i] = before;
        return (high - low) / ((double) above - below);
    }

    /** The squared error in double, which the float loss of the graph is too coarse for. */
    private static double loss(Program program, Case c, Differentiated d, Tensor x, float[] values) {
        program.write(x, values);
        program.run(c.graph());
        float[] y = program.read(c.y());
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            double error = (double) y[i] - d.targetValues[i];
            sum += error * error;
        }
        return sum / y.length;
    }

    private static void assertClose(String what, float[] gradient, float[] numeric) {
        double largest = 0;
        for (float value : numeric) {
            largest = Math.max(largest, Math.abs(value));
        }
        assertThat(largest).as(what + " has a gradient to speak of").isGreaterThan(1e-3);
        for (int i = 0; i < numeric.length; i++) {
            assertThat((double) gradient[i]).as("%s [%d]", what, i).isCloseTo(numeric[i], offset(TOLERANCE * largest));
        }
    }

    private static Tensor squaredError(Graph g, Tensor y) {
        Tensor loss = g.activation("loss", 1);
        g.append(new Loss(y, g.input("target", y.shape()), g.input("weight", y.dim(0)), loss, Distance.L2, 0));
        return loss;
    }

    private static Tensor parameter(String name, int... shape) {
        return new Tensor(name, Tensor.Role.PARAMETER, shape);
    }

    @Test
    void gradientsOfWeightsAddUpOverRuns() {
        Graph g = new Graph("linear");
        Tensor x = g.constant("x", new float[] {1, 2}, 1, 2);
        Tensor w = parameter("w", 1, 2);
        Tensor loss = g.activation("loss", 1);
        Tensor target = g.constant("target", new float[] {-3}, 1, 1);
        Tensor weight = g.constant("weight", ones(1), 1);
        g.append(new Loss(g.linear(x, w, null), target, weight, loss, Distance.L2, 0));
        Tensor dw = Objects.requireNonNull(Gradients.append(g, loss, List.of(w)).get(w));
        assertThat(dw.name()).isEqualTo("grad.w");
        try (Program program = new ReferenceBackend().compile(List.of(g))) {
            program.run(g);
            assertThat(program.read(dw)).containsExactly(6, 12); // 2 (0 + 3) x
            program.run(g);
            assertThat(program.read(dw)).containsExactly(12, 24);
        }
    }

    @Test
    void opsThatNoWantedTensorFlowsThroughGetNoBackwardOp() {
        Graph g = new Graph("two layers");
        Tensor x = g.input("x", 1, 2);
        Tensor first = parameter("first", 3, 2);
        Tensor second = parameter("second", 1, 3);
        Tensor loss = squaredError(g, g.linear(g.linear(x, first, null), second, null));
        Gradients.append(g, loss, List.of(second));
        assertThat(g.ops()).hasAtLeastOneElementOfType(MatrixOp.LinearGradWeight.class);
        assertThat(g.ops()).noneMatch(op -> op instanceof MatrixOp.LinearGradInput);
    }

    @Test
    void aBiasMayBeWantedWithoutItsWeight() {
        Graph g = new Graph("biases");
        Tensor bias = parameter("bias", 3);
        Tensor other = parameter("other", 2);
        Tensor h = g.conv2d(g.input("x", 1, 1, 4, 4), parameter("w", 3, 1, 3, 3), bias, MatrixOp.Window.of(1, 0));
        Tensor y = g.linear(g.reshape(h, 1, 12), parameter("v", 2, 12), other);
        assertThat(Gradients.append(g, squaredError(g, y), List.of(bias, other)))
                .containsOnlyKeys(bias, other);
    }

    @Test
    void refusesWhatItCannotDifferentiate() {
        Graph g = new Graph("bad");
        Tensor x = g.input("x", 2);
        Tensor f = g.input("f", 2);
        Tensor stranger = parameter("stranger", 2);
        Tensor loss = squaredError(g, g.scale(x, 2));
        assertThatThrownBy(() -> Gradients.append(g, x, List.of(x))).hasMessageContaining("a loss of one element");
        assertThatThrownBy(() -> Gradients.append(g, loss, List.of(stranger)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("does not depend on stranger[2]");
        Tensor time = squaredError(g, g.sinusoidalEmbedding(x, f, 4, false, false));
        assertThatThrownBy(() -> Gradients.append(g, time, List.of(x)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("through SinusoidalEmbedding");
        Tensor notAWeight = g.input("w", 2, 2);
        Tensor product = squaredError(g, g.linear(g.input("row", 1, 2), notAWeight, null));
        assertThatThrownBy(() -> Gradients.append(g, product, List.of(notAWeight)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("is not a parameter");
    }

    @Test
    void refusesGradientsItWouldLose() {
        Graph g = new Graph("lost");
        Tensor c = g.input("c", 1);
        Tensor combined = squaredError(g, g.linearCombination(List.of(g.input("x", 1, 2)), g.scale(c, 2)));
        assertThatThrownBy(() -> Gradients.append(g, combined, List.of(c)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("through LinearCombination");
        Tensor target = g.input("target", 1, 2);
        Tensor loss = g.activation("loss", 1);
        g.append(new Loss(g.input("y", 1, 2), target, g.input("weight", 1), loss, Distance.L2, 0));
        assertThatThrownBy(() -> Gradients.append(g, loss, List.of(target)))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("through Loss");
    }
}
