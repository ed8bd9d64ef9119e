package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.FeatureExtractor;
import java.nio.file.Path;

/** {@code scale / 2 |f(x0) - f(reference)|^2}, f being a classifier's features: a perceptual distance (Johnson et al. 2016). */
public final class FeatureGuide extends ReferenceGuide {
    /**
     * By the classifier in a folder.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    public FeatureGuide(Path folder, float[] reference, double scale) {
        super(folder, reference, scale);
    }

    @Override
    Tensor measure(Graph g, Tensor pictures) {
        return classifier.apply(g, pictures).features();
    }

    @Override
    public void load(Program program) {
        FeatureExtractor.load(classifier, folder, program);
    }
}
