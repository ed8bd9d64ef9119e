package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;

/** A network between pictures and latents. */
public sealed interface Autoencoder permits AutoencoderKL, AutoencoderTiny, VQModel {
    /** The config.json, with diffusers' names and defaults. */
    sealed interface Config permits AutoencoderKL.Config, AutoencoderTiny.Config, VQModel.Config {
        /** Channels of the pictures that are encoded. */
        int inChannels();

        /** Channels of the pictures that are decoded. */
        int outChannels();

        /** Channels of the latents. */
        int latentChannels();

        /** Pixels, down and across, that a latent stands for. */
        int factor();

        /** Height and width that the model was trained on and works in tiles of; 0 for one that needs none. */
        int sampleSize();

        /** What latents are multiplied by for the diffusion model. */
        double scalingFactor();

        /** What is subtracted from latents before that. */
        double shiftFactor();

        /** The object itself. */
        JsonNode json();

        /** The network, without weights. */
        Autoencoder model();

        /** The configuration of any of these classes, by its _class_name; throws where it is not supported. */
        static Config read(JsonNode json, String source) {
            String name = json.path("_class_name").asText("AutoencoderKL");
            return switch (name) {
                case "AutoencoderKL" -> AutoencoderKL.Config.read(json, source);
                case "AutoencoderTiny" -> AutoencoderTiny.Config.read(json, source);
                case "VQModel" -> VQModel.Config.read(json, source);
                default ->
                    throw new DiffusionException(
                            source + ": expected _class_name AutoencoderKL, AutoencoderTiny or VQModel, found \"" + name
                                    + "\"");
            };
        }
    }

    /** Pictures [N, C, H, W] in [-1, 1] to latents [N, latent, h, w]; AutoencoderKL: their means and log variances. */
    Tensor encode(Graph g, Tensor pictures);

    /** Latents [N, latent, h, w], not scaled (VQModel: taken from its codebook), to pictures in about [-1, 1]. */
    Tensor decode(Graph g, Tensor latents);

    /** The weights, by checkpoint name. */
    Parameters parameters();

    /** The configuration. */
    Config config();
}
