package diffusion.metrics;

/** Differences between two pictures with values in [0, 1], [C, H, W]. */
public final class ImageSimilarity {
    /** The shorter side that {@link #ssim} needs. */
    public static final int SSIM_SIDE = 11;

    private static final int RADIUS = SSIM_SIDE / 2;
    private static final double SIGMA = 1.5;
    static final double C1 = 0.01 * 0.01;
    static final double C2 = 0.03 * 0.03;
    private static final double[] SCALES = {0.0448, 0.2856, 0.3001, 0.2363, 0.1333};

    /** The shorter side that {@link #msSsim} needs: 11 after four halvings. */
    public static final int MS_SSIM_SIDE = SSIM_SIDE << (SCALES.length - 1);

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
        require("SSIM", SSIM_SIDE, height, width);
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            sum += compare(a, b, c * height * width, height, width).whole / channels;
        }
        return sum;
    }

    /**
     * Multi-scale structural similarity over five scales (Wang, Simoncelli and Bovik 2003, equation 7), each half as large
     * as the one before (means of 2 x 2; an odd last row or column is left out), the mean over the channels.
     */
    public static double msSsim(float[] a, float[] b, int channels, int height, int width) {
        require("MS-SSIM", MS_SSIM_SIDE, height, width);
        double sum = 0;
        for (int c = 0; c < channels; c++) {
            float[] x = java.util.Arrays.copyOfRange(a, c * height * width, (c + 1) * height * width);
            float[] y = java.util.Arrays.copyOfRange(b, c * height * width, (c + 1) * height * width);
            int h = height;
            int w = width;
            double product = 1;
            for (int scale = 0; scale < SCALES.length; scale++) {
                Similarity found = compare(x, y, 0, h, w);
                double part = scale == SCALES.length - 1 ? found.whole : found.structure;
                product *= Math.pow(Math.max(0, part), SCALES[scale]);
                x = halve(x, h, w);
                y = halve(y, h, w);
                h /= 2;
                w /= 2;
            }
            sum += product / channels;
        }
        return sum;
    }

    /** Means over all positions: of the whole product, and of contrast and structure without luminance. */
    private record Similarity(double whole, double structure) {}

    private static Similarity compare(float[] a, float[] b, int offset, int height, int width) {
        double[] window = window();
        double whole = 0;
        double structure = 0;
        for (int i = RADIUS; i < height - RADIUS; i++) {
            for (int j = RADIUS; j < width - RADIUS; j++) {
                Similarity here = at(a, b, offset + i * width + j, width, window);
                whole += here.whole;
                structure += here.structure;
            }
        }
        double positions = (height - 2 * RADIUS) * (double) (width - 2 * RADIUS);
        return new Similarity(whole / positions, structure / positions);
    }

    private static Similarity at(float[] a, float[] b, int centre, int width, double[] window) {
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
        double structure = (2 * covariance + C2) / (variance + C2);
        return new Similarity((2 * ma * mb + C1) / (ma * ma + mb * mb + C1) * structure, structure);
    }

    private static float[] halve(float[] x, int height, int width) {
        int h = height / 2;
        int w = width / 2;
        float[] out = new float[h * w];
        for (int i = 0; i < h; i++) {
            for (int j = 0; j < w; j++) {
                int k = 2 * i * width + 2 * j;
                out[i * w + j] = (x[k] + x[k + 1] + x[k + width] + x[k + width + 1]) / 4;
            }
        }
        return out;
    }

    private static void require(String what, int side, int height, int width) {
        if (height < side || width < side) {
            throw new IllegalArgumentException(
                    what + " needs pictures of at least " + side + " x " + side + ", found " + height + " x " + width);
        }
    }

    /** The window along one axis. */
    static double[] window() {
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
