package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * What DPM-Solver, DPM-Solver++ and their stochastic forms share (Lu et al. 2022, both papers): the plus-plus forms
 * integrate x0, the others eps, over lambda = log(alpha / sigma).
 *
 * <p>As it stands it is the multistep method, with what earlier steps have found.
 */
abstract sealed class DPMSolverScheduler extends LambdaScheduler
        permits DPMSolverMultistepScheduler,
                DPMSolverMultistepInverseScheduler,
                DPMSolverSinglestepScheduler,
                EDMDPMSolverMultistepScheduler {
    private static final int FEW = 15;

    private final boolean plus;
    private final boolean stochastic;
    private final int solverOrder;

    /** With the algorithm types that the class has. */
    DPMSolverScheduler(SchedulerConfig config, String... algorithms) {
        this(config, new NoiseSchedule(Betas.of(config)), algorithms);
    }

    DPMSolverScheduler(SchedulerConfig config, @Nullable NoiseSchedule noise, String... algorithms) {
        super(config, noise);
        String algorithm = config.text("algorithm_type");
        // Types of other schedulers stand for the defaults when their config is taken over.
        if (!algorithm.equals("deis")) {
            require("algorithm_type", algorithms);
        }
        require("solver_type", "midpoint", "heun", "logrho", "bh1", "bh2");
        plus = algorithm.endsWith("++") || algorithm.equals("deis");
        stochastic = algorithm.startsWith("sde-");
        solverOrder = order(config, "solver_order", 3);
        if (config.has("final_sigmas_type")) {
            require("final_sigmas_type", "zero", "sigma_min");
            if (!plus && config.text("final_sigmas_type").equals("zero")) {
                throw new DiffusionException("found final_sigmas_type zero for " + algorithm + ", expected sigma_min");
            }
        }
    }

    /** The keys of all of them, with diffusers' defaults. */
    static Map<String, Object> solverDefaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("algorithm_type", "dpmsolver++");
        keys.put("solver_type", "midpoint");
        keys.put("lambda_min_clipped", Double.NEGATIVE_INFINITY);
        keys.put("variance_type", "");
        return keys;
    }

    /** Refuses the third order where the reference has none. */
    final void refuseThird(String algorithm) {
        if (solverOrder == 3 && config().text("algorithm_type").equals(algorithm)) {
            throw new DiffusionException("found solver_order 3 for " + algorithm + ", expected at most 2");
        }
    }

    final boolean stochastic() {
        return stochastic;
    }

    final int solverOrder() {
        return solverOrder;
    }

    final boolean endsAtZero() {
        return config().has("final_sigmas_type")
                && config().text("final_sigmas_type").equals("zero");
    }

    @Override
    public int historySize() {
        return solverOrder - 1;
    }

    private int order(int i) {
        int n = steps();
        boolean few = config().flag("lower_order_final") && n < FEW;
        boolean firstAtEnd = config().flag("euler_at_final") || few || endsAtZero();
        int known = Math.min(solverOrder, i - begin() + 1);
        if (i == n - 1 && firstAtEnd) {
            return 1;
        }
        return i == n - 2 && few ? Math.min(known, 2) : known;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double[] m = outputs(order(i), i);
        Output out = output(i);
        double[] older = Arrays.copyOfRange(m, 1, m.length);
        Step step = weighted(i, fromX(i, i + 1), m[0]).withHistory(older);
        if (solverOrder > 1) {
            step = step.withPush(out.x(), out.m(), out.x0());
        }
        return stochastic ? step.withNoise(noiseOf(i, i + 1)) : step;
    }

    /** x0 or eps, whichever is integrated, at step i. */
    final Output output(int i) {
        return output(i, plus);
    }

    /** A step that is a sum of x and of the output of step i. */
    final Step weighted(int i, double fromX, double fromOutput) {
        Output out = output(i);
        return denoiser(i).step(fromX + fromOutput * out.x(), fromOutput * out.m(), fromOutput * out.x0());
    }

    /** The factor of the state at {@code from} in that at {@code to}. */
    final double fromX(int from, int to) {
        double factor = plus ? sigma(to) / sigma(from) : alpha(to) / alpha(from);
        return plus && stochastic ? factor * Math.exp(lambda(from) - lambda(to)) : factor;
    }

    /** The standard deviation of the noise added from one to the other. */
    final double noiseOf(int from, int to) {
        double h = lambda(to) - lambda(from);
        return ratio(to) == 0 ? 0 : sigma(to) * Math.sqrt(plus ? -Math.expm1(-2 * h) : Math.expm1(2 * h));
    }

    final boolean heun() {
        return config().text("solver_type").equals("heun");
    }

    /**
     * The coefficients of D0, D1 and D2 over h: value, slope and curvature of what is integrated.
     *
     * @param heun whether the slope counts as the exact integral of a line, rather than by the midpoint rule
     */
    final double[] derivatives(int to, double h, boolean heun) {
        double scale = plus ? alpha(to) : sigma(to);
        double u = plus ? -h : h;
        if (!stochastic) {
            double e = Math.expm1(u); // -1 at the end, where h is infinite
            double slope = heun ? (plus ? scale * (e / h + 1) : -scale * (e / h - 1)) : -0.5 * scale * e;
            double curvature = -scale * ((e + (plus ? h : -h)) / (h * h) - 0.5);
            return new double[] {-scale * e, slope, curvature};
        }
        if (plus) {
            double e = -Math.expm1(-2 * h);
            double slope = heun ? scale * (e / (-2 * h) + 1) : 0.5 * scale * e;
            return new double[] {scale * e, slope, scale * ((e - 2 * h) / (4 * h * h) - 0.5)};
        }
        double e = Math.expm1(h);
        return new double[] {-2 * scale * e, heun ? -2 * scale * (e / h - 1) : -scale * e, 0};
    }

    /** The step from i as coefficients of the newest and earlier outputs. */
    private double[] outputs(int order, int i) {
        double h = lambda(i + 1) - lambda(i);
        double[] d = derivatives(i + 1, h, order == 3 || heun());
        if (order == 1 || h == 0) { // nothing moves where the last sigma is repeated
            return new double[] {d[0]};
        }
        double r0 = (lambda(i) - lambda(i - 1)) / h;
        if (order == 2) {
            return new double[] {d[0] + d[1] / r0, -d[1] / r0};
        }
        double r1 = (lambda(i - 1) - lambda(i - 2)) / h;
        double k = r0 / (r0 + r1);
        double near = d[1] * (1 + k) + d[2] / (r0 + r1);
        double far = -d[1] * k - d[2] / (r0 + r1);
        return new double[] {d[0] + near / r0, -near / r0 + far / r1, -far / r1};
    }
}
