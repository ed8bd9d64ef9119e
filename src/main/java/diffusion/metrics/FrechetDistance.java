package diffusion.metrics;

import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.EigenDecomposition;
import org.apache.commons.math3.linear.MatrixUtils;
import org.apache.commons.math3.linear.RealMatrix;

/** The Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6). */
public final class FrechetDistance {
    private FrechetDistance() {}

    /** |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of features [n][F] and [m][F]. */
    public static double between(double[][] a, double[][] b) {
        double[] meanA = mean(a);
        double[] meanB = mean(b);
        RealMatrix covarianceA = covariance(a, meanA);
        RealMatrix covarianceB = covariance(b, meanB);
        double distance = 0;
        for (int i = 0; i < meanA.length; i++) {
            distance += (meanA[i] - meanB[i]) * (meanA[i] - meanB[i]);
        }
        // The trace of the root of C1 C2 is that of the root of the symmetric R C2 R with R = C1^(1/2).
        RealMatrix root = root(covarianceA);
        double[] eigenvalues =
                new EigenDecomposition(symmetric(root.multiply(covarianceB).multiply(root))).getRealEigenvalues();
        double trace = 0;
        for (double value : eigenvalues) {
            trace += Math.sqrt(Math.max(0, value));
        }
        return Math.max(0, distance + covarianceA.getTrace() + covarianceB.getTrace() - 2 * trace);
    }

    private static double[] mean(double[][] x) {
        double[] mean = new double[x[0].length];
        for (double[] row : x) {
            for (int i = 0; i < mean.length; i++) {
                mean[i] += row[i] / x.length;
            }
        }
        return mean;
    }

    private static RealMatrix covariance(double[][] x, double[] mean) {
        double[][] c = new double[mean.length][mean.length];
        for (double[] row : x) {
            for (int i = 0; i < mean.length; i++) {
                for (int j = 0; j <= i; j++) {
                    c[i][j] += (row[i] - mean[i]) * (row[j] - mean[j]) / (x.length - 1);
                }
            }
        }
        for (int i = 0; i < mean.length; i++) {
            for (int j = 0; j < i; j++) {
                c[j][i] = c[i][j];
            }
        }
        return new Array2DRowRealMatrix(c, false);
    }

    private static RealMatrix root(RealMatrix c) {
        EigenDecomposition eigen = new EigenDecomposition(c);
        double[] roots = eigen.getRealEigenvalues();
        for (int i = 0; i < roots.length; i++) {
            roots[i] = Math.sqrt(Math.max(0, roots[i]));
        }
        RealMatrix v = eigen.getV();
        return symmetric(v.multiply(MatrixUtils.createRealDiagonalMatrix(roots)).multiply(v.transpose()));
    }

    /** Removes the rounding that would make the decomposition take a matrix for an unsymmetric one. */
    private static RealMatrix symmetric(RealMatrix m) {
        return m.add(m.transpose()).scalarMultiply(0.5);
    }
}
