package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.Map;

/**
 * DPM-Solver and DPM-Solver++ with what earlier steps have found (Lu et al. 2022, both papers), also their stochastic
 * forms; diffusers' DPMSolverMultistepScheduler. "DPM++ 2M" is its default.
 *
 * <p>The state is alpha x0 + sigma eps; lambda = log(alpha / sigma). The plus-plus forms integrate x0, the others eps.
 */
public final class DPMSolverMultistepScheduler extends LambdaScheduler {
    private final boolean plus;
    private final boolean stochastic;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverMultistepScheduler(SchedulerConfig config) {
        super(config);
        // Types of other schedulers stand for the defaults when their config is taken over.
        String given = config.text("algorithm_type");
        String algorithm = given.equals("deis") ? "dpmsolver++" : given;
        plus = algorithm.endsWith("++");
        stochastic = algorithm.startsWith("sde-");
        require("algorithm_type", "deis", "dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++");
        require("solver_type", "midpoint", "heun", "logrho", "bh1", "bh2");
        require("final_sigmas_type", "zero", "sigma_min");
        if (solverOrder() == 3 && algorithm.equals("sde-dpmsolver")) {
            throw new DiffusionException("found solver_order 3 for sde-dpmsolver, expected at most 2");
        }
        if (!plus && config.text("final_sigmas_type").equals("zero")) {
            throw new DiffusionException("found final_sigmas_type zero for " + algorithm + ", expected sigma_min");
        }
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("algorithm_type", "dpmsolver++");
        keys.put("solver_type", "midpoint");
        keys.put("euler_at_final", false);
        keys.put("use_lu_lambdas", false);
        keys.put("final_sigmas_type", "zero");
        keys.put("lambda_min_clipped", Double.NEGATIVE_INFINITY);
        keys.put("variance_type", "");
        keys.put("rescale_betas_zero_snr", false);
        return keys;
    }

    @Override
    Run plan(Sigmas trained, int... planned) {
        return trained.planWhole(planned);
    }

    @Override
    int clipped(Sigmas trained) {
        return trained.clipped(config().number("lambda_min_clipped"));
    }

    @Override
    public int historySize() {
        return solverOrder() - 1;
    }

    private int order(int i) {
        int n = steps();
        boolean few = config().flag("lower_order_final") && n < 15;
        boolean firstAtEnd = config().flag("euler_at_final")
                || few
                || config().text("final_sigmas_type").equals("zero");
        int known = Math.min(solverOrder(), i - begin() + 1);
        if (i == n - 1 && firstAtEnd) {
            return 1;
        }
        return i == n - 2 && few ? Math.min(known, 2) : known;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double h = lambda(i + 1) - lambda(i);
        double[] d = derivatives(i, h);
        double[] m = outputs(order(i), i, h, d);
        double fromX = plus ? sigma(i + 1) / sigma(i) : alpha(i + 1) / alpha(i);
        if (plus && stochastic) {
            fromX *= Math.exp(-h);
        }
        Output out = output(i, plus);
        double[] older = java.util.Arrays.copyOfRange(m, 1, m.length);
        Step step = denoiser(i)
                .step(fromX + m[0] * out.x(), m[0] * out.m(), m[0] * out.x0())
                .withHistory(older);
        if (solverOrder() > 1) {
            step = step.withPush(out.x(), out.m(), out.x0());
        }
        return stochastic ? step.withNoise(noiseOf(i, h)) : step;
    }

    private double noiseOf(int i, double h) {
        return ratio(i + 1) == 0 ? 0 : sigma(i + 1) * Math.sqrt(plus ? -Math.expm1(-2 * h) : Math.expm1(2 * h));
    }

    /** The coefficients of D0, D1 and D2: value, slope and curvature of what is integrated, by order. */
    private double[] derivatives(int i, double h) {
        double scale = plus ? alpha(i + 1) : sigma(i + 1);
        double u = plus ? -h : h;
        boolean third = order(i) == 3;
        boolean heun = third || config().text("solver_type").equals("heun");
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

    /** The same as coefficients of the newest and earlier outputs. */
    private double[] outputs(int order, int i, double h, double... d) {
        if (order == 1) {
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
