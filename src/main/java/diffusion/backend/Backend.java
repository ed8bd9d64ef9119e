package diffusion.backend;

import diffusion.graph.Graph;
import java.util.List;

/**
 * A way to compute graphs; implementations are found by {@link java.util.ServiceLoader}.
 *
 * <p>Whatever the number of threads and the size of the batch, a backend gives a sample the same bits: no reduction is
 * split by either.
 */
public interface Backend {
    /** The name users choose it by, such as "cpu". */
    String name();

    /** One line about the hardware it would use. */
    String description();

    /** The devices it could use, one line each; empty if there is no choice. */
    default List<String> devices() {
        return List.of();
    }

    /** Higher is preferred by {@code --backend auto}. */
    int priority();

    /**
     * Compiles graphs that will run one at a time; tensors they share (parameters, states, inputs) have one memory.
     * Constants are written; states and parameters start at zero.
     */
    Program compile(List<Graph> graphs);
}
