package diffusion.pipeline;

import diffusion.graph.Parameters;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.scheduler.Scheduler;
import java.util.ArrayList;
import java.util.Collections;
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

    /** The pictures that are led back to noise before the run; null for none. */
    default @Nullable Invert inversion() {
        return null;
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
     * @param plain whether brackets of a text are letters rather than weights
     */
    record Invert(List<Picture> pictures, @Nullable String source, double strength, boolean plain) implements Edit {
        /** Copies the list. */
        public Invert {
            pictures = List.copyOf(pictures);
        }

        /** Of a class, or of a text whose brackets weigh. */
        public Invert(List<Picture> pictures, @Nullable String source, double strength) {
            this(pictures, source, strength, false);
        }

        @Override
        public void check(int steps) {
            requireSteps(steps, strength);
        }

        @Override
        public Invert inversion() {
            return this;
        }
    }

    /**
     * Give a picture the style of another: both are led back to noise and sampled again beside the results, which attend to
     * the style's features (StyleID, Chung, Hyun and Heo 2024).
     *
     * @param inversion the content and the style
     */
    record Stylize(Invert inversion, Injection injection) implements Edit {
        /** How a batch of so many results beside its companions is sampled. */
        SamplingLoop.Injected injected(Parameters weights, Scheduler scheduler, int steps, int results) {
            int done = scheduler.timesteps().length - begin(scheduler, steps);
            return new SamplingLoop.Injected(
                    injection.rule(weights, results), (int) Math.round(done * injection.share()), done);
        }

        /** Where a batch of so many results and its companions start, from the noises that the two were led back to. */
        List<float[]> starts(List<float[]> ends, int results, int channels) {
            float[] start = injection.start(ends.getFirst(), ends.getLast(), channels);
            List<float[]> starts = new ArrayList<>(Collections.nCopies(results, start));
            starts.addAll(ends);
            return starts;
        }

        @Override
        public void check(int steps) {
            inversion.check(steps);
            injection.check();
        }

        @Override
        public double strength() {
            return inversion.strength;
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
