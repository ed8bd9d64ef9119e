package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;

/**
 * The multivariate forward process x_t = A x_{t-1} + z with z ~ N(0, s^2 I), and its moments in closed form.
 *
 * <p>With A = sqrt(1 - beta) I and s^2 = beta it is the usual diffusion; a rotation in A makes the cloud swirl while it
 * spreads. Whatever the data: E[x_t] = A^t E[x_0], Cov[x_t] = A^t Cov[x_0] (A^t)' + s^2 sum_{k<t} A^k (A^k)'.
 */
public final class LinearDiffusion {
    private final double[][] a;
    private final double std;

    /** Mean [d] and covariance [d][d] of a distribution. */
    public record Moments(double[] mean, double[][] covariance) {
        /** The moments of points [n, d]. */
        public static Moments of(double[] points, int d) {
            int n = points.length / d;
            double[] mean = new double[d];
            for (int i = 0; i < points.length; i++) {
                mean[i % d] += points[i] / n;
            }
            double[][] covariance = new double[d][d];
            for (int i = 0; i < points.length; i += d) {
                for (int j = 0; j < d; j++) {
                    for (int k = 0; k < d; k++) {
                        covariance[j][k] += (points[i + j] - mean[j]) * (points[i + k] - mean[k]) / n;
                    }
                }
            }
            return new Moments(mean, covariance);
        }
    }

    /** With A [d][d] and the standard deviation s of the noise of a step. */
    public LinearDiffusion(double[][] a, double std) {
        for (double[] row : a) {
            if (row.length != a.length) {
                throw new DiffusionException(
                        "found a row of " + row.length + " in a matrix of " + a.length + " rows; expected it square");
            }
        }
        this.a = a;
        this.std = std;
    }

    /** The diffusion of constant beta in d dimensions: x_t = sqrt(1 - beta) x_{t-1} + sqrt(beta) z. */
    public static LinearDiffusion constant(int d, double beta) {
        double[][] a = identity(d);
        for (int i = 0; i < d; i++) {
            a[i][i] = Math.sqrt(1 - beta);
        }
        return new LinearDiffusion(a, Math.sqrt(beta));
    }

    /** One step for every point of x [n, d]. */
    public double[] step(double[] x, RandomSource random) {
        int d = a.length;
        float[] z = new float[x.length];
        random.normal(z);
        double[] out = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            double sum = std * z[i];
            for (int k = 0; k < d; k++) {
                sum += a[i % d][k] * x[i - i % d + k];
            }
            out[i] = sum;
        }
        return out;
    }

    /** The moments of x_t, from those of x_0. */
    public Moments moments(Moments start, int t) {
        int d = a.length;
        double[][] power = identity(d); // A^k
        double[][] spread = new double[d][d]; // sum A^k (A^k)'
        for (int k = 0; k < t; k++) {
            spread = plus(spread, product(power, transpose(power)), 1);
            power = product(a, power);
        }
        double[] mean = new double[d];
        for (int i = 0; i < d; i++) {
            for (int j = 0; j < d; j++) {
                mean[i] += power[i][j] * start.mean[j];
            }
        }
        double[][] carried = product(product(power, start.covariance), transpose(power));
        return new Moments(mean, plus(carried, spread, std * std));
    }

    private static double[][] identity(int d) {
        double[][] m = new double[d][d];
        for (int i = 0; i < d; i++) {
            m[i][i] = 1;
        }
        return m;
    }

    private static double[][] product(double[][] p, double[][] q) {
        int d = p.length;
        double[][] m = new double[d][d];
        for (int i = 0; i < d; i++) {
            for (int k = 0; k < d; k++) {
                for (int j = 0; j < d; j++) {
                    m[i][j] += p[i][k] * q[k][j];
                }
            }
        }
        return m;
    }

    private static double[][] transpose(double[][] p) {
        double[][] m = new double[p.length][p.length];
        for (int i = 0; i < p.length; i++) {
            for (int j = 0; j < p.length; j++) {
                m[i][j] = p[j][i];
            }
        }
        return m;
    }

    private static double[][] plus(double[][] p, double[][] q, double factor) {
        double[][] m = new double[p.length][];
        for (int i = 0; i < p.length; i++) {
            m[i] = Arrays.copyOf(p[i], p.length);
            for (int j = 0; j < p.length; j++) {
                m[i][j] += factor * q[i][j];
            }
        }
        return m;
    }
}
