package diffusion.backend;

import diffusion.graph.Graph;
import java.util.List;
import java.util.Optional;

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

    /**
     * What the hardware can do at most, as far as this backend can drive it.
     *
     * @param flops float32 operations a second
     * @param bytesPerSecond bytes read and written a second, in memory larger than any cache
     */
    record Peak(double flops, double bytesPerSecond) {}

    /** Measures the peak now, which takes about a second; empty if it has no meaning for this backend. */
    default Optional<Peak> peak() {
        return Optional.empty();
    }

    /** Higher is preferred by {@code --backend auto}. */
    int priority();

    /**
     * Begins, in the background, what makes the first run of a program as quick as later ones; {@link #compile} waits for its end.
     * Does nothing where nothing is gained.
     */
    default void warmUp() {}

    /**
     * Compiles graphs that will run one at a time; tensors they share (parameters, states, inputs) have one memory.
     * Constants are written; states and parameters start at zero.
     */
    Program compile(List<Graph> graphs);
}
