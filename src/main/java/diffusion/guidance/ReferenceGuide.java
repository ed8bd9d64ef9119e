package diffusion.guidance;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.pipeline.Guide;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;

/** {@code scale / 2 |f(x0) - f(reference)|^2}, f being something that a classifier sees in a picture. */
abstract class ReferenceGuide implements Guide {
    final Path folder;
    final Classifier classifier;
    private final float[] reference;
    private final double scale;

    /**
     * By the classifier in a folder.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    ReferenceGuide(Path folder, float[] reference, double scale) {
        this.folder = folder;
        classifier = FeatureExtractor.open(folder);
        this.reference = reference.clone();
        this.scale = scale;
    }

    /** f of pictures [N, C, H, W], as [N, F]. */
    abstract Tensor measure(Graph g, Tensor pictures);

    @Override
    public final Tensor energy(Graph g, Tensor x0) {
        Tensor wanted = g.constant("guide_reference", reference, 1, x0.dim(1), x0.dim(2), x0.dim(3));
        Tensor target = measure(g, wanted); // [1, F]
        Tensor found = measure(g, x0); // [N, F]
        float[] weights = new float[found.size()];
        Arrays.fill(weights, (float) scale);
        return Squares.sum(g, found, g.concat(Collections.nCopies(x0.dim(0), target), 0), weights);
    }
}
