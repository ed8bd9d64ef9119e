package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.scheduler.AdaptiveSolver;
import diffusion.scheduler.PicardWindow;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SteppedTrajectory;
import java.util.Arrays;
import java.util.List;
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

    /** Steps as long as the error allows, instead of the sampler's (Lu et al. 2022); see {@link AdaptiveSolver}. */
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

    /** Whether the steps are those of the sampler; else it has steps of its own. */
    default boolean usesSampler() {
        return !(this instanceof Adaptive);
    }

    /** Records how a network is sampled; the scheduler has been planned. */
    static ReverseProcess process(
            @Nullable Saving saving, GuidedNetwork.Network network, Scheduler scheduler, boolean guided, int... shape) {
        return process(saving, network, scheduler, guided, List.of(), shape);
    }

    /** The same, with guides for those that take them: no saving, and jumps. */
    static ReverseProcess process(
            @Nullable Saving saving,
            GuidedNetwork.Network network,
            Scheduler scheduler,
            boolean guided,
            List<Guide> guides,
            int... shape) {
        double sigma = scheduler.initNoiseSigma();
        return switch (saving) {
            case null -> loop(network, scheduler, guided, 1, guides, shape);
            case Cache cache -> loop(network, scheduler, guided, cache.interval, guides, shape);
            case Jumps(int length, int times) ->
                new JumpLoop(loop(network, scheduler, guided, 1, guides, shape), scheduler, length, times);
            case Metropolis(int jumps, double size) ->
                new TrajectoryLoop(
                        network,
                        scheduler,
                        (x, random) -> SteppedTrajectory.metropolis(scheduler, x, random, jumps, size),
                        sigma,
                        guided,
                        shape);
            case Parallel(int window, double tolerance) ->
                new TrajectoryLoop(
                        network,
                        scheduler,
                        (x, random) -> new PicardWindow(scheduler, x, random, window, tolerance),
                        sigma,
                        guided,
                        shape);
            case Adaptive(double tolerance) ->
                new TrajectoryLoop(
                        network, scheduler, (x, _) -> new AdaptiveSolver(scheduler, x, tolerance), 1, guided, shape);
            case Corrector(int calls, double snr) ->
                new TrajectoryLoop(
                        network,
                        scheduler,
                        (x, random) -> SteppedTrajectory.corrected(scheduler, x, random, calls, snr),
                        sigma,
                        guided,
                        shape);
            case Stop(double tolerance) ->
                new TrajectoryLoop(
                        network,
                        scheduler,
                        (x, random) -> SteppedTrajectory.resting(scheduler, x, random, tolerance),
                        sigma,
                        guided,
                        shape);
        };
    }

    private static SamplingLoop loop(
            GuidedNetwork.Network network,
            Scheduler scheduler,
            boolean guided,
            int interval,
            List<Guide> guides,
            int... shape) {
        int[] s = Arrays.copyOf(shape, 4);
        return guides.isEmpty()
                ? new SamplingLoop(network, s[1], scheduler, s[0], s[2], s[3], guided, interval, 0)
                : new SamplingLoop(network, s[1], scheduler, s[0], s[2], s[3], guided, guides);
    }
}
