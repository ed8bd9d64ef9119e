package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.scheduler.Scheduler;

/** A picture to make others from. */
public sealed interface Edit {
    /** The picture; it is resized to what is asked for. */
    Picture picture();

    /** Throws unless at least one of a number of steps is left to do. */
    default void check(int steps) {}

    /** The share of the steps that are done. */
    default double strength() {
        return 1;
    }

    /** The first model call of a run over a number of planned steps; diffusers' {@code get_timesteps}. */
    default int begin(Scheduler scheduler, int steps) {
        return (steps - Math.min((int) (steps * strength()), steps)) * scheduler.order();
    }

    /**
     * Noise it to a part of the way and denoise it from there (Meng et al. 2022, SDEdit).
     *
     * @param strength share of the steps that are done, above 0 and at most 1
     */
    record ImageToImage(Picture picture, double strength) implements Edit {
        @Override
        public void check(int steps) {
            requireSteps(steps, strength);
        }
    }

    /**
     * Make a part of it anew.
     *
     * @param mask that part is white; it is resized like the picture
     * @param strength share of the steps that are done, above 0 and at most 1; below 1 the picture shines through
     */
    record Inpaint(Picture picture, Picture mask, double strength) implements Edit {
        @Override
        public void check(int steps) {
            requireSteps(steps, strength);
        }
    }

    /**
     * Make it larger, by as many times as the autoencoder enlarges latents (StableDiffusionUpscalePipeline).
     *
     * @param noiseLevel timestep whose noise hides the picture's flaws
     */
    record Upscale(Picture picture, int noiseLevel) implements Edit {}

    private static void requireSteps(int steps, double strength) {
        if (!(strength > 0 && strength <= 1)) {
            throw new DiffusionException("--strength: expected above 0 and at most 1, found " + strength);
        }
        if ((int) (steps * strength) < 1) {
            throw new DiffusionException("--strength: " + strength + " of " + steps
                    + " steps is less than one step; raise --strength or --steps");
        }
    }
}
