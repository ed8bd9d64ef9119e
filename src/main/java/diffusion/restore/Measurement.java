package diffusion.restore;

import java.util.Arrays;

/**
 * What is known of pictures: y = H x + noise, for an H whose singular values are all alike, so that two numbers say it all.
 *
 * @param values the pseudo-inverse of H applied to y, in the shape of x; not read where {@code noise} is infinite
 * @param noise for each of those values, the deviation of its noise divided by the singular value; infinite where H sees
 *     nothing; of one deviation if {@code factor} is not 1
 * @param factor H takes means over squares of this side; 1 if it keeps pixels or drops them
 */
public record Measurement(Pictures values, float[] noise, int factor) {
    /** Pictures with noise of one deviation. */
    public static Measurement noisy(Pictures y, double sigma) {
        float[] noise = new float[y.values().length];
        Arrays.fill(noise, (float) sigma);
        return new Measurement(y, noise, 1);
    }

    /**
     * Pictures of which some pixels are known, with noise of one deviation or none.
     *
     * @param known [channels, height, width] for each picture, or for all of them
     */
    public static Measurement masked(Pictures y, boolean[] known, double sigma) {
        float[] noise = new float[y.values().length];
        for (int i = 0; i < noise.length; i++) {
            noise[i] = known[i % known.length] ? (float) sigma : Float.POSITIVE_INFINITY;
        }
        return new Measurement(y, noise, 1);
    }

    /** Pictures whose every pixel is the mean of a square of {@code factor} of the one looked for. */
    public static Measurement averaged(Pictures y, int factor, double sigma) {
        Pictures large = y.repeat(factor);
        float[] noise = new float[large.values().length];
        // The mean of f x f pixels has the singular value 1 / f, and its vectors are the squares of height 1 / f.
        Arrays.fill(noise, (float) (sigma * factor));
        return new Measurement(large, noise, factor);
    }
}
