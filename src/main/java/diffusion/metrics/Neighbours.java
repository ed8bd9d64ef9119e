package diffusion.metrics;

import java.util.Arrays;

/** Measures from distances between points: precision, recall, diversity and memorisation. */
public final class Neighbours {
    private Neighbours() {}

    /**
     * The share of {@code points} inside the manifold of {@code reference}: within the distance of some reference point to
     * its k-th neighbour (Kynkaanniemi et al. 2019, equation 2). Precision takes samples as the points, recall the data.
     */
    public static double inside(double[][] points, double[][] reference, int k) {
        double[] radii = new double[reference.length];
        for (int i = 0; i < reference.length; i++) {
            double[] distances = distances(reference[i], reference);
            Arrays.sort(distances);
            radii[i] = distances[Math.min(k, distances.length - 1)]; // distances[0] is the point itself
        }
        int inside = 0;
        for (double[] point : points) {
            double[] distances = distances(point, reference);
            for (int i = 0; i < reference.length; i++) {
                if (distances[i] <= radii[i]) {
                    inside++;
                    break;
                }
            }
        }
        return (double) inside / points.length;
    }

    /** The mean distance between two different points. */
    public static double meanPairwise(double[][] points) {
        double sum = 0;
        for (int i = 0; i < points.length; i++) {
            for (int j = 0; j < i; j++) {
                sum += distance(points[i], points[j]);
            }
        }
        return sum / (points.length * (points.length - 1) / 2.0);
    }

    /** The Euclidean distance. */
    public static double distance(double[] a, double[] b) {
        return Math.sqrt(squared(a, b));
    }

    /** Index of the nearest of {@code all} to each of {@code points}, all of one length. */
    public static int[] nearest(java.util.List<float[]> points, java.util.List<float[]> all) {
        int[] nearest = new int[points.size()];
        for (int i = 0; i < nearest.length; i++) {
            double best = Double.POSITIVE_INFINITY;
            for (int j = 0; j < all.size(); j++) {
                double d = squared(points.get(i), all.get(j), best);
                if (d < best) {
                    best = d;
                    nearest[i] = j;
                }
            }
        }
        return nearest;
    }

    /** The root mean square difference of two pictures. */
    public static double rootMeanSquare(float[] a, float[] b) {
        return Math.sqrt(squared(a, b, Double.POSITIVE_INFINITY) / a.length);
    }

    private static double[] distances(double[] point, double[][] others) {
        double[] distances = new double[others.length];
        for (int i = 0; i < others.length; i++) {
            distances[i] = squared(point, others[i]);
        }
        return distances;
    }

    private static double squared(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return sum;
    }

    /** The squared distance, or something above {@code limit} as soon as that is clear. */
    private static double squared(float[] a, float[] b, double limit) {
        double sum = 0;
        for (int start = 0; start < a.length && sum <= limit; start += 64) {
            float part = 0;
            int end = Math.min(a.length, start + 64);
            for (int i = start; i < end; i++) {
                part += (a[i] - b[i]) * (a[i] - b[i]);
            }
            sum += part;
        }
        return sum;
    }
}
