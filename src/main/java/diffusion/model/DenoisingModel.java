package diffusion.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import org.jspecify.annotations.Nullable;

/** A network that predicts noise (or what its scheduler's prediction_type says) from a noisy picture and a timestep. */
public interface DenoisingModel {
    /** The weights, by checkpoint name. */
    Parameters parameters();

    /**
     * Records the network.
     *
     * @param sample [N, {@link #inChannels}, H, W]
     * @param timestep [N]
     * @param classLabels [N] for a conditional model, else null
     * @return [N, {@link #outChannels}, H, W]
     */
    Tensor apply(Graph g, Tensor sample, Tensor timestep, @Nullable Tensor classLabels);

    /**
     * Records the network, its deep levels perhaps kept or left out.
     *
     * @param deep null for the whole network; a DiffusionException if the network has no levels
     */
    default Tensor apply(
            Graph g, Tensor sample, Tensor timestep, @Nullable Tensor classLabels, @Nullable DeepFeatures deep) {
        if (deep != null) {
            throw new DiffusionException("--cache: expected a U-Net, found a "
                    + getClass().getSimpleName() + ", which has no deep levels to keep; leave --cache out");
        }
        return apply(g, sample, timestep, classLabels);
    }

    /** Channels of the noisy picture. */
    int inChannels();

    /** Channels of the prediction; twice the picture's if it includes a learned variance. */
    int outChannels();

    /** Height and width it was trained on; 0 if the configuration does not say. */
    int sampleSize();

    /** Heights and widths must be multiples of this, because the model halves them again and again. */
    int sizeMultiple();

    /** Entries of the class table; 0 for an unconditional model. */
    int classes();

    /** The config.json of the model. */
    ObjectNode config();
}
