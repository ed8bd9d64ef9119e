package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * Jumps up to more noise and back down that leave the density of one level as it is: what comes down is taken or not by the
 * rule of Metropolis and Hastings (Hastings 1970).
 *
 * <p>In units of a signal of scale 1, u has density p at noise sigma. A jump of size delta draws y = u + tau z with tau^2 =
 * delta sigma^2, and proposes u' from N(y + tau^2 s(y), v), s being the score at the noise of y and v = sigma^2 tau^2 /
 * (sigma^2 + tau^2): DDPM's step down, whose mean is E[u | y] (Tweedie's formula) and whose variance is that of data without
 * spread. With y kept, p(u) N(y; u, tau^2) is left as it is if u' is taken with probability
 *
 * <pre>min(1, p(u') N(y; u', tau^2) N(u; y) / (p(u) N(y; u, tau^2) N(u'; y)))</pre>
 *
 * <p>log p(u') - log p(u) is the integral of the score along the segment from u to u' by Simpson's rule, as for models that
 * know scores but no densities (Sjoberg et al. 2023, "MCMC-Correction of Score-Based Diffusion Models for Model Composition";
 * Du et al. 2023). Where the step down is exact every jump is taken.
 *
 * <p>A jump asks the model four times, once less after one that was taken or refused.
 */
final class MetropolisJumps {
    private final AnyLevel model;
    private final RandomSource random;
    private final int jumps;
    private final double size;
    private double scale; // of the state: x = scale u
    private double sigma;
    private double[] u = {};
    private double @Nullable [] slope; // the score at u
    private double[] y = {};
    private double @Nullable [] proposal;
    private double[] mean = {}; // of the proposal
    private int left;
    private int taken;
    private int made;

    /**
     * Jumps at the levels that a run visits.
     *
     * @param jumps at every level
     * @param size delta, the noise's variance added as a share of that there is
     */
    MetropolisJumps(Scheduler scheduler, RandomSource random, int jumps, double size) {
        if (jumps < 1 || !(size > 0)) {
            throw new DiffusionException(
                    "--metropolis: expected at least 1 jump a step and a size above 0, found " + jumps + ":" + size);
        }
        model = new AnyLevel(scheduler, "--metropolis");
        this.random = random;
        this.jumps = jumps;
        this.size = size;
    }

    /** Begins at x = mix.sample x0 + mix.noise eps; there are no jumps where there is no noise, or no more than noise. */
    void begin(double[] x, NoiseSchedule.Mix mix) {
        scale = mix.sample();
        sigma = mix.noise() / scale;
        left = sigma > 0 && sigma * Math.sqrt(1 + size) < model.largest() ? jumps : 0;
        if (left > 0) {
            u = times(x, 1 / scale);
            slope = null;
            up();
        }
    }

    boolean done() {
        return left == 0;
    }

    /** The state after the jumps, in the scale of {@link #begin}. */
    double[] state() {
        return times(u, scale);
    }

    /** Share of the jumps so far that were taken. */
    double accepted() {
        return (double) taken / made;
    }

    private void up() {
        y = moved(u, Math.sqrt(size) * sigma);
        proposal = null;
    }

    List<Trajectory.Query> queries() {
        List<Trajectory.Query> asked = new ArrayList<>();
        double[] down = proposal;
        if (down == null) {
            asked.add(query(y, sigmaUp()));
            if (slope == null) {
                asked.add(query(u, sigma));
            }
        } else {
            asked.add(query(down, sigma));
            asked.add(query(middle(down), sigma));
        }
        return asked;
    }

    void answer(List<double[]> outputs) {
        double[] down = proposal;
        double tau2 = size * sigma * sigma;
        double variance = sigma * sigma * tau2 / (sigma * sigma + tau2);
        if (down == null) {
            double[] above = score(y, outputs.getFirst(), sigmaUp());
            slope = slope == null ? score(u, outputs.getLast(), sigma) : slope;
            mean = new double[y.length];
            for (int i = 0; i < y.length; i++) {
                mean[i] = y[i] + tau2 * above[i];
            }
            proposal = moved(mean, Math.sqrt(variance));
            return;
        }
        double[] there = score(down, outputs.getFirst(), sigma);
        double[] between = score(middle(down), outputs.getLast(), sigma);
        double[] here = Objects.requireNonNull(slope);
        double log = (squared(y, u) - squared(y, down)) / (2 * tau2)
                + (squared(mean, down) - squared(mean, u)) / (2 * variance);
        for (int i = 0; i < u.length; i++) {
            log += (here[i] + 4 * between[i] + there[i]) * (down[i] - u[i]) / 6;
        }
        float[] uniform = new float[1];
        random.uniform(uniform);
        made++;
        if (Math.log(uniform[0]) < log) {
            u = down;
            slope = there;
            taken++;
        }
        left--;
        if (left > 0) {
            up();
        }
    }

    private double sigmaUp() {
        return sigma * Math.sqrt(1 + size);
    }

    private double[] middle(double[] down) {
        double[] middle = new double[u.length];
        for (int i = 0; i < middle.length; i++) {
            middle[i] = (u[i] + down[i]) / 2;
        }
        return middle;
    }

    private Trajectory.Query query(double[] v, double at) {
        return model.query(times(v, 1 / Math.sqrt(1 + at * at)), at);
    }

    /** (x0 - v) / sigma^2. */
    private double[] score(double[] v, double[] m, double at) {
        double[] score = model.denoised(times(v, 1 / Math.sqrt(1 + at * at)), m, at);
        for (int i = 0; i < score.length; i++) {
            score[i] = (score[i] - v[i]) / (at * at);
        }
        return score;
    }

    private double[] moved(double[] from, double deviation) {
        float[] z = new float[from.length];
        random.normal(z);
        double[] to = from.clone();
        for (int i = 0; i < to.length; i++) {
            to[i] += deviation * z[i];
        }
        return to;
    }

    private static double squared(double[] a, double[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        }
        return sum;
    }

    private static double[] times(double[] v, double factor) {
        double[] scaled = v.clone();
        for (int i = 0; i < scaled.length; i++) {
            scaled[i] *= factor;
        }
        return scaled;
    }
}
