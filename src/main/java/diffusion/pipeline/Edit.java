package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.scheduler.Scheduler;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** What pictures are made from beside noise; pictures are resized to what is asked for. */
public sealed interface Edit {
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

    /**
     * Lead pictures back to the noise they could come from and sample again from there, under another condition; from two
     * pictures, those between them (see {@link Inversion}).
     *
     * @param pictures one, or the first and the last of a row
     * @param source the class or text that is said to be shown; null for none
     * @param strength share of the steps that are gone back, above 0 and at most 1
     */
    record Invert(List<Picture> pictures, @Nullable String source, double strength) implements Edit {
        /** Copies the list. */
        public Invert {
            pictures = List.copyOf(pictures);
        }

        @Override
        public void check(int steps) {
            requireSteps(steps, strength);
        }
    }

    /** Sample from a row of noises, those of two seeds and between them. */
    record Between(long first, long last) implements Edit {}

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
