package diffusion.guidance;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.pipeline.Guide;
import java.nio.file.Path;
import java.util.Arrays;

/** {@code -scale log p(label | x0)} by a classifier (Dhariwal and Nichol 2021, section 4). */
public final class ClassifierGuide implements Guide {
    private final Path folder;
    private final Classifier classifier;
    private final int label;
    private final double scale;

    /** By the classifier in a folder. */
    public ClassifierGuide(Path folder, int label, double scale) {
        this.folder = folder;
        classifier = FeatureExtractor.open(folder);
        this.label = label;
        this.scale = scale;
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        int samples = x0.dim(0);
        float[] labels = new float[samples];
        Arrays.fill(labels, label);
        Tensor mean = g.activation("cross_entropy", 1);
        g.append(new CrossEntropy(classifier.apply(g, x0).logits(), g.constant("guide_label", labels, samples), mean));
        return g.scale(mean, (float) (scale * samples));
    }

    @Override
    public void load(Program program) {
        FeatureExtractor.load(classifier, folder, program);
    }
}
