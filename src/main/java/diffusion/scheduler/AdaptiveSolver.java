package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Steps as long as a predictor and a corrector of the second order agree, one model call each: an exponential Adams method of
 * the probability flow for a model of x0, as SA-Solver's without noise (Xue et al. 2023, sections 4.1 and 4.2), with steps of
 * their own length.
 *
 * <p>With x = cos(phi) x0 + sin(phi) eps (Salimans and Ho 2022, appendix D) the flow from phi to a smaller phi' is
 *
 * <pre>
 *     x' = sin(phi') / sin(phi) x + sin(phi') integral of x0(psi) d cot(psi) from phi to phi'
 * </pre>
 *
 * with x0 a straight line in the angle: for the predictor that through the last two answers, for the corrector through the last
 * and the one to what was predicted. In the angle, unlike in log signal-to-noise, neither end is far away, whatever the schedule
 * of training. Their difference is the error of the step (Milne's device), its norm that of Jolicoeur-Martineau et al. 2021
 * (equations 5 and 6). A step that is refused costs one call. It ends at the least noise of training, whose x0 is the sample.
 */
public final class AdaptiveSolver implements Trajectory {
    private static final double SAFETY = 0.9;
    private static final double MOST_GROWTH = 3;
    private static final double LEAST_GROWTH = 0.2;
    private static final double FIRST_STEP = 0.1;
    /** The absolute tolerance for pictures in [-1, 1], 2/256, to the relative one, 0.05, of Jolicoeur-Martineau et al. 2021. */
    private static final double ABSOLUTE = 0.0078 / 0.05;

    private final AnyLevel model;
    private final double tolerance;
    private final double first;
    private final double last;
    private double phi; // where x is
    private double h; // of the step that is being made, or the first
    private double[] x;
    private double[] before; // x before the last step
    private double[] predicted = {}; // x at phi - h
    private double @Nullable [] x0; // what the model says of x, once it has been asked
    private double[] slope = {}; // of x0 over -phi, over the last step
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
        before = this.x;
        first = Math.atan(model.largest());
        last = Math.atan(model.smallest());
        phi = first;
        h = FIRST_STEP;
    }

    @Override
    public List<Query> queries() {
        return done ? List.of() : List.of(model.query(x0 == null ? x : predicted, Math.tan(asked())));
    }

    /** Where the next query is. */
    private double asked() {
        return x0 == null ? phi : phi - h;
    }

    /** alphaBar where the next query is. */
    public double alphaBar() {
        return Math.cos(asked()) * Math.cos(asked());
    }

    @Override
    public void answer(List<double[]> outputs) {
        double[] seen = x0 == null ? x : predicted;
        double[] answer = model.denoised(seen, outputs.getFirst(), Math.tan(asked()));
        if (x0 == null) {
            x0 = answer;
            slope = new double[x.length];
            predict(answer, h);
        } else {
            judge(x0, answer);
        }
    }

    /** Accepts or refuses the step by the answer to what it led to, and makes the next one. */
    private void judge(double[] start, double[] end) {
        double gained = weights(h)[2];
        double[] risen = new double[x.length];
        double[] corrected = new double[x.length];
        double error = 0;
        for (int i = 0; i < x.length; i++) {
            risen[i] = (end[i] - start[i]) / h;
            corrected[i] = predicted[i] + gained * (risen[i] - slope[i]);
            double bound = tolerance * Math.max(ABSOLUTE, Math.max(Math.abs(corrected[i]), Math.abs(before[i])));
            error += Math.pow((corrected[i] - predicted[i]) / bound, 2) / x.length;
        }
        int order = phi == first ? 2 : 3; // the first step's predictor knows one answer
        double growth = Math.clamp(SAFETY * Math.pow(error, -0.5 / order), LEAST_GROWTH, MOST_GROWTH);
        if (error > 1) {
            predict(start, h * Math.min(growth, SAFETY));
            return;
        }
        boolean ended = h == phi - last;
        phi -= h;
        before = x;
        x = corrected;
        x0 = end;
        slope = risen;
        if (ended) {
            x = end;
            done = true;
        } else {
            predict(end, h * growth);
        }
    }

    /** x after a step of a length or, if that is less, the rest of the way. */
    private void predict(double[] start, double length) {
        h = Math.min(length, phi - last);
        double[] w = weights(h);
        predicted = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            predicted[i] = w[0] * x[i] + w[1] * start[i] + w[2] * slope[i];
        }
    }

    /** What a step of a length takes of x, of x0 and of the slope of x0 over -phi. */
    private double[] weights(double length) {
        double to = phi - length;
        double kept = Math.sin(to) / Math.sin(phi);
        return new double[] {
            kept, Math.cos(to) - Math.cos(phi) * kept, length * Math.cos(to) + Math.sin(to) * Math.log(kept)
        };
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
        return done ? 1 : (first - phi) / (first - last) * 0.99;
    }
}
