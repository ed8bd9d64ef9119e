package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Many steps at once by Picard iteration (ParaDiGMS; Shih et al. 2023, algorithm 1): a window of states is guessed, the model
 * is asked about all of them together, and each is replaced by the window's first plus what the steps up to it then add.
 *
 * <p>The window moves past the states that changed by less than the tolerance, and always past one, whose successor is exact:
 * with tolerance 0 the result is the sequential sampler's. The noise of a step is drawn once, in the order of the steps.
 */
public final class PicardWindow implements Trajectory {
    private final Scheduler scheduler;
    private final RandomSource random;
    private final int window;
    private final double tolerance;
    private final int steps;
    private final List<double[]> states = new ArrayList<>(); // x before each step of the window, and after its last
    private final List<double @Nullable []> noises = new ArrayList<>(); // one a step of the window
    private int start;

    /**
     * Begins with a state x [d].
     *
     * @param scheduler planned, without history; its steps are the same however often they are asked for
     * @param window steps at once
     * @param tolerance root mean square change that counts as none, in standard deviations of the noise of DDPM's step there
     */
    public PicardWindow(Scheduler scheduler, double[] x, RandomSource random, int window, double tolerance) {
        if (scheduler.historySize() > 0) {
            throw new DiffusionException(
                    "--parallel: expected a sampler whose steps need no earlier ones, such as ddim or" + " ddpm, found "
                            + scheduler.config().className());
        }
        if (window < 1 || !(tolerance >= 0)) {
            throw new DiffusionException(
                    "--parallel: expected a window of at least 1 and a tolerance of at least 0, found " + window + ":"
                            + tolerance);
        }
        this.scheduler = scheduler;
        this.random = random;
        this.window = window;
        this.tolerance = tolerance;
        steps = scheduler.timesteps().length;
        states.add(x.clone());
        fill();
    }

    /** Guesses what the window has gained: nothing changes. */
    private void fill() {
        while (noises.size() < window && start + noises.size() < steps) {
            float[] z = new float[states.getFirst().length];
            boolean drawn = scheduler.step(start + noises.size()).needsNoise();
            if (drawn) {
                random.normal(z);
            }
            noises.add(drawn ? widen(z) : null);
            states.add(states.getLast());
        }
    }

    @Override
    public List<Query> queries() {
        double[] timesteps = scheduler.timesteps();
        List<Query> queries = new ArrayList<>();
        for (int k = 0; k < noises.size(); k++) {
            double scale = scheduler.inputScale(start + k);
            double[] seen = states.get(k).clone();
            for (int i = 0; i < seen.length; i++) {
                seen[i] *= scale;
            }
            queries.add(new Query(seen, timesteps[start + k]));
        }
        return queries;
    }

    @Override
    public void answer(List<double[]> outputs) {
        List<double[]> moved = new ArrayList<>(List.of(states.getFirst()));
        int stride = noises.size();
        for (int k = 0; k < noises.size(); k++) {
            double[] old = states.get(k);
            double[] next = scheduler.step(start + k).apply(old, outputs.get(k), noises.get(k), List.of(), 1);
            double[] guess = states.get(k + 1);
            double change = 0;
            for (int i = 0; i < next.length; i++) {
                next[i] += moved.get(k)[i] - old[i];
                change += (next[i] - guess[i]) * (next[i] - guess[i]) / next.length;
            }
            if (k + 1 < stride && change > tolerance * tolerance * variance(start + k)) {
                stride = k + 1;
            }
            moved.add(next);
        }
        states.clear();
        states.addAll(moved.subList(stride, moved.size()));
        noises.subList(0, stride).clear();
        start += stride;
        fill();
    }

    /** The variance of q(x_{i+1} | x_i, x0) between two levels of the run (Song et al. 2021, equation 16 for eta 1). */
    private double variance(int i) {
        NoiseSchedule.Mix from = scheduler.addNoise(i);
        NoiseSchedule.Mix to = i + 1 < steps ? scheduler.addNoise(i + 1) : new NoiseSchedule.Mix(1, 0);
        double ratio = (double) from.sample() / to.sample() * to.noise() / from.noise();
        return (double) to.noise() * to.noise() * (1 - ratio * ratio);
    }

    @Override
    public boolean done() {
        return start == steps;
    }

    @Override
    public double[] sample() {
        return states.getFirst();
    }

    @Override
    public double progress() {
        return (double) start / steps;
    }

    @Override
    public int width() {
        return Math.min(window, steps);
    }

    static double[] widen(float[] values) {
        double[] wide = new double[values.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = values[i];
        }
        return wide;
    }
}
