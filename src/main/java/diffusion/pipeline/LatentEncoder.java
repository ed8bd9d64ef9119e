package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.model.Autoencoder;
import diffusion.model.AutoencoderKL;
import diffusion.model.WeightSource;
import diffusion.scheduler.RandomSource;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** Pictures of one size to distributions of latents, whole or in tiles; diffusers' encode of its autoencoders. */
final class LatentEncoder implements AutoCloseable {
    private static final float MIN_LOG_VARIANCE = -30;
    private static final float MAX_LOG_VARIANCE = 20;

    /**
     * Latents as the U-Net sees them, scaled: a Gaussian with a mean and a deviation for each of [channels, h, w], or, with no
     * deviation, the means themselves.
     */
    record Posterior(float[] mean, float @Nullable [] deviation) {
        /** A latent, drawn as diffusers' DiagonalGaussianDistribution.sample does. */
        float[] sample(RandomSource random) {
            if (deviation == null) {
                return mean.clone();
            }
            float[] values = new float[mean.length];
            random.normal(values);
            for (int i = 0; i < values.length; i++) {
                values[i] = mean[i] + deviation[i] * values[i];
            }
            return values;
        }
    }

    private final Autoencoder.Config config;
    private final TiledNetwork network;

    /** Compiles and loads the encoder for pictures of a size. */
    LatentEncoder(
            Backend backend, Autoencoder.Config config, WeightSource weights, int height, int width, boolean tiling) {
        this.config = config;
        Autoencoder model = config.model();
        int tile = tiling ? config.sampleSize() : 0;
        TiledNetwork.Sizes sizes = new TiledNetwork.Sizes(config.inChannels(), height, width, tile, 1, config.factor());
        network = new TiledNetwork(backend, "encoder", sizes, model::encode);
        try {
            weights.load(model.parameters(), network::reads, network.program()::fill);
        } catch (RuntimeException e) {
            network.close();
            throw e;
        }
    }

    /** What the network makes of a picture [C, H, W] in [-1, 1]: means and log variances, or latents. */
    float[] moments(float[] pixels) {
        return network.run(pixels, UnaryOperator.identity());
    }

    /** What a picture [C, H, W] in [-1, 1] is encoded to. */
    Posterior encode(float[] pixels) {
        float[] values = moments(pixels);
        float scale = (float) config.scalingFactor();
        float shift = (float) config.shiftFactor();
        boolean gaussian = config instanceof AutoencoderKL.Config;
        float[] mean = new float[gaussian ? values.length / 2 : values.length];
        float[] deviation = gaussian ? new float[mean.length] : null;
        for (int i = 0; i < mean.length; i++) {
            mean[i] = (values[i] - shift) * scale;
            if (deviation == null) {
                continue;
            }
            float logVariance = Math.clamp(values[mean.length + i], MIN_LOG_VARIANCE, MAX_LOG_VARIANCE);
            deviation[i] = (float) Math.exp(0.5f * logVariance) * scale;
        }
        return new Posterior(mean, deviation);
    }

    @Override
    public void close() {
        network.close();
    }
}
