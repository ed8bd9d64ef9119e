package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.StyleMoments;
import java.nio.file.Path;

/** {@code scale / 2 |m(x0) - m(reference)|^2}, m being means and deviations of feature maps; see {@link StyleMoments}. */
public final class StyleGuide extends ReferenceGuide {
    /**
     * By the classifier in a folder.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    public StyleGuide(Path folder, float[] reference, double scale) {
        super(folder, reference, scale);
    }

    @Override
    Tensor measure(Graph g, Tensor pictures) {
        return StyleMoments.apply(g, classifier, pictures);
    }

    @Override
    public void load(Program program) {
        StyleMoments.load(classifier, folder, program);
    }
}
