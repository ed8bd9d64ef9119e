package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Steps of DPM-Solver++ of the first and second order, as long as both agree (Lu et al. 2022, appendix C, algorithm 3 with its
 * DPM-Solver-12, for a model of x0).
 *
 * <p>A step from log signal-to-noise lambda to lambda + h asks the model where it starts and half way; a rejected one is tried
 * again, shorter, for one more call. Timesteps are those of the noise levels, so not whole. It ends at the least noise of
 * training, whose x0 is the sample.
 */
public final class AdaptiveSolver implements Trajectory {
    private static final double SAFETY = 0.9;
    private static final double MOST_GROWTH = 5;
    private static final double FIRST_STEP = 0.5;
    /** The paper's absolute tolerance for pictures in [-1, 1], 2/256, to its relative one, 0.05. */
    private static final double ABSOLUTE = 0.0078 / 0.05;

    private final AnyLevel model;
    private final double tolerance;
    private final double first;
    private final double last;
    private double lambda;
    private double h = FIRST_STEP;
    private double[] x; // before the step
    private double[] previous; // before the step before
    private double[] middle = {}; // half way
    private double @Nullable [] x0; // what the model says of x, once it has been asked
    private boolean done;

    /**
     * Begins with noise x [d] of standard deviation 1.
     *
     * @param scheduler names the forward process and what the model predicts
     * @param tolerance of the error of a step, relative to the state
     */
    public AdaptiveSolver(Scheduler scheduler, double[] x, double tolerance) {
        if (!(tolerance > 0)) {
            throw new DiffusionException("--adaptive: expected a tolerance above 0, found " + tolerance);
        }
        model = new AnyLevel(scheduler, "--adaptive");
        this.tolerance = tolerance;
        this.x = x.clone();
        previous = this.x;
        first = -Math.log(model.largest());
        last = -Math.log(model.smallest());
        lambda = first;
    }

    @Override
    public List<Query> queries() {
        if (done) {
            return List.of();
        }
        return List.of(model.query(x0 == null ? x : middle, Math.exp(-asked())));
    }

    /** Where the next query is. */
    private double asked() {
        return x0 == null ? lambda : lambda + h / 2;
    }

    /** alphaBar where the next query is. */
    public double alphaBar() {
        return alpha(asked()) * alpha(asked());
    }

    @Override
    public void answer(List<double[]> outputs) {
        double[] start = x0;
        if (start != null) {
            judge(start, model.denoised(middle, outputs.getFirst(), Math.exp(-asked())));
            return;
        }
        start = model.denoised(x, outputs.getFirst(), Math.exp(-asked()));
        x0 = start;
        if (lambda >= last) {
            x = start;
            done = true;
        } else {
            h = Math.min(h, last - lambda);
            middle = step(start, start, h / 2);
        }
    }

    /** Accepts or rejects the step, and says how long the next one is. */
    private void judge(double[] start, double[] halfway) {
        double[] low = step(start, start, h);
        double[] high = step(start, halfway, h); // with r1 = 1/2, m0 + (m1 - m0) / (2 r1) = m1
        double error = 0;
        for (int i = 0; i < x.length; i++) {
            double bound = tolerance * Math.max(ABSOLUTE, Math.max(Math.abs(low[i]), Math.abs(previous[i])));
            error += (high[i] - low[i]) * (high[i] - low[i]) / (bound * bound) / x.length;
        }
        error = Math.sqrt(error);
        double longer = h * Math.min(MOST_GROWTH, SAFETY / Math.sqrt(error));
        if (error <= 1) {
            lambda = h == last - lambda ? last : lambda + h;
            previous = x;
            x = high;
            x0 = null;
            h = longer;
        } else {
            h = longer;
            middle = step(start, start, h / 2);
        }
    }

    /** x after {@code length} with an x0 that does not change: Lu et al. 2022, equation 3.5 in terms of x0. */
    private double[] step(double[] start, double[] slope, double length) {
        double kept = sigma(lambda + length) / sigma(lambda);
        double gained = -alpha(lambda + length) * Math.expm1(-length);
        double[] next = new double[start.length];
        for (int i = 0; i < next.length; i++) {
            next[i] = kept * x[i] + gained * slope[i];
        }
        return next;
    }

    private static double alpha(double lambda) {
        return 1 / Math.sqrt(1 + Math.exp(-2 * lambda));
    }

    private static double sigma(double lambda) {
        return 1 / Math.sqrt(1 + Math.exp(2 * lambda));
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
    public double progress() {
        return done ? 1 : (lambda - first) / (last - first) * 0.99;
    }
}
