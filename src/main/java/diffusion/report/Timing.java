package diffusion.report;

import java.util.Arrays;

/**
 * Seconds of the runs of one thing.
 *
 * @param median the middle one
 * @param spread the difference of the quartiles
 * @param runs how many there were
 */
public record Timing(double median, double spread, int runs) {
    /** From the seconds of at least one run. */
    static Timing of(double... seconds) {
        double[] sorted = seconds.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return new Timing((sorted[(n - 1) / 2] + sorted[n / 2]) / 2, sorted[(3 * n - 1) / 4] - sorted[(n - 1) / 4], n);
    }
}
