package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;

/**
 * A mixture of isotropic Gaussians in d dimensions, the one kind of data whose diffusion is known exactly.
 *
 * <p>Component k has weight w_k, mean mu_k and standard deviation s_k. Noised by a variance-preserving process it is
 * the mixture of N(sqrt(alphaBar) mu_k, (alphaBar s_k^2 + 1 - alphaBar) I).
 *
 * @param weights positive; they need not sum to 1, [K]
 * @param means [K][d]
 * @param stds [K]
 */
public record GaussianMixture(double[] weights, double[][] means, double[] stds) {
    /** Checks that all three have the same length, at least 1. */
    public GaussianMixture {
        if (means.length == 0 || weights.length != means.length || stds.length != means.length) {
            throw new DiffusionException("found " + weights.length + " weights, " + means.length + " means and "
                    + stds.length + " standard deviations; expected the same number, at least one");
        }
    }

    /** Equal Gaussians around points [n, d]: a kernel density estimate. */
    public static GaussianMixture around(double[] points, int d, double std) {
        int n = points.length / d;
        double[] weights = new double[n];
        double[][] means = new double[n][];
        double[] stds = new double[n];
        for (int k = 0; k < n; k++) {
            weights[k] = 1.0 / n;
            means[k] = Arrays.copyOfRange(points, k * d, (k + 1) * d);
            stds[k] = std;
        }
        return new GaussianMixture(weights, means, stds);
    }

    /** Dimension d. */
    public int dimension() {
        return means[0].length;
    }

    /** n points, [n, d]. */
    public double[] sample(int n, RandomSource random) {
        int d = dimension();
        float[] u = new float[n];
        float[] z = new float[n * d];
        random.uniform(u);
        random.normal(z);
        double total = Arrays.stream(weights).sum();
        double[] x = new double[n * d];
        for (int i = 0; i < n; i++) {
            double rest = u[i] * total;
            int k = 0;
            while (k < weights.length - 1 && rest >= weights[k]) {
                rest -= weights[k++];
            }
            for (int j = 0; j < d; j++) {
                x[i * d + j] = means[k][j] + stds[k] * z[i * d + j];
            }
        }
        return x;
    }

    /** Density of the noised mixture at x [d]. */
    public double density(double[] x, double alphaBar) {
        double[] log = logTerms(x, 0, alphaBar);
        return Arrays.stream(log).map(Math::exp).sum();
    }

    /** E[x0 | x_t] for points x [n, d]: what a perfect model that predicts the sample answers. */
    public double[] posteriorMean(double[] x, double alphaBar) {
        int d = dimension();
        double root = Math.sqrt(alphaBar);
        double[] mean = new double[x.length];
        for (int i = 0; i < x.length; i += d) {
            double[] log = logTerms(x, i, alphaBar);
            double largest = Arrays.stream(log).max().orElseThrow();
            double total = 0;
            for (int k = 0; k < log.length; k++) {
                double responsibility = Math.exp(log[k] - largest);
                double gain = stds[k] * stds[k] * root / variance(k, alphaBar);
                total += responsibility;
                for (int j = 0; j < d; j++) {
                    mean[i + j] += responsibility * (means[k][j] + gain * (x[i + j] - root * means[k][j]));
                }
            }
            for (int j = 0; j < d; j++) {
                mean[i + j] /= total;
            }
        }
        return mean;
    }

    /** log of w_k N(x; noised component k), for the point at {@code from}. */
    private double[] logTerms(double[] x, int from, double alphaBar) {
        double root = Math.sqrt(alphaBar);
        double total = Arrays.stream(weights).sum();
        double[] log = new double[weights.length];
        for (int k = 0; k < log.length; k++) {
            double square = 0;
            for (int j = 0; j < means[k].length; j++) {
                double difference = x[from + j] - root * means[k][j];
                square += difference * difference;
            }
            double v = variance(k, alphaBar);
            log[k] = Math.log(weights[k] / total) - square / (2 * v) - 0.5 * dimension() * Math.log(2 * Math.PI * v);
        }
        return log;
    }

    private double variance(int k, double alphaBar) {
        return alphaBar * stds[k] * stds[k] + 1 - alphaBar;
    }
}
