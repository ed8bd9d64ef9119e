package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.pipeline.Guide;

/**
 * A guide that sees the means over squares of a larger picture.
 *
 * @param guide of pictures a {@code factor}-th as high and wide
 */
public record PooledGuide(Guide guide, int factor) implements Guide {
    @Override
    public Tensor energy(Graph g, Tensor x0) {
        return guide.energy(g, factor == 1 ? x0 : g.avgPool(x0, factor, factor));
    }

    @Override
    public void load(Program program) {
        guide.load(program);
    }
}
