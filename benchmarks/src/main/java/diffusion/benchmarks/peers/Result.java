package diffusion.benchmarks.peers;

import diffusion.backend.Backend;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import org.jspecify.annotations.Nullable;

/**
 * What was measured of one row.
 *
 * @param peak what the machine could do in the same run
 * @param entries one for each engine that took part
 */
public record Result(String name, String title, String group, Row.Kind kind, Backend.Peak peak, List<Entry> entries) {
    /** The largest difference from PyTorch's output, relative to its largest value, that counts as equal. */
    public static final double TOLERANCE = 1e-3;

    /**
     * An engine's part.
     *
     * @param difference from PyTorch's output, relative to its largest value; NaN if there is nothing to compare
     * @param peakBytes most memory its process had resident; 0 if not known
     * @param rounds seconds of a run, the median of each round
     * @param failure why there are no rounds, or null
     */
    public record Entry(
            String engine,
            int threads,
            String version,
            double difference,
            double flops,
            double bytes,
            long peakBytes,
            List<Double> rounds,
            @Nullable String failure) {
        /** Whether there are figures, of the right output. */
        public boolean counts() {
            return failure == null && !rounds.isEmpty() && !(difference > TOLERANCE);
        }

        /** Seconds of a run in the middle round. */
        public double median() {
            return Result.median(rounds.stream().mapToDouble(d -> d).toArray());
        }

        /** Seconds in the quickest round. */
        public double fewest() {
            return rounds.stream().mapToDouble(d -> d).min().orElse(Double.NaN);
        }

        /** Seconds in the slowest round. */
        public double most() {
            return rounds.stream().mapToDouble(d -> d).max().orElse(Double.NaN);
        }
    }

    /** The middle of some numbers; NaN of none. */
    static double median(double... values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int n = sorted.length;
        return n == 0 ? Double.NaN : (sorted[(n - 1) / 2] + sorted[n / 2]) / 2;
    }

    /** The most threads an engine had, which all that are compared have. */
    private int threads() {
        return entries.stream().mapToInt(Entry::threads).max().orElse(1);
    }

    /** The entry of an engine on all threads, if its figures count. */
    public Optional<Entry> entry(String engine) {
        return entries.stream()
                .filter(e -> e.engine.equals(engine) && e.threads == threads() && e.counts())
                .findFirst();
    }

    /** This project's entry. */
    public Optional<Entry> ours() {
        return entry(CpuEngine.NAME);
    }

    /** The quickest of the others. */
    public Optional<Entry> bestPeer() {
        return entries.stream()
                .filter(e -> !e.engine.equals(CpuEngine.NAME) && e.counts())
                .min(Comparator.comparingDouble(Entry::median));
    }

    /** How many times as fast as the best peer this project is. */
    public Optional<Double> speed() {
        return ours().flatMap(ours -> bestPeer().map(peer -> peer.median() / ours.median()));
    }

    /** How many times as fast all threads are as one. */
    public Optional<Double> scaling() {
        return entries.stream()
                .filter(e -> e.engine.equals(CpuEngine.NAME) && e.threads < threads() && e.counts())
                .findFirst()
                .flatMap(one -> ours().map(all -> one.median() / all.median()));
    }

    /** Whether every engine that took part returned the right output. */
    public boolean sound() {
        return entries.stream().allMatch(Entry::counts);
    }
}
