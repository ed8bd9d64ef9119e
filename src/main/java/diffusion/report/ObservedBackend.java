package diffusion.report;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.List;

/**
 * A backend with somebody looking on.
 *
 * @param observer is told before and after every run of a graph
 */
record ObservedBackend(Backend backend, Observer observer) implements Backend {
    /** Told about runs. */
    interface Observer {
        /** Inputs are written, nothing is computed. */
        default void before(Program program, Graph graph) {}

        /** The run is over. */
        default void after(Program program, Graph graph) {}
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
        Program program = backend.compile(graphs);
        return new Program() {
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
                observer.before(program, graph);
                program.run(graph);
                observer.after(program, graph);
            }

            @Override
            public long memoryBytes() {
                return program.memoryBytes();
            }

            @Override
            public void close() {
                program.close();
            }
        };
    }
}
