package diffusion.guidance;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.metrics.SsimGraph;
import diffusion.pipeline.Guide;

/** {@code -scale SSIM(x0, reference)}, the sum over the pictures. */
public final class SsimGuide implements Guide {
    private final float[] reference;
    private final double scale;

    /**
     * To a picture.
     *
     * @param reference [C, H, W] in [-1, 1]
     */
    public SsimGuide(float[] reference, double scale) {
        this.reference = reference.clone();
        this.scale = scale;
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        float[] all = new float[x0.size()];
        for (int i = 0; i < all.length; i++) {
            all[i] = reference[i % reference.length];
        }
        Tensor mean = SsimGraph.ssim(g, x0, g.constant("guide_reference", all, x0.shape()));
        return g.scale(mean, (float) (-scale * x0.dim(0)));
    }
}
