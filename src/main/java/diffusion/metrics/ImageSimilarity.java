package diffusion.metrics;

/** Differences between two pictures with values in [0, 1], [C, H, W]. */
public final class ImageSimilarity {
    private static final int RADIUS = 5;
    private static final double SIGMA = 1.5;
    private static final double C1 = 0.01 * 0.01;
    private static final double C2 = 0.03 * 0.03;

    private ImageSimilarity() {}

    /** Mean squared error. */
    public static double mse(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - (double) b[i]) * (a[i] - (double) b[i]);
        }
        return sum / a.length;
    }

    /** Peak signal to noise ratio in dB; infinite for equal pictures. */
    public static double psnr(float[] a, float[] b) {
        return -10 * Math.log10(mse(a, b));
    }

    /**
     * Structural similarity, the mean over positions where the whole window fits (Wang et al. 2004): an 11 x 11 Gaussian of
     * deviation 1.5, as scikit-image has it with gaussian_weights and use_sample_covariance off.
     */
    public static double ssim(float[] a, float[] b, int channels, int height, int width) {
        if (height <= 2 * RADIUS || width <= 2 * RADIUS) {
            throw new IllegalArgumentException(
                    "SSIM needs pictures of at least 11 x 11, found " + height + " x " + width);
        }
        double[] window = window();
        double sum = 0;
        int count = 0;
        for (int c = 0; c < channels; c++) {
            for (int i = RADIUS; i < height - RADIUS; i++) {
                for (int j = RADIUS; j < width - RADIUS; j++) {
                    sum += at(a, b, (c * height + i) * width + j, width, window);
                    count++;
                }
            }
        }
        return sum / count;
    }

    private static double at(float[] a, float[] b, int centre, int width, double[] window) {
        double ma = 0;
        double mb = 0;
        double aa = 0;
        double bb = 0;
        double ab = 0;
        for (int r = -RADIUS; r <= RADIUS; r++) {
            for (int s = -RADIUS; s <= RADIUS; s++) {
                double w = window[r + RADIUS] * window[s + RADIUS];
                double x = a[centre + r * width + s];
                double y = b[centre + r * width + s];
                ma += w * x;
                mb += w * y;
                aa += w * x * x;
                bb += w * y * y;
                ab += w * x * y;
            }
        }
        double variance = aa - ma * ma + bb - mb * mb;
        double covariance = ab - ma * mb;
        return (2 * ma * mb + C1) * (2 * covariance + C2) / ((ma * ma + mb * mb + C1) * (variance + C2));
    }

    private static double[] window() {
        double[] window = new double[2 * RADIUS + 1];
        double sum = 0;
        for (int i = 0; i < window.length; i++) {
            window[i] = Math.exp(-(i - RADIUS) * (i - RADIUS) / (2 * SIGMA * SIGMA));
            sum += window[i];
        }
        for (int i = 0; i < window.length; i++) {
            window[i] /= sum;
        }
        return window;
    }
}
