package diffusion.metrics;

import org.ejml.data.DMatrixRMaj;
import org.ejml.dense.row.factory.DecompositionFactory_DDRM;
import org.ejml.interfaces.decomposition.QRDecomposition;
import org.ejml.interfaces.decomposition.SingularValueDecomposition_F64;

/**
 * The Frechet distance between Gaussians fitted to two sets of features (Heusel et al. 2017, equation 6).
 *
 * <p>With centred features X and Y, divided by the roots of n - 1 and m - 1, the covariances are X'X and Y'Y, and the trace of
 * the root of their product is the sum of the singular values of X Y'. So no root of a matrix is taken, and nothing is
 * lost where there are fewer pictures than features.
 */
public final class FrechetDistance {
    private FrechetDistance() {}

    /** |m1 - m2|^2 + trace(C1 + C2 - 2 (C1 C2)^(1/2)) of features [n][F] and [m][F], n and m above 1. */
    public static double between(double[][] a, double[][] b) {
        double[] meanA = mean(a);
        double[] meanB = mean(b);
        double distance = 0;
        for (int i = 0; i < meanA.length; i++) {
            distance += (meanA[i] - meanB[i]) * (meanA[i] - meanB[i]);
        }
        DMatrixRMaj x = factor(a, meanA);
        DMatrixRMaj y = factor(b, meanB);
        DMatrixRMaj product = product(x, y);
        SingularValueDecomposition_F64<DMatrixRMaj> svd =
                DecompositionFactory_DDRM.svd(product.numRows, product.numCols, false, false, true);
        if (!svd.decompose(product)) {
            throw new ArithmeticException("the singular values of features did not converge; expected finite features");
        }
        double root = 0;
        for (int i = 0; i < svd.numberOfSingularValues(); i++) {
            root += svd.getSingularValues()[i];
        }
        return Math.max(0, distance + squares(x) + squares(y) - 2 * root);
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

    /** A matrix of at most F rows whose product with itself is the covariance: X, or where X is longer, R of X = QR. */
    private static DMatrixRMaj factor(double[][] x, double[] mean) {
        int features = mean.length;
        int most = 3 * features; // rows taken together, so that all of X need not be copied
        double scale = 1 / Math.sqrt(x.length - 1.0);
        DMatrixRMaj factor = new DMatrixRMaj(0, features);
        for (int start = 0; start < x.length; start += most) {
            int rows = Math.min(most, x.length - start);
            DMatrixRMaj stacked = new DMatrixRMaj(factor.numRows + rows, features);
            System.arraycopy(factor.data, 0, stacked.data, 0, factor.getNumElements());
            for (int i = 0; i < rows; i++) {
                for (int k = 0; k < features; k++) {
                    stacked.unsafe_set(factor.numRows + i, k, (x[start + i][k] - mean[k]) * scale);
                }
            }
            factor = stacked.numRows > features ? triangle(stacked) : stacked;
        }
        return factor;
    }

    private static DMatrixRMaj triangle(DMatrixRMaj x) {
        QRDecomposition<DMatrixRMaj> qr = DecompositionFactory_DDRM.qr(x.numRows, x.numCols);
        qr.decompose(x);
        return qr.getR(null, true);
    }

    /** X Y'. Not EJML's: TornadoVM brings an older one, of which only what did not change since is used here. */
    private static DMatrixRMaj product(DMatrixRMaj x, DMatrixRMaj y) {
        DMatrixRMaj product = new DMatrixRMaj(x.numRows, y.numRows);
        for (int i = 0; i < x.numRows; i++) {
            for (int j = 0; j < y.numRows; j++) {
                product.unsafe_set(i, j, dot(x, i, y, j));
            }
        }
        return product;
    }

    private static double dot(DMatrixRMaj x, int i, DMatrixRMaj y, int j) {
        double sum = 0;
        int a = i * x.numCols;
        int b = j * y.numCols;
        for (int k = 0; k < x.numCols; k++) {
            sum += x.data[a + k] * y.data[b + k];
        }
        return sum;
    }

    /** The trace of X'X. */
    private static double squares(DMatrixRMaj x) {
        double sum = 0;
        for (int i = 0; i < x.numRows; i++) {
            sum += dot(x, i, x, i);
        }
        return sum;
    }
}
