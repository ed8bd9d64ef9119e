package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.Map;
import java.util.function.DoubleUnaryOperator;

/**
 * Stochastic Adams methods, a predictor and a corrector of the reverse process with noise tau (Xue et al. 2023, algorithm
 * 1); diffusers' SASolverScheduler.
 *
 * <p>The corrector redoes the last step with the new output. Both start from the same state and add the same noise, so what
 * it changes is a sum of outputs, and corrector and next predictor are one step.
 */
public final class SASolverScheduler extends LambdaScheduler {
    private static final int LOW = 200;
    private static final int HIGH = 800;

    private final boolean denoised;
    private final int predictorOrder;
    private final int correctorOrder;
    private DoubleUnaryOperator tau = t -> t >= LOW && t <= HIGH ? 1 : 0;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public SASolverScheduler(SchedulerConfig config) {
        super(config);
        require("algorithm_type", "data_prediction", "noise_prediction");
        denoised = config.text("algorithm_type").equals("data_prediction");
        predictorOrder = order(config, "predictor_order", 4);
        correctorOrder = order(config, "corrector_order", 4);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.remove("solver_order");
        keys.remove("use_dynamic_shifting");
        keys.remove("time_shift_type");
        keys.put("predictor_order", 2);
        keys.put("corrector_order", 2);
        keys.put("tau_func", "");
        keys.put("algorithm_type", "data_prediction");
        keys.put("lambda_min_clipped", Double.NEGATIVE_INFINITY);
        keys.put("variance_type", "");
        return keys;
    }

    /** How much noise is added, by timestep: 0 for none, 1 (the default from 200 to 800) for that of the reverse process. */
    public void setTau(DoubleUnaryOperator tau) {
        this.tau = tau;
    }

    @Override
    Run plan(int... planned) {
        return trained().planWhole("sigma_min", true, true, planned);
    }

    @Override
    public int historySize() {
        return Math.max(predictorOrder, correctorOrder - 1);
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return noise().addNoise((int) timesteps()[i]);
    }

    private int predictorOrder(int i) {
        int order = config().flag("lower_order_final") ? Math.min(predictorOrder, steps() - i) : predictorOrder;
        return Math.min(order, i - begin() + 1);
    }

    /** The order of the correction of the step from i, in which the output at i + 1 counts. */
    private int correctorOrder(int i) {
        int order = config().flag("lower_order_final") ? Math.min(correctorOrder, steps() - i + 1) : correctorOrder;
        return Math.min(order, i - begin() + 2);
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double strength = strength(i);
        double h = lambda(i + 1) - lambda(i);
        double fromX = denoised ? sigma(i + 1) / sigma(i) * Math.exp(-strength * h) : alpha(i + 1) / alpha(i);
        double[] predictor = predictor(i);
        double newest = predictor[0];
        double[] older = new double[historySize()];
        System.arraycopy(predictor, 1, older, 0, predictor.length - 1);
        if (i > begin()) {
            double[] before = predictor(i - 1);
            for (int k = 0; k < before.length; k++) {
                older[k] -= fromX * before[k];
            }
            double[] corrector = corrector(i - 1);
            newest += fromX * corrector[0];
            for (int k = 1; k < corrector.length; k++) {
                older[k - 1] += fromX * corrector[k];
            }
        }
        Output out = output(i, denoised);
        double spread = Math.sqrt(denoised ? -Math.expm1(-2 * strength * h) : strength * Math.expm1(2 * h));
        return denoiser(i)
                .step(fromX + newest * out.x(), newest * out.m(), newest * out.x0())
                .withHistory(older)
                .withPush(out.x(), out.m(), out.x0())
                .withNoise(sigma(i + 1) * spread);
    }

    /** tau^2 of the step from i. */
    private double strength(int i) {
        double t = tau.applyAsDouble(timesteps()[i]);
        if (!(t >= 0)) {
            throw new DiffusionException("found tau " + t + " at timestep " + timesteps()[i] + ", expected at least 0");
        }
        return t * t;
    }

    /** The step from i as coefficients of outputs, newest first: equation 14, and the reference's change of order two. */
    private double[] predictor(int i) {
        int order = predictorOrder(i);
        double[] c = integrals(i, i, order);
        if (denoised && order == 2) {
            double change = change(i) / (lambda(i) - lambda(i - 1));
            c[0] += change;
            c[1] -= change;
        }
        return c;
    }

    /** The same with the output at i + 1 in front: equation 17. */
    private double[] corrector(int i) {
        int order = correctorOrder(i);
        double[] c = integrals(i, i + 1, order);
        if (denoised && order == 2) {
            double change = change(i) / (lambda(i + 1) - lambda(i));
            c[0] += change;
            c[1] -= change;
        }
        return c;
    }

    /**
     * The integrals over the step from i of the Lagrange polynomials in lambda through {@code order} outputs, that at {@code
     * newest} first, with the weight of the exponential integrator.
     */
    private double[] integrals(int i, int newest, int order) {
        double[] c = new double[order];
        double h = lambda(i + 1) - lambda(i);
        double rate = rate(i);
        double scale = denoised ? alpha(i + 1) * (1 + strength(i)) : -sigma(i + 1) * (1 + strength(i));
        double[] moments = moments(rate, h, order);
        for (int k = 0; k < order; k++) {
            // The polynomial that is 1 at output k and 0 at the others, in powers of lambda(i + 1) - lambda.
            double[] p = {1};
            for (int j = 0; j < order; j++) {
                if (j != k) {
                    double root = lambda(i + 1) - lambda(newest - j);
                    double width = (lambda(i + 1) - lambda(newest - k)) - root;
                    p = times(p, -root / width, 1 / width);
                }
            }
            for (int power = 0; power < p.length; power++) {
                c[k] += scale * p[power] * moments[power];
            }
        }
        return c;
    }

    /** What decays at this rate from the end of the step backwards weighs the integrand. */
    private double rate(int i) {
        return denoised ? 1 + strength(i) : -1;
    }

    /** The integrals of u^k exp(-rate u) for u from 0 to h. */
    private static double[] moments(double rate, double h, int count) {
        double[] m = new double[count];
        m[0] = -Math.expm1(-rate * h) / rate;
        for (int k = 1; k < count; k++) {
            m[k] = (k * m[k - 1] - Math.pow(h, k) * Math.exp(-rate * h)) / rate;
        }
        return m;
    }

    private static double[] times(double[] p, double constant, double slope) {
        double[] product = new double[p.length + 1];
        for (int k = 0; k < p.length; k++) {
            product[k] += constant * p[k];
            product[k + 1] += slope * p[k];
        }
        return product;
    }

    /** By how much the reference's second order differs from the integral, as it is in the paper's code (its appendix B.5). */
    private double change(int i) {
        double rate = rate(i);
        double h = lambda(i + 1) - lambda(i);
        double exact = (h * rate + Math.expm1(-rate * h)) / (rate * rate);
        return alpha(i + 1) * rate * (h * h / 2 - exact);
    }
}
