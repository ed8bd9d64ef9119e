package diffusion.backend.reference;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import java.util.List;

/** The specification: plain loops that say what every op means, with sums in double; slow on purpose, for ever. */
public final class ReferenceBackend implements Backend {
    @Override
    public String name() {
        return "reference";
    }

    @Override
    public String description() {
        return "naive loops, sums in double, one thread";
    }

    @Override
    public int priority() {
        return 0;
    }

    @Override
    public Program compile(List<Graph> graphs) {
        return new ReferenceProgram(graphs);
    }
}
