package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.cpu.CpuBackend;
import diffusion.graph.Graph;
import diffusion.graph.Op;
import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** The CPU backend with one kernel wrong: group norm with a tenth too much under the root. */
public final class WrongBackend implements Backend {
    private final Backend right = new CpuBackend(2);

    @Override
    public String name() {
        return "wrong";
    }

    @Override
    public String description() {
        return "for tests";
    }

    @Override
    public int priority() {
        return -1;
    }

    @Override
    public Program compile(List<Graph> graphs) {
        Map<Graph, Graph> wrong = new IdentityHashMap<>();
        List<Graph> all = new ArrayList<>();
        for (Graph graph : graphs) {
            Graph copy = new Graph(graph.name());
            graph.ops().forEach(op -> copy.append(spoil(op)));
            graph.outputs().forEach(copy::output);
            wrong.put(graph, copy);
            all.add(copy);
        }
        Program program = right.compile(all);
        graphs.forEach(graph -> graph.constants().forEach(program::write));
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
                program.run(Objects.requireNonNull(wrong.get(graph)));
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

    private static Op spoil(Op op) {
        return op instanceof GroupNorm n
                ? new GroupNorm(n.x(), n.gamma(), n.beta(), n.y(), n.groups(), n.eps() + 0.1f, n.silu())
                : op;
    }
}
