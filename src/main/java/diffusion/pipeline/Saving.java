package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.scheduler.AdaptiveSolver;
import diffusion.scheduler.PicardWindow;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SteppedTrajectory;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** A way to sample that spends model calls otherwise than one a step; its text is {@code name=value}. */
public sealed interface Saving {
    /** The names, as a regular expression. */
    String NAMES = "cache|parallel|adaptive|corrector|stop|jumps|metropolis";

    /** Such a text: the name, its value and, where it has a second one, that. */
    Pattern TEXT =
            Pattern.compile("(?:(?=parallel|corrector|jumps|metropolis)|(?=[^:]*$))(" + NAMES + ")=([^:]*)(?::(.*))?");

    /** Of {@code interval} steps in turn, one goes through all levels of a U-Net (DeepCache, Ma et al. 2023). */
    record Cache(int interval) implements Saving {
        @Override
        public String toString() {
            return "cache=" + interval;
        }
    }

    /** Many steps at once (ParaDiGMS, Shih et al. 2023); see {@link PicardWindow}. */
    record Parallel(int window, double tolerance) implements Saving {
        static final double TOLERANCE = 0.1;

        @Override
        public String toString() {
            return "parallel=" + window + ":" + tolerance;
        }
    }

    /** Steps as long as the error allows, instead of the sampler's; see {@link AdaptiveSolver}. */
    record Adaptive(double tolerance) implements Saving {
        @Override
        public String toString() {
            return "adaptive=" + tolerance;
        }
    }

    /** Langevin dynamics after every step (Song et al. 2021); see {@link SteppedTrajectory#corrected}. */
    record Corrector(int calls, double snr) implements Saving {
        static final double SNR = 0.16;

        @Override
        public String toString() {
            return "corrector=" + calls + ":" + snr;
        }
    }

    /** Stretches of steps several times over; see {@link JumpLoop}. */
    record Jumps(int length, int times) implements Saving {
        static final int TIMES = 2;

        @Override
        public String toString() {
            return "jumps=" + length + ":" + times;
        }
    }

    /** Jumps at every level that are taken or refused; see {@link SteppedTrajectory#metropolis}. */
    record Metropolis(int jumps, double size) implements Saving {
        static final double SIZE = 0.1;

        @Override
        public String toString() {
            return "metropolis=" + jumps + ":" + size;
        }
    }

    /** No more steps once x0 has come to rest; see {@link SteppedTrajectory#resting}. */
    record Stop(double tolerance) implements Saving {
        @Override
        public String toString() {
            return "stop=" + tolerance;
        }
    }

    /** The saving that a text names: cache=N, parallel=N[:TOLERANCE], adaptive=TOLERANCE, corrector=N[:SNR], stop=TOLERANCE, jumps=LENGTH[:TIMES] or metropolis=N[:SIZE]. */
    static Saving parse(String text) {
        Matcher parts = TEXT.matcher(text);
        if (parts.matches()) {
            String value = parts.group(2);
            String more = parts.group(3);
            try {
                return switch (parts.group(1)) {
                    case "cache" -> new Cache(Integer.parseInt(value));
                    case "parallel" ->
                        new Parallel(
                                Integer.parseInt(value), more == null ? Parallel.TOLERANCE : Double.parseDouble(more));
                    case "corrector" ->
                        new Corrector(Integer.parseInt(value), more == null ? Corrector.SNR : Double.parseDouble(more));
                    case "jumps" ->
                        new Jumps(Integer.parseInt(value), more == null ? Jumps.TIMES : Integer.parseInt(more));
                    case "metropolis" ->
                        new Metropolis(
                                Integer.parseInt(value), more == null ? Metropolis.SIZE : Double.parseDouble(more));
                    case "adaptive" -> new Adaptive(Double.parseDouble(value));
                    default -> new Stop(Double.parseDouble(value));
                };
            } catch (NumberFormatException e) {
                // falls through to the message below
            }
        }
        throw new DiffusionException(
                "found \"" + text + "\", expected cache=N, parallel=N[:TOLERANCE],"
                        + " adaptive=TOLERANCE, corrector=N[:SNR], stop=TOLERANCE, jumps=LENGTH[:TIMES] or metropolis=N[:SIZE]");
    }

    /** It as a command line has it, for messages. */
    default String option() {
        return "--" + toString().replace('=', ' ');
    }

    /** Whether the steps are those of the sampler; else it has steps of its own. */
    default boolean usesSampler() {
        return !(this instanceof Adaptive);
    }

    /** Throws unless a saving goes with what pictures are made from and with what leads them. */
    static void check(@Nullable Saving saving, @Nullable Edit edit, boolean guides) {
        boolean jumps = saving instanceof Jumps;
        String changed = guides ? "--guide" : saving == null ? null : saving.option();
        if (edit instanceof Edit.Stylize && changed != null) {
            throw new DiffusionException(
                    "found " + changed
                            + " together with the injection of a style, expected every step of the sampler in full and as it is");
        }
        if (edit != null && saving != null && !(saving instanceof Cache) && !jumps) {
            throw new DiffusionException(
                    "found " + saving.option() + " for a picture that is made from another, expected"
                            + " pictures made from noise; only --cache and --jumps go with --input");
        }
        if (guides && saving != null && !jumps) {
            throw new DiffusionException(
                    "--guide: expected every step of the sampler in full, found " + saving.option());
        }
    }

    /** Records how a network is sampled; the scheduler has been planned. */
    static ReverseProcess process(@Nullable Saving saving, Sampling sampling) {
        Scheduler scheduler = sampling.scheduler();
        double sigma = scheduler.initNoiseSigma();
        return switch (saving) {
            case null -> new SamplingLoop(sampling, 1);
            case Cache cache -> new SamplingLoop(sampling, cache.interval);
            case Jumps(int length, int times) -> new JumpLoop(new SamplingLoop(sampling, 1), scheduler, length, times);
            case Metropolis(int jumps, double size) ->
                new TrajectoryLoop(
                        sampling,
                        sigma,
                        (x, random) -> SteppedTrajectory.metropolis(scheduler, x, random, jumps, size));
            case Parallel(int window, double tolerance) ->
                new TrajectoryLoop(
                        sampling, sigma, (x, random) -> new PicardWindow(scheduler, x, random, window, tolerance));
            case Adaptive(double tolerance) ->
                new TrajectoryLoop(sampling, 1, (x, _) -> new AdaptiveSolver(scheduler, x, tolerance));
            case Corrector(int calls, double snr) ->
                new TrajectoryLoop(
                        sampling, sigma, (x, random) -> SteppedTrajectory.corrected(scheduler, x, random, calls, snr));
            case Stop(double tolerance) ->
                new TrajectoryLoop(
                        sampling, sigma, (x, random) -> SteppedTrajectory.resting(scheduler, x, random, tolerance));
        };
    }
}
