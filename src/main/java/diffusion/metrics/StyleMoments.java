package diffusion.metrics;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.Picture;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * The style of a picture as means and deviations of feature maps (Huang and Belongie 2017, equation 13): those of the picture
 * itself and of every convolution of a {@link Classifier}. The squared distance between two is that equation's sum, each map
 * weighted by one over its channels and over the number of maps.
 */
public final class StyleMoments {
    private static final float EPSILON = 1e-5f;

    private StyleMoments() {}

    /**
     * Records them, so that they have a gradient.
     *
     * @param x [N, C, H, W] in [-1, 1]
     * @return [N, M]
     */
    public static Tensor apply(Graph g, Classifier classifier, Tensor x) {
        List<Tensor> maps = new ArrayList<>(List.of(x));
        maps.addAll(classifier.maps(g, x));
        List<Tensor> moments = new ArrayList<>();
        for (Tensor map : maps) {
            float weight = (float) (1 / Math.sqrt((double) maps.size() * map.dim(1)));
            Tensor rows = g.reshape(map, 1, map.dim(0) * map.dim(1), map.dim(2) * map.dim(3), 1);
            moments.add(g.scale(g.reshape(mean(g, rows), map.dim(0), map.dim(1)), weight));
            moments.add(g.scale(g.reshape(deviation(g, rows), map.dim(0), map.dim(1)), weight));
        }
        return g.concat(moments, 1);
    }

    /** [1, R, P, 1] to [1, R, 1, 1]. */
    private static Tensor mean(Graph g, Tensor rows) {
        return g.avgPool(rows, rows.dim(2), 1);
    }

    /** The same shapes: where z is x, normalised, the mean of x z, which is {@code var / sqrt(var + eps)}. */
    private static Tensor deviation(Graph g, Tensor rows) {
        Tensor x = g.reshape(rows, rows.dim(1), 1, rows.dim(2));
        Tensor z = g.groupNorm(x, g.fill(1, 1), g.fill(0, 1), 1, EPSILON, false);
        return mean(g, g.reshape(SsimGraph.product(g, x, z), rows.shape()));
    }

    /** Writes the weights that {@link #apply} reads. */
    public static void load(Classifier classifier, Path folder, Program program) {
        FeatureExtractor.load(classifier.convolutional(), folder, program);
    }

    /**
     * The moments of pictures.
     *
     * @param folder a classifier of as many channels as the pictures have
     */
    public static List<float[]> of(Path folder, Backend backend, List<Picture> pictures) {
        List<float[]> moments = new ArrayList<>();
        for (Picture picture : pictures) {
            Classifier classifier = FeatureExtractor.open(folder);
            Graph g = new Graph("style");
            Tensor x = g.input("x", 1, picture.channels(), picture.height(), picture.width());
            Tensor found = g.output(apply(g, classifier, x));
            try (Program program = backend.compile(List.of(g))) {
                load(classifier, folder, program);
                program.write(x, picture.toModel());
                program.run(g);
                moments.add(program.read(found));
            }
        }
        return moments;
    }

    /** The sum of the squares of the differences. */
    public static double distance(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += Math.pow(a[i] - (double) b[i], 2);
        }
        return sum;
    }
}
