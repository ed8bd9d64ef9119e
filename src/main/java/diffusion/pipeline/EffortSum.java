package diffusion.pipeline;

import java.util.Arrays;

/** What the batches of a run took together. */
final class EffortSum {
    private long calls;
    private long passes;
    private long shallow;
    private double accepted;
    private int batches;
    private int made;

    /** Counts a batch whose first {@code count} pictures were wanted. */
    void add(ReverseProcess.Effort effort, int count) {
        calls += Arrays.stream(effort.calls()).limit(count).sum();
        passes += effort.passes();
        shallow += effort.shallow();
        accepted += effort.accepted();
        batches++;
        made += count;
    }

    /** The means; NaN before the first batch. */
    ImageGenerator.Effort mean() {
        return new ImageGenerator.Effort(
                (double) calls / made, (double) passes / batches, (double) shallow / passes, accepted / batches);
    }
}
