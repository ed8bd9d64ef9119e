package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.model.Autoencoder;
import diffusion.model.VQModel;
import diffusion.model.WeightSource;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Functions of the picture that a denoised latent is decoded to, by the decoder in the graph, through which their gradient
 * flows back (Chung et al. 2022, DPS, in the latent space).
 */
final class DecodedGuide implements Guide {
    private final Autoencoder autoencoder;
    private final WeightSource weights;
    private final List<Guide> guides;
    private final Set<Tensor> read = new HashSet<>();

    DecodedGuide(Autoencoder.Config config, WeightSource weights, List<Guide> guides) {
        autoencoder = config.model();
        this.weights = weights;
        this.guides = List.copyOf(guides);
        if (autoencoder instanceof VQModel) {
            throw new DiffusionException(
                    "--guide: expected an autoencoder with a gradient, found a VQModel, which takes the nearest of its"
                            + " code words");
        }
    }

    @Override
    public Tensor energy(Graph g, Tensor x0) {
        Autoencoder.Config config = autoencoder.config();
        Tensor latents =
                g.add(x0, g.fill(1, x0.shape()), (float) (1 / config.scalingFactor()), (float) config.shiftFactor());
        Tensor pictures = autoencoder.decode(g, latents); // [N, C, f h, f w]
        Tensor sum = guides.stream()
                .map(guide -> guide.energy(g, pictures))
                .reduce(g::add)
                .orElseThrow();
        read.addAll(g.tensors());
        return sum;
    }

    @Override
    public void load(Program program) {
        weights.load(autoencoder.parameters(), read::contains, program::fill);
        guides.forEach(guide -> guide.load(program));
    }
}
