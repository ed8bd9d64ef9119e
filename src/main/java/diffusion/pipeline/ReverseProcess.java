package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.scheduler.RandomSource;
import java.util.List;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/** A way from noise to samples, recorded as graphs for one batch shape. */
interface ReverseProcess {
    /**
     * What a run took.
     *
     * @param passes runs of the network, one after the other, each for the whole batch
     * @param shallow those among them that left out its deep levels
     * @param calls states that the network was asked about, for each picture
     * @param accepted share of proposed moves that were taken, the mean over pictures; NaN where none are proposed
     */
    record Effort(int passes, int shallow, int[] calls, double accepted) {
        static final Effort NONE = new Effort(0, 0, new int[0], Double.NaN);

        Effort(int passes, int shallow, int[] calls) {
            this(passes, shallow, calls, Double.NaN);
        }
    }

    /** Steps that are told of a run over the planned ones from {@code begin} to before {@code end}. */
    default int steps(int begin, int end) {
        return end - begin;
    }

    /** States of a picture that the network is asked about at once, each of which needs the picture's condition. */
    default int width() {
        return 1;
    }

    /** The graphs to be compiled together into the program that {@link #run} is given. */
    List<Graph> graphs();

    /**
     * Runs it for a batch; see {@link SamplingLoop}.
     *
     * @param labels a class for each picture, read where the model follows classes
     * @param course null to begin with noise
     */
    float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            SamplingLoop.@Nullable Course course,
            BooleanSupplier cancelled,
            SamplingLoop.Listener listener);

    /** What the last run took. */
    Effort effort();
}
