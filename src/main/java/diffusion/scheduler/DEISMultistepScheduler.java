package diffusion.scheduler;

import diffusion.scheduler.Sigmas.Run;
import java.util.Arrays;
import java.util.Map;

/** Exponential integrators over polynomials in log rho (Zhang and Chen 2023, equation 15); diffusers' DEISMultistepScheduler. */
public final class DEISMultistepScheduler extends LambdaScheduler {
    private static final int FEW = 15;

    private final int solverOrder;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DEISMultistepScheduler(SchedulerConfig config) {
        super(config);
        solverOrder = order(config, "solver_order", 3);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("algorithm_type", "deis");
        keys.put("solver_type", "logrho");
        return keys;
    }

    @Override
    Run plan(int... planned) {
        return trained().planWhole("sigma_min", true, true, planned);
    }

    @Override
    public int historySize() {
        return solverOrder - 1;
    }

    private int order(int i) {
        int known = Math.min(solverOrder, i - begin() + 1);
        boolean few = config().flag("lower_order_final") && steps() < FEW;
        if (few && i == steps() - 1) {
            return 1;
        }
        return few && i == steps() - 2 ? Math.min(known, 2) : known;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double[] c = coefficients(order(i), i);
        Output out = output(i, false);
        double fromX = alpha(i + 1) / alpha(i);
        double[] older = Arrays.copyOfRange(c, 1, c.length);
        Step step = denoiser(i)
                .step(fromX + c[0] * out.x(), c[0] * out.m(), c[0] * out.x0())
                .withHistory(older);
        return solverOrder > 1 ? step.withPush(out.x(), out.m(), out.x0()) : step;
    }

    /** The integrals of the Lagrange polynomials in log rho from rho_i to rho_(i + 1), times alpha. */
    private double[] coefficients(int order, int i) {
        double a = alpha(i + 1);
        double to = ratio(i + 1);
        double r0 = ratio(i);
        if (order == 1) {
            return new double[] {-sigma(i + 1) * Math.expm1(lambda(i + 1) - lambda(i))};
        }
        double r1 = ratio(i - 1);
        if (order == 2) {
            return new double[] {
                a * (integral(to, r0, r1) - integral(r0, r0, r1)), a * (integral(to, r1, r0) - integral(r0, r1, r0))
            };
        }
        double r2 = ratio(i - 2);
        return new double[] {
            a * (integral(to, r0, r1, r2) - integral(r0, r0, r1, r2)),
            a * (integral(to, r1, r2, r0) - integral(r0, r1, r2, r0)),
            a * (integral(to, r2, r0, r1) - integral(r0, r2, r0, r1))
        };
    }

    private static double integral(double t, double at, double other) {
        return t * (-Math.log(other) + Math.log(t) - 1) / (Math.log(at) - Math.log(other));
    }

    private static double integral(double t, double at, double c, double d) {
        double log = Math.log(t);
        double value =
                Math.log(c) * (Math.log(d) - log + 1) - Math.log(d) * log + Math.log(d) + log * log - 2 * log + 2;
        return t * value / ((Math.log(at) - Math.log(c)) * (Math.log(at) - Math.log(d)));
    }
}
