package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.pipeline.Guide;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;

/** {@code scale / 2 |f(x0) - f(reference)|^2}, f being a classifier's features: a perceptual distance (Johnson et al. 2016). */
public final class FeatureGuide implements Guide {
    private final Path folder;
    private final Classifier classifier;
    private final float[] reference;
    private final double scale;

    /**
     * By the classifier in a folder.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    public FeatureGuide(Path folder, float[] reference, double scale) {
        this.folder = folder;
        classifier = FeatureExtractor.open(folder);
        this.reference = reference.clone();
        this.scale = scale;
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        int samples = x0.dim(0);
        Tensor wanted = g.constant("guide_reference", reference, 1, x0.dim(1), x0.dim(2), x0.dim(3));
        Tensor target = classifier.apply(g, wanted).features(); // [1, F]
        Tensor targets = g.concat(Collections.nCopies(samples, target), 0);
        Tensor found = classifier.apply(g, x0).features(); // [N, F]
        float[] weights = new float[found.size()];
        Arrays.fill(weights, (float) scale);
        return Squares.sum(g, found, targets, weights);
    }

    @Override
    public void load(Program program) {
        FeatureExtractor.load(classifier, folder, program);
    }
}
