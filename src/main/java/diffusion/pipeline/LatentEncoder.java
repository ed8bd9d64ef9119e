package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.AutoencoderKL;
import diffusion.scheduler.RandomSource;
import java.util.List;

/** Pictures of one size to distributions of latents; diffusers' AutoencoderKL.encode. */
final class LatentEncoder implements AutoCloseable {
    private static final float MIN_LOG_VARIANCE = -30;
    private static final float MAX_LOG_VARIANCE = 20;

    /** Latents as the U-Net sees them, scaled: a Gaussian with a mean and a deviation for each of [channels, h, w]. */
    record Posterior(float[] mean, float[] deviation) {
        /** A latent, drawn as diffusers' DiagonalGaussianDistribution.sample does. */
        float[] sample(RandomSource random) {
            float[] values = new float[mean.length];
            random.normal(values);
            for (int i = 0; i < values.length; i++) {
                values[i] = mean[i] + deviation[i] * values[i];
            }
            return values;
        }
    }

    private final AutoencoderKL.Config config;
    private final Graph graph;
    private final Tensor picture; // [1, C, H, W]
    private final Tensor moments; // [1, 2 latent, h, w]
    private final Program program;

    /** Compiles and loads the encoder for pictures of a size. */
    LatentEncoder(Backend backend, StableDiffusionComponents components, int height, int width) {
        config = components.vae();
        AutoencoderKL model = new AutoencoderKL(config);
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
        float[] mean = new float[values.length / 2];
        float[] deviation = new float[mean.length];
        for (int i = 0; i < mean.length; i++) {
            float logVariance = Math.clamp(values[mean.length + i], MIN_LOG_VARIANCE, MAX_LOG_VARIANCE);
            mean[i] = (values[i] - shift) * scale;
            deviation[i] = (float) Math.exp(0.5f * logVariance) * scale;
        }
        return new Posterior(mean, deviation);
    }

    @Override
    public void close() {
        program.close();
    }
}
