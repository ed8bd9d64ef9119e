package diffusion.report;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** A backend that remembers what every graph was given when it ran first. */
final class Recorder implements Backend {
    private final Backend backend;
    private final Map<Graph, Map<Tensor, float[]>> inputs = new LinkedHashMap<>();

    Recorder(Backend backend) {
        this.backend = backend;
    }

    /** The graphs that ran, with the values of all tensors but activations from before the first run. */
    Map<Graph, Map<Tensor, float[]>> inputs() {
        return inputs;
    }

    @Override
    public String name() {
        return backend.name();
    }

    @Override
    public String description() {
        return backend.description();
    }

    @Override
    public int priority() {
        return backend.priority();
    }

    @Override
    public Program compile(List<Graph> graphs) {
        return new Recorded(backend.compile(graphs));
    }

    private final class Recorded implements Program {
        private final Program program;

        Recorded(Program program) {
            this.program = program;
        }

        @Override
        public void write(Tensor tensor, float[] values) {
            program.write(tensor, values);
        }

        @Override
        public void read(Tensor tensor, float[] into) {
            program.read(tensor, into);
        }

        @Override
        public void run(Graph graph) {
            inputs.computeIfAbsent(graph, this::values);
            program.run(graph);
        }

        private Map<Tensor, float[]> values(Graph graph) {
            Map<Tensor, float[]> values = new LinkedHashMap<>();
            for (Tensor tensor : graph.tensors()) {
                if (tensor.role() != Tensor.Role.ACTIVATION) {
                    values.put(tensor, program.read(tensor));
                }
            }
            return values;
        }

        @Override
        public long memoryBytes() {
            return program.memoryBytes();
        }

        @Override
        public void close() {
            program.close();
        }
    }
}
