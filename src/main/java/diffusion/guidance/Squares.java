package diffusion.guidance;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;

/** Sums of squares as energies. */
final class Squares {
    private Squares() {}

    /** {@code sum_i weight_i / 2 (x_i - target_i)^2} over all elements; {@code weights} is overwritten. */
    static Tensor sum(Graph g, Tensor x, Tensor target, float[] weights) {
        int size = x.size();
        for (int i = 0; i < size; i++) {
            weights[i] *= 0.5f * size; // the loss is a mean
        }
        Tensor energy = g.activation("squares", 1);
        g.append(new Loss(
                g.reshape(x, size, 1),
                g.reshape(target, size, 1),
                g.constant("guide_weight", weights, size),
                energy,
                Distance.L2,
                0));
        return energy;
    }
}
