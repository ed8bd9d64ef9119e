package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Scheduler;
import java.util.Arrays;
import java.util.List;

/**
 * Where one model leaves a run to another (Podell et al. 2023, section 2.5): diffusers' denoising_end and denoising_start of
 * StableDiffusionXLPipeline and StableDiffusionXLImg2ImgPipeline.
 */
final class Handover {
    private Handover() {}

    /** The share of the training's timesteps below which the second model goes on. */
    private static int cutoff(Scheduler scheduler, double fraction) {
        int trained = scheduler.noise().length();
        return (int) Math.rint(trained - fraction * trained);
    }

    /** Steps of the first model: those at the cutoff and above. */
    static int steps(Scheduler scheduler, double fraction) {
        int cutoff = cutoff(scheduler, fraction);
        return (int)
                Arrays.stream(scheduler.timesteps()).filter(t -> t >= cutoff).count();
    }

    /** The first step of the second model; with two calls a step, never between them. */
    static int begin(Scheduler scheduler, double fraction) {
        int cutoff = cutoff(scheduler, fraction);
        int left = (int)
                Arrays.stream(scheduler.timesteps()).filter(t -> t < cutoff).count();
        int whole = scheduler.order() == 2 && left % 2 == 0 ? left + 1 : left;
        return scheduler.timesteps().length - whole;
    }

    /** Throws unless both models have a step to do. */
    static void check(Scheduler first, Scheduler second, double fraction) {
        if (!(fraction > 0 && fraction < 1)) {
            throw new DiffusionException("--high-noise-fraction: expected above 0 and below 1, found " + fraction);
        }
        if (steps(first, fraction) < 1 || begin(second, fraction) >= second.timesteps().length) {
            throw new DiffusionException("--high-noise-fraction: " + fraction + " of " + first.timesteps().length
                    + " steps leaves one of the models none; change it or raise --steps");
        }
        second.setBeginIndex(begin(second, fraction)); // refuses now what it cannot do
    }

    /** From noise of {@code elements} numbers a picture, to the cutoff. */
    static LatentEdit first(Scheduler scheduler, double fraction, int elements) {
        return generators -> {
            float[] start = SamplingLoop.draw(generators, elements);
            for (int i = 0; i < start.length; i++) {
                start[i] *= (float) scheduler.initNoiseSigma();
            }
            scheduler.setBeginIndex(0);
            return new LatentEdit.Batch(new SamplingLoop.Part(0, steps(scheduler, fraction), start), new float[0], 0);
        };
    }

    /** From the latents of another model to the end. */
    static LatentEdit second(Scheduler scheduler, double fraction, List<float[]> latents) {
        return LatentEdit.from(scheduler, begin(scheduler, fraction), scheduler.timesteps().length, latents);
    }
}
