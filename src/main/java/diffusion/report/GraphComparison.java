package diffusion.report;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;

/**
 * One graph on two backends: every op on the same input, and every tensor of the whole run.
 *
 * @param graph the name of the graph
 * @param rows one for each tensor an op writes, in the order of the ops
 */
public record GraphComparison(String graph, List<Row> rows) {
    /**
     * One tensor.
     *
     * @param index the op's place in the graph
     * @param op the op's kind
     * @param terms the length of its longest sum
     * @param single the difference if the op gets the same input on both backends
     * @param singleBound the largest absolute difference allowed then: {@link ErrorBound} times the largest value
     *     or, if its terms may cancel, times those
     * @param whole the difference in the whole run, where those of all earlier ops add up
     * @param wholeBound the largest allowed then: the sum of the relative bounds so far times the largest value
     */
    public record Row(
            int index,
            String op,
            String tensor,
            int[] shape,
            long terms,
            Difference single,
            double singleBound,
            Difference whole,
            double wholeBound) {
        /** Whether both differences are within their bounds. */
        public boolean agrees() {
            return single.absolute() <= singleBound && whole.absolute() <= wholeBound;
        }

        /** The larger of the two differences as a share of its bound. */
        public double share() {
            return Math.max(share(single.absolute(), singleBound), share(whole.absolute(), wholeBound));
        }

        private static double share(double difference, double bound) {
            return difference == 0 ? 0 : difference / bound;
        }
    }

    /** The first tensor that leaves its bounds. */
    public Optional<Row> firstBeyond() {
        return rows.stream().filter(row -> !row.agrees()).findFirst();
    }

    /** Runs the graph with the given values of its inputs, parameters and states on both backends. */
    static GraphComparison of(Graph graph, Map<Tensor, float[]> inputs, Backend standard, Backend other) {
        Map<Tensor, float[]> expected = everyTensor(graph, inputs, standard);
        Map<Tensor, float[]> actual = everyTensor(graph, inputs, other);

        Isolation isolation = new Isolation(graph);
        Map<Tensor, float[]> given = new LinkedHashMap<>();
        for (int i = 0; i < graph.ops().size(); i++) {
            isolation.copies(i).forEach((tensor, copy) -> {
                float[] value = tensor.role() == Tensor.Role.ACTIVATION ? expected.get(tensor) : inputs.get(tensor);
                if (copy.role() != Tensor.Role.ACTIVATION) {
                    given.put(copy, Objects.requireNonNull(value));
                }
            });
        }
        Map<Tensor, float[]> singleExpected = run(isolation.graph(), given, standard);
        Map<Tensor, float[]> singleActual = run(isolation.graph(), given, other);

        List<Row> rows = new ArrayList<>();
        double sum = 0;
        for (int i = 0; i < graph.ops().size(); i++) {
            Op op = graph.ops().get(i);
            double bound = ErrorBound.relative(op);
            sum += bound;
            for (Tensor tensor : op.writes()) {
                Tensor copy = Objects.requireNonNull(isolation.copies(i).get(tensor));
                Difference single = difference(copy, singleExpected, singleActual);
                Difference whole = difference(tensor, expected, actual);
                Tensor summed = ErrorBound.summed(op, tensor);
                double terms = summed == null
                        ? 0
                        : Math.sqrt(ErrorBound.terms(op))
                                * difference(summed, expected, actual).largest();
                rows.add(new Row(
                        i,
                        op.getClass().getSimpleName(),
                        tensor.name(),
                        tensor.shape(),
                        ErrorBound.terms(op),
                        single,
                        bound * magnitude(single, terms),
                        whole,
                        sum * magnitude(whole, terms)));
            }
        }
        return new GraphComparison(graph.name(), List.copyOf(rows));
    }

    private static double magnitude(Difference difference, double terms) {
        return Math.max(Float.MIN_NORMAL, Math.max(difference.largest(), terms));
    }

    private static Difference difference(Tensor tensor, Map<Tensor, float[]> expected, Map<Tensor, float[]> actual) {
        return Difference.of(Objects.requireNonNull(expected.get(tensor)), Objects.requireNonNull(actual.get(tensor)));
    }

    /** Runs a graph; what all of its ops have written. */
    static Map<Tensor, float[]> everyTensor(Graph graph, Map<Tensor, float[]> inputs, Backend backend) {
        Graph open = new Graph(graph.name());
        graph.ops().forEach(op -> {
            open.append(op);
            op.writes().forEach(open::output);
        });
        return run(open, inputs, backend);
    }

    private static Map<Tensor, float[]> run(Graph graph, Map<Tensor, float[]> inputs, Backend backend) {
        Map<Tensor, float[]> results = new LinkedHashMap<>();
        try (Program program = backend.compile(List.of(graph))) {
            inputs.forEach(program::write);
            program.run(graph);
            graph.outputs().forEach(tensor -> results.put(tensor, program.read(tensor)));
        }
        return results;
    }
}
