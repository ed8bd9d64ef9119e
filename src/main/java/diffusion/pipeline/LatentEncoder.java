package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.Autoencoder;
import diffusion.model.AutoencoderKL;
import diffusion.scheduler.RandomSource;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Pictures of one size to distributions of latents; diffusers' encode of its autoencoders. */
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
    private final Graph graph;
    private final Tensor picture; // [1, C, H, W]
    private final Tensor moments; // [1, 2 latent, h, w]
    private final Program program;

    /** Compiles and loads the encoder for pictures of a size. */
    LatentEncoder(Backend backend, StableDiffusionComponents components, int height, int width) {
        config = components.vae();
        Autoencoder model = config.model();
        graph = new Graph("encoder");
        picture = graph.input("picture", 1, config.inChannels(), height, width);
        moments = graph.output(model.encode(graph, picture));
        program = backend.compile(List.of(graph));
        try {
            components.vaeWeights().load(model.parameters(), graph.tensors()::contains, program::fill);
        } catch (RuntimeException e) {
            program.close();
            throw e;
        }
    }

    /** What a picture [C, H, W] in [-1, 1] is encoded to. */
    Posterior encode(float[] pixels) {
        program.write(picture, pixels);
        program.run(graph);
        float[] values = program.read(moments);
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
        program.close();
    }
}
