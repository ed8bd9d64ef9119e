package diffusion.restore;

import diffusion.scheduler.TorchRandom;
import java.util.Arrays;
import java.util.function.UnaryOperator;

/**
 * Noise of counted light: a pixel of brightness x in [0, 1] is read as k / peak, k being a Poisson number of mean peak x.
 *
 * <p>Its variance, x / peak, differs from pixel to pixel, which a model that was trained with noise of one deviation does not
 * know. Anscombe's transform makes it about 1 everywhere, at the cost of changing the pictures' tones.
 *
 * @param peak counts at white
 */
public record PoissonNoise(double peak) {
    /** Where the least is expected a variance could be nearly 0, and a pixel nearly certain; in units of [0, 1]. */
    private static final double DARKEST = 0.02;

    /** 2 sqrt(k + 3/8) of k counts, whose noise has a deviation of about 1 (Anscombe 1948). */
    static double stabilised(double k) {
        return 2 * Math.sqrt(Math.max(0, k) + 0.375);
    }

    /**
     * The mean number of counts whose {@link #stabilised} values have the mean z: an unbiased inverse in closed form (Makitalo
     * and Foi 2011, "A Closed-Form Approximation of the Exact Unbiased Inverse of the Anscombe Variance-Stabilizing
     * Transformation", equation 10).
     */
    static double counts(double z) {
        double least = stabilised(0);
        if (z <= least) {
            return 0;
        }
        double root = Math.sqrt(1.5);
        return Math.max(0, z * z / 4 + root / (4 * z) - 11 / (8 * z * z) + 5 * root / (8 * z * z * z) - 0.125);
    }

    /** The deviation of {@link #stabilised} noise in pictures in [-1, 1]. */
    public double sigma() {
        return 2 / (stabilised(peak) - stabilised(0));
    }

    /** Anscombe's transform, moved so that black and white stay -1 and 1. */
    private float stable(float value) {
        double low = stabilised(0);
        return (float) (2 * (stabilised(peak * (value + 1) / 2) - low) / (stabilised(peak) - low) - 1);
    }

    /** The inverse of {@link #stable} for means. */
    private float bright(float stable) {
        double low = stabilised(0);
        return (float) (2 * counts(low + (stabilised(peak) - low) * (stable + 1) / 2) / peak - 1);
    }

    /** Denoises pictures in [-1, 1] by a method for Gaussian noise of the deviation {@link #sigma}. */
    public Pictures throughGaussian(Pictures y, UnaryOperator<Pictures> method) {
        float[] out = y.values().clone();
        for (int i = 0; i < out.length; i++) {
            out[i] = stable(out[i]);
        }
        float[] clean = method.apply(y.with(out)).values();
        for (int i = 0; i < out.length; i++) {
            out[i] = bright(clean[i]);
        }
        return y.with(out);
    }

    /** The mean of the clean pictures behind pictures in [-1, 1], each with its own counts at white, in one call of the model. */
    public static Pictures denoise(PixelPrior prior, Pictures y, double... peaks) {
        PoissonNoise[] noises = Arrays.stream(peaks).mapToObj(PoissonNoise::new).toArray(PoissonNoise[]::new);
        float[] values = y.values().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] = noises[i / y.elements()].stable(values[i]);
        }
        double[] sigmas = Arrays.stream(noises).mapToDouble(PoissonNoise::sigma).toArray();
        float[] clean = prior.denoise(y.with(values), sigmas).values();
        for (int i = 0; i < values.length; i++) {
            values[i] = noises[i / y.elements()].bright(clean[i]);
        }
        return y.with(values);
    }

    /** What is known of the clean pictures, every pixel having the deviation that goes with the brightness expected there. */
    public Measurement measurement(Pictures y, Pictures expected) {
        float[] noise = new float[y.values().length];
        for (int i = 0; i < noise.length; i++) {
            noise[i] = (float) (2 * Math.sqrt(brightness(expected.values()[i]) / peak));
        }
        return new Measurement(y, noise, 1);
    }

    private static double brightness(double value) {
        return Math.clamp((value + 1) / 2, DARKEST, 1);
    }

    /** Spoils pictures in [-1, 1], picture i with a generator of {@code seed + i}; brighter than white is not cut off. */
    public Pictures spoil(Pictures clean, long seed) {
        float[] out = clean.values().clone();
        float[] uniform = new float[clean.elements()];
        for (int i = 0; i < out.length; i++) {
            int within = i % uniform.length;
            if (within == 0) {
                new TorchRandom(seed + i / uniform.length).uniform(uniform);
            }
            out[i] = (float) (2 * count(peak * Math.max(0, (out[i] + 1.0) / 2), uniform[within]) / peak - 1);
        }
        return clean.with(out);
    }

    /** The smallest number that a Poisson variable exceeds with a probability of at most 1 - u. */
    private static int count(double mean, double u) {
        double probability = Math.exp(-mean);
        double sum = probability;
        int k = 0;
        while (sum < u && probability > 0) {
            k++;
            probability *= mean / k;
            sum += probability;
        }
        return k;
    }
}
