package diffusion.backend;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What a backend must do to count as one: every op as the reference has it, and the promises of {@link Backend}. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class BackendConformance {
    /** The backend under test. */
    protected abstract Backend backend();

    static List<OpCases.Case> cases() {
        return OpCases.all();
    }

    @Test
    void everyOpHasACase() {
        Set<Class<?>> covered = new HashSet<>();
        cases().forEach(c -> covered.add(c.op().getClass()));
        assertThat(covered).containsExactlyInAnyOrderElementsOf(leaves(Op.class).toList());
    }

    private static Stream<Class<?>> leaves(Class<?> type) {
        return type.isSealed()
                ? Stream.of(type.getPermittedSubclasses()).flatMap(BackendConformance::leaves)
                : Stream.of(type);
    }

    @ParameterizedTest
    @MethodSource("cases")
    void agreesWithTheReference(OpCases.Case c) {
        Map<Tensor, float[]> expected = run(new ReferenceBackend(), c);
        Map<Tensor, float[]> actual = run(backend(), c);
        expected.forEach((tensor, values) ->
                assertClose(c + ", " + tensor, Objects.requireNonNull(actual.get(tensor)), values, c.terms()));
    }

    private static Map<Tensor, float[]> run(Backend backend, OpCases.Case c) {
        Graph graph = new Graph("case");
        graph.append(c.op());
        c.op().writes().forEach(graph::output);
        Map<Tensor, float[]> results = new LinkedHashMap<>();
        try (Program program = backend.compile(List.of(graph))) {
            c.values().forEach(program::write);
            for (int i = 0; i < c.runs(); i++) {
                if (c.op() instanceof TrainOp.OptimizerStep step) { // which has cleared the gradient
                    program.write(step.grad(), Objects.requireNonNull(c.values().get(step.grad())));
                }
                program.run(graph);
            }
            c.op().writes().forEach(tensor -> results.put(tensor, program.read(tensor)));
        }
        return results;
    }

    /** Rounding errors of a sum grow with the root of its length; sixteen of them is room for unlucky orders. */
    private static void assertClose(String what, float[] actual, float[] expected, int terms) {
        double largest = 1e-3;
        for (float value : expected) {
            largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        double tolerance = 16 * Math.ulp(1f) * (1 + Math.sqrt(terms)) * largest;
        for (int i = 0; i < expected.length; i++) {
            boolean close = Math.abs(actual[i] - expected[i]) <= tolerance;
            if (!close && !(Float.isNaN(actual[i]) && Float.isNaN(expected[i]))) {
                throw new AssertionError("%s [%d]: found %s, expected %s within %.3g"
                        .formatted(what, i, actual[i], expected[i], tolerance));
            }
        }
    }

    /** Where exp overflows or vanishes, each value by itself, and NaN, which must not get lost on the way to the user. */
    @ParameterizedTest
    @EnumSource
    void functionsKeepTheirTails(PointOp.Function function) {
        float[] points = {
            -1e30f, -200, -104, -89, -88, -30, -10, -1e-3f, -1e-30f, 1e-30f, 1e-3f, 10, 30, 88, 89, 104, 200, 1e15f,
            Float.NaN
        };
        Tensor x = new Tensor("x", Tensor.Role.INPUT, points.length);
        Tensor dy = new Tensor("dy", Tensor.Role.INPUT, points.length);
        Tensor y = new Tensor("y", Tensor.Role.ACTIVATION, points.length);
        float[] ones = new float[points.length];
        java.util.Arrays.fill(ones, 1);
        for (Op op : List.of(new PointOp.Activation(x, y, function), new PointOp.ActivationGrad(x, dy, y, function))) {
            Map<Tensor, float[]> values =
                    op instanceof PointOp.Activation ? Map.of(x, points) : Map.of(x, points, dy, ones);
            OpCases.Case c = new OpCases.Case(function.name(), op, values, 1, 1);
            float[] expected =
                    Objects.requireNonNull(run(new ReferenceBackend(), c).get(y));
            float[] actual = Objects.requireNonNull(run(backend(), c).get(y));
            for (int i = 0; i < points.length; i++) {
                double room = 1e-6 + 1e-5 * Math.abs(expected[i]);
                boolean close = Float.compare(actual[i] + 0f, expected[i] + 0f) == 0
                        || (Float.isFinite(expected[i]) && Math.abs((double) actual[i] - expected[i]) <= room);
                assertThat(close)
                        .as("%s at %s: found %s, expected %s", c, points[i], actual[i], expected[i])
                        .isTrue();
            }
        }
    }

    /** A small net with every kind of reduction a sample goes through. */
    private record Net(Graph graph, Tensor x, Tensor y, List<Tensor> weights) {
        static Net of(int batch, boolean keepAll) {
            Graph g = new Graph("net");
            List<Tensor> weights = new ArrayList<>();
            Tensor x = g.input("x", batch, 3, 7, 9);
            Tensor h = g.conv2d(x, weight(weights, 16, 3, 3, 3), weight(weights, 16), Window.of(1, 1));
            Tensor skip = h;
            h = g.groupNorm(h, weight(weights, 16), weight(weights, 16), 4, 1e-5f, true);
            h = g.conv2d(h, weight(weights, 20, 16, 3, 3), null, Window.of(2, 1));
            h = g.reshape(h, batch, 20, h.dim(2) * h.dim(3));
            h = g.transpose(h);
            h = g.attention(
                    g.linear(h, weight(weights, 20, 20), null),
                    g.linear(h, weight(weights, 20, 20), weight(weights, 20)),
                    h,
                    2,
                    0.3f);
            h = g.reshape(g.transpose(h), batch, 20, 4, 5);
            h = g.activation(g.upsample(h, 2, 2), PointOp.Function.MISH);
            h = g.slice(g.slice(h, 2, 0, 7), 3, 1, 9);
            h = g.concat(List.of(h, skip), 1);
            Tensor y =
                    g.output(g.reshape(g.conv2d(h, weight(weights, 5, 36, 1, 1), null, Window.of(1, 0)), batch, 315));
            if (keepAll) {
                g.tensors().forEach(g::output);
            }
            return new Net(g, x, y, weights);
        }

        private static Tensor weight(List<Tensor> weights, int... shape) {
            Tensor tensor = new Tensor("w" + weights.size(), Tensor.Role.PARAMETER, shape);
            weights.add(tensor);
            return tensor;
        }

        float[] run(Backend backend, float[] input) {
            try (Program program = backend.compile(List.of(graph))) {
                weights.forEach(w -> program.write(w, values(w, w.name().hashCode())));
                program.write(x, input);
                program.run(graph);
                return program.read(y);
            }
        }
    }

    private static float[] values(Tensor tensor, long seed) {
        Random random = new Random(seed);
        float[] values = new float[tensor.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() * 0.3f;
        }
        return values;
    }

    @Test
    void aBatchEqualsSingleRunsBitForBit() {
        Net five = Net.of(5, false);
        float[] input = values(five.x, 7);
        float[] together = five.run(backend(), input);
        Net one = Net.of(1, false);
        int in = one.x.size();
        int out = one.y.size();
        for (int n = 0; n < 5; n++) {
            float[] alone = one.run(backend(), java.util.Arrays.copyOfRange(input, n * in, (n + 1) * in));
            assertThat(alone).isEqualTo(java.util.Arrays.copyOfRange(together, n * out, (n + 1) * out));
        }
    }

    @Test
    void memoryIsReusedWithoutHarm() {
        Net planned = Net.of(2, false);
        Net kept = Net.of(2, true);
        float[] input = values(planned.x, 9);
        assertThat(planned.run(backend(), input)).isEqualTo(kept.run(backend(), input));
        assertClose("net", planned.run(backend(), input), Net.of(2, false).run(new ReferenceBackend(), input), 3000);
    }

    @Test
    void graphsShareParametersAndSeeChanges() {
        Tensor w = new Tensor("w", Tensor.Role.PARAMETER, 2, 2);
        Graph first = new Graph("first");
        Tensor x1 = first.input("x1", 1, 2);
        Tensor y1 = first.output(first.linear(x1, w, null));
        Graph second = new Graph("second");
        Tensor x2 = second.constant("x2", new float[] {1, 1, 2, 2}, 2, 2);
        Tensor y2 = second.output(second.linear(x2, w, null));
        try (Program program = backend().compile(List.of(first, second))) {
            program.write(w, new float[] {1, 2, 3, 4});
            program.write(x1, new float[] {1, 1});
            program.run(first);
            assertThat(program.read(y1)).containsExactly(3, 7);
            program.run(second);
            assertThat(program.read(y2)).containsExactly(3, 7, 6, 14);
            program.write(w, new float[] {1, 0, 0, 1});
            program.run(first);
            assertThat(program.read(y1)).containsExactly(1, 1);
        }
    }

    @Test
    void statesStartAtZeroAndLastFromGraphToGraph() {
        Tensor average = new Tensor("average", Tensor.Role.STATE, 3);
        Graph update = new Graph("update");
        Tensor w = update.input("w", 3);
        update.append(new TrainOp.Ema(w, average, update.constant("decay", new float[] {0.5f}, 1)));
        Graph other = new Graph("other");
        Tensor y = other.output(other.scale(other.scale(average, 2), 2));
        try (Program program = backend().compile(List.of(update, other))) {
            assertThat(program.read(average)).containsOnly(0);
            program.write(w, new float[] {2, 4, 6});
            program.run(update);
            program.run(other);
            assertThat(program.read(y)).containsExactly(4, 8, 12);
            program.run(update);
            assertThat(program.read(average)).containsExactly(1.5f, 3, 4.5f);
        }
    }

    @Test
    void refusesWhatDoesNotFit() {
        Graph graph = new Graph("graph");
        Tensor x = graph.input("x", 2);
        Tensor y = graph.output(graph.scale(x, 2));
        Program program = backend().compile(List.of(graph));
        Tensor stranger = new Tensor("stranger", Tensor.Role.INPUT, 2);
        assertThatThrownBy(() -> program.write(x, new float[3])).hasMessageContaining("x[2] has 2 elements");
        assertThatThrownBy(() -> program.read(y, new float[1])).isInstanceOf(IllegalArgumentException.class);
        assertThatThrownBy(() -> program.write(y, new float[2])).hasMessageContaining("cannot be written");
        assertThatThrownBy(() -> program.read(stranger)).hasMessageContaining("not part of");
        assertThatThrownBy(() -> program.run(new Graph("other"))).hasMessageContaining("other was not compiled");
        program.close();
        assertThatThrownBy(() -> program.run(graph)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> program.read(x)).isInstanceOf(IllegalStateException.class);
        assertThatThrownBy(() -> program.write(x, new float[2])).isInstanceOf(IllegalStateException.class);
    }
}
