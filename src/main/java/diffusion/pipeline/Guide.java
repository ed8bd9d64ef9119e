package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;

/** A function of the denoised picture that sampling is to make small: minus the logarithm of a likelihood, up to a constant. */
public interface Guide {
    /**
     * Records the function, every op of which must have a gradient.
     *
     * @param x0 what the model takes the clean pictures to be, [N, C, H, W], about in [-1, 1]
     * @return the sum over the pictures, of one element
     */
    Tensor energy(Graph g, Tensor x0);

    /** Writes the weights that the function has. */
    default void load(Program program) {}
}
