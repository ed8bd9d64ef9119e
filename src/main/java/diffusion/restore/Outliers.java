package diffusion.restore;

import java.util.Arrays;

/** Finds pixels that salt-and-pepper noise has replaced by black or white, and what they may have been. */
public final class Outliers {
    /** Samples of {@link #remove}. */
    public static final int ROUNDS = 2;

    /** How far from its surroundings an extreme pixel must lie to be suspected; of 2, the distance of black and white. */
    private static final double THRESHOLD = 0.8;

    private Outliers() {}

    /**
     * Pictures without their outliers: black and white pixels far from the median of their surroundings are sampled anew,
     * and again those far from what the first samples say.
     */
    public static Pictures remove(PixelPrior prior, PosteriorSampler sampler, Pictures y, int samples, long seed) {
        Pictures expected = medians(y);
        for (int round = 0; round < ROUNDS; round++) {
            boolean[] known = new boolean[y.values().length];
            for (int i = 0; i < known.length; i++) {
                float value = y.values()[i];
                boolean extreme = value == -1 || value == 1;
                known[i] = !extreme || Math.abs(value - expected.values()[i]) < THRESHOLD;
            }
            expected = sampler.mean(prior, Measurement.masked(y, known, 0), samples, seed);
        }
        return expected;
    }

    /** The median of every pixel's 3 x 3 surroundings without itself. */
    private static Pictures medians(Pictures y) {
        float[] out = new float[y.values().length];
        int plane = y.height() * y.width();
        float[] near = new float[8];
        for (int i = 0; i < out.length; i++) {
            int row = i % plane / y.width();
            int column = i % y.width();
            int k = 0;
            for (int r = -1; r <= 1; r++) {
                for (int s = -1; s <= 1; s++) {
                    if (r != 0 || s != 0) {
                        near[k++] = y.values()[
                                i / plane * plane
                                        + Reflection.inside(row + r, y.height()) * y.width()
                                        + Reflection.inside(column + s, y.width())];
                    }
                }
            }
            Arrays.sort(near);
            out[i] = (near[3] + near[4]) / 2;
        }
        return y.with(out);
    }
}
