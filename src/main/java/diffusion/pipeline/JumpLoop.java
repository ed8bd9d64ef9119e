package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.io.DiffusionException;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.PNDMScheduler;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.RePaintScheduler;
import diffusion.scheduler.Scheduler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A sampling loop that goes back: a stretch of steps is gone through several times, fresh noise leading from its end to its
 * beginning in between. Time travel, or resampling (Lugmayr et al. 2022, RePaint, section 4.2; Yu et al. 2023, FreeDoM), for
 * any sampler; with one that adds no noise, restart sampling (Xu et al. 2023).
 *
 * <p>Stretches are counted from the end of the run, as RePaintScheduler does; the first, which begins with noise, is gone
 * through once. Samplers that remember steps begin anew after a jump. All arrays are [N, C, H, W].
 */
final class JumpLoop implements ReverseProcess {
    private final SamplingLoop loop;
    private final Scheduler scheduler;
    private final int length;
    private final int times;
    private Effort effort = Effort.NONE;

    /** Steps {@code from} to before {@code to}, after a jump back unless it is the first. */
    record Stretch(int from, int to) {}

    /**
     * A loop that goes back.
     *
     * @param length whole steps of a stretch
     * @param times how often it is gone through
     */
    JumpLoop(SamplingLoop loop, Scheduler scheduler, int length, int times) {
        if (length < 1 || times < 1) {
            throw new DiffusionException(
                    "--jumps: expected a length and a number of times of at least 1, found " + length + ":" + times);
        }
        if (scheduler instanceof RePaintScheduler) {
            throw new DiffusionException(
                    "--jumps: expected another sampler than RePaint, which has --jump-length and --jump-samples");
        }
        if (scheduler instanceof PNDMScheduler) {
            throw new DiffusionException(
                    "--jumps: expected a sampler whose steps each lead to a level of noise, found PNDMScheduler, which"
                            + " asks twice at one; take ddim or ipndm");
        }
        this.loop = loop;
        this.scheduler = scheduler;
        this.length = length;
        this.times = times;
    }

    @Override
    public List<Graph> graphs() {
        return loop.graphs();
    }

    @Override
    public Effort effort() {
        return effort;
    }

    @Override
    public int steps(int begin, int end) {
        return stretches(begin, end).stream().mapToInt(s -> s.to - s.from).sum();
    }

    /** The way from step {@code begin} to before {@code end}. */
    List<Stretch> stretches(int begin, int end) {
        int order = scheduler.order();
        int first = begin / order;
        int last = (end + order - 1) / order; // the last of two-call steps may be one call
        List<Integer> turns = new ArrayList<>();
        for (int j = 0; j < last - first - length; j += length) {
            turns.addFirst(last - j);
        }
        List<Stretch> way = new ArrayList<>();
        int at = begin;
        for (int turn : turns) {
            for (int k = 1; k < times; k++) {
                way.add(new Stretch(at, Math.min(turn * order, end)));
                at = (turn - length) * order;
            }
        }
        way.add(new Stretch(at, end));
        return way;
    }

    @Override
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            SamplingLoop.@Nullable Course course,
            BooleanSupplier cancelled,
            SamplingLoop.Listener listener) {
        int planned = scheduler.timesteps().length;
        int begin = course == null ? 0 : course.begin();
        int end = course == null ? planned : course.end(planned);
        List<Stretch> way = stretches(begin, end);
        float[] x = course == null ? loop.start(generators) : course.start();
        int all = steps(begin, end);
        int passes = 0;
        int shallow = 0;
        for (int i = 0; i < way.size(); i++) {
            Stretch stretch = way.get(i);
            if (i > 0) {
                x = back(x, way.get(i - 1).to, stretch.from, generators);
            }
            scheduler.setBeginIndex(stretch.from);
            int before = passes;
            float[] start = x;
            x = loop.run(
                    program,
                    generators,
                    labels,
                    scale,
                    new Piece(course, stretch, start),
                    cancelled,
                    (done, _, sample, x0) -> listener.step(before + done, all, sample, x0));
            passes += loop.effort().passes();
            shallow += loop.effort().shallow();
        }
        int[] calls = new int[generators.size()];
        Arrays.fill(calls, passes);
        effort = new Effort(passes, shallow, calls);
        return x;
    }

    /** From the noise before step {@code to} to the larger one before step {@code from}. */
    private float[] back(float[] x, int to, int from, List<? extends RandomSource> generators) {
        NoiseSchedule.Mix target = scheduler.addNoise(from);
        NoiseSchedule.Mix now =
                to == scheduler.timesteps().length ? new NoiseSchedule.Mix(1, 0) : scheduler.addNoise(to);
        double kept = target.sample() / (double) now.sample();
        double left = kept * now.noise();
        double fresh = Math.sqrt(Math.max(0, target.noise() * (double) target.noise() - left * left));
        float[] z = SamplingLoop.draw(generators, x.length / generators.size());
        return EditCourse.mix(new NoiseSchedule.Mix((float) kept, (float) fresh), x, z);
    }

    /** A stretch of a course. */
    private record Piece(SamplingLoop.@Nullable Course whole, Stretch stretch, float[] start)
            implements SamplingLoop.Course {
        @Override
        public int begin() {
            return stretch.from;
        }

        @Override
        public int end(int steps) {
            return stretch.to;
        }

        @Override
        public float @Nullable [] after(int i, Supplier<float[]> sample, float @Nullable [] drawn) {
            return whole == null ? null : whole.after(i, sample, drawn);
        }
    }
}
