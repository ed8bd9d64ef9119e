package diffusion.guidance;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.pipeline.Guide;
import java.util.Arrays;

/**
 * {@code scale / 2 |A x0 - y|^2} for what is known of a picture: diffusion posterior sampling (Chung et al. 2022), where {@code
 * scale} is one over the variance of the measurement's noise.
 *
 * <p>A keeps some pixels, or takes means over squares.
 */
public final class MeasurementGuide implements Guide {
    private final float[] y;
    private final float[] known;
    private final int factor;
    private final double scale;

    private MeasurementGuide(float[] y, float[] known, int factor, double scale) {
        this.y = y.clone();
        this.known = known.clone();
        this.factor = factor;
        this.scale = scale;
    }

    /**
     * Some pixels are known.
     *
     * @param y [C, H, W] in [-1, 1]
     * @param known in the same shape, 1 where it is, 0 where it is not
     */
    public static MeasurementGuide masked(float[] y, float[] known, double scale) {
        return new MeasurementGuide(y, known, 1, scale);
    }

    /**
     * The means over squares of {@code factor} are known.
     *
     * @param y [C, H / factor, W / factor] in [-1, 1]
     */
    public static MeasurementGuide averaged(float[] y, int factor, double scale) {
        float[] all = new float[y.length];
        Arrays.fill(all, 1);
        return new MeasurementGuide(y, all, factor, scale);
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        Tensor seen = factor == 1 ? x0 : g.avgPool(x0, factor, factor);
        float[] target = new float[seen.size()];
        float[] weights = new float[seen.size()];
        for (int i = 0; i < target.length; i++) {
            target[i] = y[i % y.length];
            weights[i] = (float) scale * known[i % y.length];
        }
        return Squares.sum(g, seen, g.constant("guide_measurement", target, seen.shape()), weights);
    }
}
