package diffusion.report;

/**
 * How two arrays differ.
 *
 * @param absolute the largest difference of two elements; infinite if only one of them is a number
 * @param relative the same over the size of the element itself, for elements above a thousandth of the largest
 * @param ulps the largest difference in units in the last place of the largest value
 * @param cosine the cosine of the angle between the arrays; 1 if both are zero
 * @param largest the largest value of the first array, by size
 */
public record Difference(double absolute, double relative, double ulps, double cosine, double largest) {
    /** Compares {@code actual} with {@code expected}; both have the same length. */
    public static Difference of(float[] expected, float[] actual) {
        double largest = 0;
        for (float value : expected) {
            largest = Float.isFinite(value) ? Math.max(largest, Math.abs(value)) : largest;
        }
        double absolute = 0;
        double relative = 0;
        double product = 0;
        double lengthA = 0;
        double lengthB = 0;
        for (int i = 0; i < expected.length; i++) {
            double a = expected[i];
            double b = actual[i];
            if (Double.compare(a, b) == 0 && !Double.isFinite(a)) {
                continue;
            }
            double difference = Math.abs(a - b);
            absolute = Math.max(absolute, Double.isNaN(difference) ? Double.POSITIVE_INFINITY : difference);
            if (Math.abs(a) > largest * 1e-3) {
                relative = Math.max(relative, difference / Math.abs(a));
            }
            product += a * b;
            lengthA += a * a;
            lengthB += b * b;
        }
        double lengths = Math.sqrt(lengthA) * Math.sqrt(lengthB);
        double cosine = lengths == 0 ? (lengthA == lengthB ? 1 : 0) : Math.min(1, product / lengths);
        return new Difference(absolute, relative, absolute / Math.ulp((float) largest), cosine, largest);
    }
}
