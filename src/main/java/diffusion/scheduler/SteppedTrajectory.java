package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The steps of a scheduler one after the other, with Langevin dynamics at each new level of noise (predictor and corrector; Song
 * et al. 2021, algorithms 1 and 5) or {@link MetropolisJumps}, or ending as soon as x0 has come to rest.
 */
public final class SteppedTrajectory implements Trajectory {
    private final Scheduler scheduler;
    private final RandomSource random;
    private final int corrections;
    private final double snr;
    private final double rest;
    private final @Nullable MetropolisJumps jumps;
    private final int steps;
    private final List<double[]> history = new ArrayList<>();
    private double[] x;
    private double[] x0 = {};
    private int step;
    private int corrected; // at the level before this step
    private boolean done;

    private SteppedTrajectory(
            Scheduler scheduler,
            double[] x,
            RandomSource random,
            int corrections,
            double snr,
            double rest,
            @Nullable MetropolisJumps jumps) {
        this.scheduler = scheduler;
        this.x = x.clone();
        this.random = random;
        this.corrections = corrections;
        this.snr = snr;
        this.rest = rest;
        this.jumps = jumps;
        steps = scheduler.timesteps().length;
        corrected = corrections; // what the run starts with is noise already
    }

    /**
     * With {@code corrections} model calls of Langevin dynamics after every step but the last, of signal-to-noise ratio r: x +
     * a g + sqrt(2 a) z with a = 2 (r |z| / |g|)^2 and g the score. The factor alpha of a in the paper, nearly 1, is left out.
     */
    public static SteppedTrajectory corrected(
            Scheduler scheduler, double[] x, RandomSource random, int corrections, double snr) {
        if (corrections < 1 || !(snr > 0)) {
            throw new DiffusionException(
                    "--corrector: expected at least 1 call a step and a signal-to-noise ratio above 0," + " found "
                            + corrections + ":" + snr);
        }
        requireSingle("--corrector", scheduler);
        return new SteppedTrajectory(scheduler, x, random, corrections, snr, 0, null);
    }

    /** With {@link MetropolisJumps} after every step but the last. */
    public static SteppedTrajectory metropolis(
            Scheduler scheduler, double[] x, RandomSource random, int jumps, double size) {
        requireSingle("--metropolis", scheduler);
        return new SteppedTrajectory(
                scheduler, x, random, 0, 1, 0, new MetropolisJumps(scheduler, random, jumps, size));
    }

    private static void requireSingle(String option, Scheduler scheduler) {
        if (scheduler.historySize() > 0 || scheduler.order() > 1) {
            throw new DiffusionException(option
                    + ": expected a sampler whose steps need no earlier ones, such as ddim or ddpm, found "
                    + scheduler.config().className());
        }
    }

    /** That ends with x0 as soon as the root mean square of its change from one timestep to the next is below {@code rest}. */
    public static SteppedTrajectory resting(Scheduler scheduler, double[] x, RandomSource random, double rest) {
        if (!(rest >= 0)) {
            throw new DiffusionException("--stop: expected a tolerance of at least 0, found " + rest);
        }
        return new SteppedTrajectory(scheduler, x, random, 0, 1, rest, null);
    }

    @Override
    public List<Query> queries() {
        if (done) {
            return List.of();
        }
        if (jumps != null && !jumps.done()) {
            return jumps.queries();
        }
        double scale = scheduler.inputScale(step);
        double[] seen = x.clone();
        for (int i = 0; i < seen.length; i++) {
            seen[i] *= scale;
        }
        return List.of(new Query(seen, scheduler.timesteps()[step]));
    }

    @Override
    public void answer(List<double[]> outputs) {
        if (jumps != null && !jumps.done()) {
            jumps.answer(outputs);
            x = jumps.done() ? jumps.state() : x;
            return;
        }
        double[] m = outputs.getFirst();
        Step now = scheduler.step(step);
        double[] denoised = now.predictX0(x, m, 1);
        if (corrected < corrections) {
            correct(denoised);
            corrected++;
            return;
        }
        if (x0.length > 0 && !repeated() && rootMeanSquare(denoised, x0) < rest) {
            x = denoised;
            done = true;
            return;
        }
        x0 = denoised;
        x = now.apply(x, m, now.needsNoise() ? draw() : null, history, 1);
        while (history.size() > scheduler.historySize()) {
            history.removeLast();
        }
        corrected = 0;
        step++;
        done = step == steps;
        if (jumps != null && !done) {
            jumps.begin(x, scheduler.addNoise(step));
        }
    }

    /** Whether this call is at the level of noise of the last one, where x0 changes little at any time. */
    private boolean repeated() {
        return step > 0 && scheduler.timesteps()[step] == scheduler.timesteps()[step - 1];
    }

    private void correct(double[] denoised) {
        NoiseSchedule.Mix mix = scheduler.addNoise(step);
        double[] z = draw();
        double[] score = new double[x.length];
        double zNorm = 0;
        double norm = 0;
        for (int i = 0; i < x.length; i++) {
            score[i] = (mix.sample() * denoised[i] - x[i]) / ((double) mix.noise() * mix.noise());
            zNorm += z[i] * z[i];
            norm += score[i] * score[i];
        }
        double length = 2 * snr * snr * zNorm / norm;
        for (int i = 0; i < x.length; i++) {
            x[i] += length * score[i] + Math.sqrt(2 * length) * z[i];
        }
    }

    private double[] draw() {
        float[] z = new float[x.length];
        random.normal(z);
        return PicardWindow.widen(z);
    }

    private static double rootMeanSquare(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return Math.sqrt(sum / a.length);
    }

    @Override
    public boolean done() {
        return done;
    }

    @Override
    public double[] sample() {
        return x;
    }

    @Override
    public int width() {
        return jumps == null ? 1 : 2;
    }

    @Override
    public double accepted() {
        return jumps == null ? Double.NaN : jumps.accepted();
    }

    @Override
    public double progress() {
        return done ? 1 : (double) step / steps;
    }
}
