package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.StyleMoments;
import diffusion.pipeline.Guide;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;

/** {@code scale / 2 |m(x0) - m(reference)|^2}, m being means and deviations of feature maps; see {@link StyleMoments}. */
public final class StyleGuide implements Guide {
    private final Path folder;
    private final Classifier classifier;
    private final float[] reference;
    private final double scale;

    /**
     * By the classifier in a folder.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    public StyleGuide(Path folder, float[] reference, double scale) {
        this.folder = folder;
        classifier = FeatureExtractor.open(folder);
        this.reference = reference.clone();
        this.scale = scale;
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        Tensor wanted = g.constant("guide_reference", reference, 1, x0.dim(1), x0.dim(2), x0.dim(3));
        Tensor target = StyleMoments.apply(g, classifier, wanted); // [1, M]
        Tensor found = StyleMoments.apply(g, classifier, x0); // [N, M]
        float[] weights = new float[found.size()];
        Arrays.fill(weights, (float) scale);
        return Squares.sum(g, found, g.concat(Collections.nCopies(x0.dim(0), target), 0), weights);
    }

    @Override
    public void load(Program program) {
        StyleMoments.load(classifier, folder, program);
    }
}
