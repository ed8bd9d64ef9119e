package diffusion.metrics;

/** The kernel distance between two sets of features, KID (Binkowski et al. 2018). */
public final class KernelDistance {
    private KernelDistance() {}

    /**
     * The unbiased estimate of the squared maximum mean discrepancy of features [n][F] and [m][F] with the kernel
     * (x . y / F + 1)^3 (their section 4); about zero, also below it, for two sets of one distribution.
     */
    public static double between(double[][] a, double[][] b) {
        double cross = 0;
        for (double[] x : a) {
            for (double[] y : b) {
                cross += kernel(x, y);
            }
        }
        return within(a) + within(b) - 2 * cross / ((double) a.length * b.length);
    }

    /** The mean over pairs of different points. */
    private static double within(double[][] x) {
        double sum = 0;
        for (int i = 0; i < x.length; i++) {
            for (int j = 0; j < i; j++) {
                sum += kernel(x[i], x[j]);
            }
        }
        return 2 * sum / (x.length * (x.length - 1.0));
    }

    private static double kernel(double[] x, double[] y) {
        double dot = 0;
        for (int i = 0; i < x.length; i++) {
            dot += x[i] * y[i];
        }
        double base = dot / x.length + 1;
        return base * base * base;
    }
}
