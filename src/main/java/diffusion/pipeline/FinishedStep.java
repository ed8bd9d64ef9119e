package diffusion.pipeline;

import diffusion.io.Picture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;

/**
 * A step of a run that has just been done, as callbacks see it; diffusers' callback_on_step_end. Nothing is copied from the
 * device before it is asked for, and only until the callback returns.
 */
public final class FinishedStep {
    /** What {@link #first} is while pictures are led back to noise. */
    public static final int LED_BACK = -1;

    private final int first;
    private final int pictures;
    private final int done;
    private final int steps;
    private final int rows;
    private final Supplier<float[]> sample;
    private final Supplier<float[]> prediction;
    private final Function<float[], Picture> preview;

    FinishedStep(
            int first,
            int pictures,
            int done,
            int steps,
            int rows,
            Supplier<float[]> sample,
            Supplier<float[]> prediction,
            Function<float[], Picture> preview) {
        this.first = first;
        this.pictures = pictures;
        this.done = done;
        this.steps = steps;
        this.rows = rows;
        this.sample = sample;
        this.prediction = prediction;
        this.preview = preview;
    }

    /** Place in the request of the first of these pictures; {@link #LED_BACK} while those given are led back to noise. */
    public int first() {
        return first;
    }

    /** How many pictures the step was of. */
    public int pictures() {
        return pictures;
    }

    /** Steps done of these pictures. */
    public int done() {
        return done;
    }

    /** Steps of these pictures in all; while a refiner is still to come, without its own. */
    public int steps() {
        return steps;
    }

    /** The state [C, h, w] of each picture: latents, or pixels in [-1, 1], with the noise that is left. */
    public List<float[]> samples() {
        return split(sample.get());
    }

    /** What the sampler takes each finished sample to be, x0 [C, h, w]; the state itself where the host holds the states. */
    public List<float[]> predictions() {
        return split(prediction.get());
    }

    /** {@link #samples} as pictures; see {@link #previews}. */
    public List<Picture> frames() {
        return samples().stream().map(preview).toList();
    }

    /**
     * {@link #predictions} as pictures. Latents are shown as {@link LatentPreview} does, at the size of the latent unless the
     * autoencoder is a tiny one.
     */
    public List<Picture> previews() {
        return predictions().stream().map(preview).toList();
    }

    /** The same step, told of pictures that are led back. */
    FinishedStep ledBack() {
        return new FinishedStep(LED_BACK, pictures, done, steps, rows, sample, prediction, preview);
    }

    private List<float[]> split(float[] all) {
        int size = all.length / rows;
        List<float[]> list = new ArrayList<>();
        for (int i = 0; i < pictures; i++) {
            list.add(Arrays.copyOfRange(all, i * size, (i + 1) * size));
        }
        return list;
    }
}
