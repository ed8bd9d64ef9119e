package diffusion.restore;

/**
 * Non-local means (Buades, Coll and Morel 2005, with the known noise taken off the distances as in their IPOL article of
 * 2011): every pixel becomes a mean over those whose surroundings look like its own.
 *
 * <p>Mirrors scikit-image's denoise_nl_means with fast_mode off: patches of 5 x 5 under a Gaussian of deviation 1,
 * searched within 6 pixels; patches whose sum of differences passes 5 before their last row count nothing.
 */
public final class NonLocalMeans {
    private static final int PATCH = 2;
    private static final int SEARCH = 6;
    private static final double CUTOFF = 5;
    private static final double[] WINDOW = window();

    private NonLocalMeans() {}

    /**
     * Denoises a picture, each channel on its own.
     *
     * @param y [channels, height, width]
     * @param sigma deviation of the noise, in units of y
     * @param h how much patches may differ, in units of y
     */
    public static float[] denoise(float[] y, int channels, int height, int width, double sigma, double h) {
        float[] out = new float[y.length];
        int plane = height * width;
        int wide = width + 2 * PATCH;
        for (int c = 0; c < channels; c++) {
            double[] padded = pad(y, c * plane, height, width);
            for (int i = 0; i < height; i++) {
                for (int j = 0; j < width; j++) {
                    out[c * plane + i * width + j] = (float) at(padded, i, j, height, width, wide, sigma, h);
                }
            }
        }
        return out;
    }

    private static double at(double[] padded, int i, int j, int height, int width, int wide, double sigma, double h) {
        double sum = 0;
        double weights = 0;
        for (int p = Math.max(0, i - SEARCH); p <= Math.min(height - 1, i + SEARCH); p++) {
            for (int q = Math.max(0, j - SEARCH); q <= Math.min(width - 1, j + SEARCH); q++) {
                double weight = weight(padded, i * wide + j, p * wide + q, wide, sigma, h);
                weights += weight;
                sum += weight * padded[(p + PATCH) * wide + q + PATCH];
            }
        }
        return sum / weights;
    }

    /** exp of minus the mean square difference of two patches, less what noise alone makes of it, in units of h^2. */
    private static double weight(double[] padded, int first, int second, int wide, double sigma, double h) {
        double sum = 0;
        int k = 0;
        for (int r = 0; r <= 2 * PATCH; r++) {
            if (sum > CUTOFF) {
                return 0;
            }
            for (int s = 0; s <= 2 * PATCH; s++) {
                double difference = padded[first + r * wide + s] - padded[second + r * wide + s];
                sum += WINDOW[k++] * (difference * difference - 2 * sigma * sigma) / (h * h);
            }
        }
        return Math.exp(-Math.max(0, sum));
    }

    private static double[] window() {
        double[] window = new double[(2 * PATCH + 1) * (2 * PATCH + 1)];
        double sum = 0;
        int k = 0;
        for (int r = -PATCH; r <= PATCH; r++) {
            for (int s = -PATCH; s <= PATCH; s++) {
                window[k] = Math.exp(-(r * r + s * s) / 2.0);
                sum += window[k++];
            }
        }
        for (k = 0; k < window.length; k++) {
            window[k] /= sum;
        }
        return window;
    }

    private static double[] pad(float[] y, int offset, int height, int width) {
        int wide = width + 2 * PATCH;
        double[] padded = new double[(height + 2 * PATCH) * wide];
        for (int i = 0; i < height + 2 * PATCH; i++) {
            for (int j = 0; j < wide; j++) {
                padded[i * wide + j] =
                        y[offset + Reflection.inside(i - PATCH, height) * width + Reflection.inside(j - PATCH, width)];
            }
        }
        return padded;
    }
}
