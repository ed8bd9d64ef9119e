package diffusion.restore;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.CholeskyDecomposition;

/**
 * Fills holes with the smoothest surface: the Laplacian of the Laplacian vanishes there (Damelin and Hoang 2018).
 *
 * <p>Mirrors scikit-image's inpaint_biharmonic, the final limit to the range of the known pixels included. The system of
 * equations is dense, so holes are limited to {@link #MOST} pixels.
 */
public final class Biharmonic {
    /** Unknown pixels at most. */
    public static final int MOST = 2000;

    private static final int[][] STEPS = {{-1, 0}, {1, 0}, {0, -1}, {0, 1}};

    private Biharmonic() {}

    /**
     * Fills the holes of a picture.
     *
     * @param y [channels, height, width]
     * @param known [height, width]; where false, y is not read
     */
    public static float[] inpaint(float[] y, boolean[] known, int channels, int height, int width) {
        int plane = height * width;
        int[] place = new int[plane]; // of each unknown pixel in the system of equations
        Arrays.fill(place, -1);
        int unknown = 0;
        for (int i = 0; i < plane; i++) {
            place[i] = known[i] ? -1 : unknown++;
        }
        if (unknown == 0) {
            return y.clone();
        }
        if (unknown == plane || unknown > MOST) {
            throw new DiffusionException("found " + unknown + " of " + plane
                    + " pixels unknown, expected some known and at most " + MOST + " unknown");
        }
        double[][] matrix = new double[unknown][unknown];
        double[][] right = new double[unknown][channels];
        for (int i = 0; i < plane; i++) {
            if (place[i] >= 0) {
                equation(i, y, known, place, matrix[place[i]], right[place[i]], height, width);
            }
        }
        double[][] solution = new CholeskyDecomposition(new Array2DRowRealMatrix(matrix, false))
                .getSolver()
                .solve(new Array2DRowRealMatrix(right, false))
                .getData();
        float[] out = y.clone();
        for (int c = 0; c < channels; c++) {
            float low = Float.POSITIVE_INFINITY;
            float high = Float.NEGATIVE_INFINITY;
            for (int i = 0; i < plane; i++) {
                if (known[i]) {
                    low = Math.min(low, y[c * plane + i]);
                    high = Math.max(high, y[c * plane + i]);
                }
            }
            for (int i = 0; i < plane; i++) {
                if (!known[i]) {
                    out[c * plane + i] = Math.clamp((float) solution[place[i]][c], low, high);
                }
            }
        }
        return out;
    }

    /** Row i of the squared Laplacian; beyond the edges of the picture its edge is repeated. */
    private static void equation(
            int i, float[] y, boolean[] known, int[] place, double[] row, double[] right, int height, int width) {
        int plane = height * width;
        for (int k = -1; k < STEPS.length; k++) {
            int near = k < 0 ? i : step(i, STEPS[k], height, width);
            double outer = k < 0 ? -4 : 1;
            for (int l = -1; l < STEPS.length; l++) {
                int far = l < 0 ? near : step(near, STEPS[l], height, width);
                double weight = outer * (l < 0 ? -4 : 1);
                if (known[far]) {
                    for (int c = 0; c < right.length; c++) {
                        right[c] -= weight * y[c * plane + far];
                    }
                } else {
                    row[place[far]] += weight;
                }
            }
        }
    }

    private static int step(int i, int[] by, int height, int width) {
        int row = Math.clamp(i / width + by[0], 0, height - 1);
        int column = Math.clamp(i % width + by[1], 0, width - 1);
        return row * width + column;
    }
}
