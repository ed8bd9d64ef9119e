package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.graph.Tensor;
import diffusion.model.Autoencoder;
import diffusion.model.VQModel;
import diffusion.model.WeightSource;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Latents to pictures one at a time, whole or in tiles; diffusers' decode of its autoencoders. */
final class LatentDecoder implements AutoCloseable {
    private final Autoencoder model;
    private final int channels;
    private final TiledNetwork network;
    private float[] codebook = {}; // of a VQModel

    /** Compiles and loads the decoder for latents [channels, height, width]. */
    LatentDecoder(
            Backend backend, Autoencoder.Config config, WeightSource weights, int height, int width, boolean tiling) {
        model = config.model();
        int tile = tiling ? config.sampleSize() / config.factor() : 0;
        channels = config instanceof VQModel.Config vq ? vq.vqEmbedDim() : config.latentChannels();
        TiledNetwork.Sizes sizes = new TiledNetwork.Sizes(channels, height, width, tile, config.factor(), 1);
        network = new TiledNetwork(backend, "decoder", sizes, model::decode);
        try {
            weights.load(
                    model.parameters(), parameter -> network.reads(parameter) || isCodebook(parameter), this::fill);
        } catch (RuntimeException e) {
            network.close();
            throw e;
        }
    }

    private boolean isCodebook(Tensor parameter) {
        return model instanceof VQModel vq && vq.codebook().equals(parameter);
    }

    private void fill(Tensor parameter, Consumer<MemorySegment> values) {
        if (isCodebook(parameter)) {
            codebook = new float[parameter.size()];
            values.accept(MemorySegment.ofArray(codebook));
        } else {
            network.program().fill(parameter, values);
        }
    }

    /** A latent [channels, height, width] as the diffusion model makes it to a picture in about [-1, 1]. */
    float[] decodeScaled(float[] latent) {
        float[] values = latent.clone();
        Autoencoder.Config config = model.config();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] / config.scalingFactor() + config.shiftFactor());
        }
        return decode(values);
    }

    /** A latent [channels, height, width] that is not scaled any more to a picture in about [-1, 1]. */
    float[] decode(float[] latent) {
        return network.run(
                latent,
                tile -> model instanceof VQModel vq ? vq.quantize(tile, codebook, tile.length / channels) : tile);
    }

    @Override
    public void close() {
        network.close();
    }
}
