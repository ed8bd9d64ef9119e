package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * DPM-Solver and DPM-Solver++ with what earlier steps have found (Lu et al. 2022, both papers), also their stochastic
 * forms; diffusers' DPMSolverMultistepScheduler. "DPM++ 2M" is its default.
 *
 * <p>The state is alpha x0 + sigma eps; lambda = log(alpha / sigma). The plus-plus forms integrate x0, the others eps.
 */
public final class DPMSolverMultistepScheduler implements Scheduler {
    private final SchedulerConfig config;
    private final NoiseSchedule noise;
    private final PredictionType prediction;
    private final Sigmas sigmas;
    private final boolean plus;
    private final boolean stochastic;
    private final int solverOrder;
    private double[] timesteps;
    private double[] run;
    private int begin;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverMultistepScheduler(SchedulerConfig config) {
        this.config = config;
        noise = new NoiseSchedule(Betas.of(config));
        prediction = PredictionType.of(config.text("prediction_type"));
        String algorithm = config.text("algorithm_type");
        plus = algorithm.endsWith("++");
        stochastic = algorithm.startsWith("sde-");
        solverOrder = config.integer("solver_order");
        require("algorithm_type", "dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++");
        require("solver_type", "midpoint", "heun");
        require("final_sigmas_type", "zero", "sigma_min");
        if (solverOrder < 1 || solverOrder > 3 || (solverOrder == 3 && algorithm.equals("sde-dpmsolver"))) {
            throw new DiffusionException("found solver_order " + solverOrder + " for " + algorithm
                    + ", expected 1 to 3, and at most 2 for sde-dpmsolver");
        }
        if (!plus && config.text("final_sigmas_type").equals("zero")) {
            throw new DiffusionException("found final_sigmas_type zero for " + algorithm + ", expected sigma_min");
        }
        if (prediction == PredictionType.FLOW_PREDICTION || config.flag("use_flow_sigmas")) {
            throw new DiffusionException(
                    "found flow matching for " + config.className() + ", expected epsilon, sample or v_prediction");
        }
        sigmas = new Sigmas(config, noise, config.flag("rescale_betas_zero_snr"));
        timesteps = new double[noise.length()];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = timesteps.length - 1.0 - i;
        }
        run = sigmas.plan(timesteps).sigmas();
    }

    private void require(String key, String... choices) {
        String found = config.text(key);
        if (!java.util.List.of(choices).contains(found)) {
            throw new DiffusionException(
                    "found " + key + " \"" + found + "\", expected one of " + String.join(", ", choices));
        }
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("beta_start", 0.0001);
        keys.put("beta_end", 0.02);
        keys.put("beta_schedule", "linear");
        keys.put("trained_betas", new float[0]);
        keys.put("solver_order", 2);
        keys.put("prediction_type", "epsilon");
        keys.put("thresholding", false);
        keys.put("dynamic_thresholding_ratio", 0.995);
        keys.put("sample_max_value", 1.0);
        keys.put("algorithm_type", "dpmsolver++");
        keys.put("solver_type", "midpoint");
        keys.put("lower_order_final", true);
        keys.put("euler_at_final", false);
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        keys.put("use_lu_lambdas", false);
        keys.put("use_flow_sigmas", false);
        keys.put("flow_shift", 1.0);
        keys.put("final_sigmas_type", "zero");
        keys.put("lambda_min_clipped", Double.NEGATIVE_INFINITY);
        keys.put("variance_type", "");
        keys.put("timestep_spacing", "linspace");
        keys.put("steps_offset", 0);
        keys.put("rescale_betas_zero_snr", false);
        keys.put("use_dynamic_shifting", false);
        keys.put("time_shift_type", "exponential");
        return keys;
    }

    @Override
    public SchedulerConfig config() {
        return config;
    }

    @Override
    public NoiseSchedule noise() {
        return noise;
    }

    @Override
    public void setTimesteps(int n) {
        int last = noise.length() - sigmas.clipped(config.number("lambda_min_clipped"));
        int[] steps = Timesteps.beforeLast(config.text("timestep_spacing"), last, n, config.integer("steps_offset"));
        plan(sigmas.planWhole(steps));
    }

    @Override
    public void setTimesteps(int[] custom) {
        if (sigmas.spaced()) {
            throw new DiffusionException("found timesteps and a spacing of the sigmas (use_karras_sigmas or the like),"
                    + " expected one of them");
        }
        plan(sigmas.planWhole(Timesteps.custom(custom, noise.length())));
    }

    private void plan(Run planned) {
        timesteps = planned.timesteps();
        run = planned.sigmas();
    }

    @Override
    public double[] timesteps() {
        return timesteps.clone();
    }

    @Override
    public void setBeginIndex(int index) {
        begin = index;
    }

    @Override
    public int historySize() {
        return solverOrder - 1;
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix((float) alpha(i), (float) sigma(i));
    }

    private double alpha(int i) {
        return 1 / Math.sqrt(run[i] * run[i] + 1);
    }

    private double sigma(int i) {
        return run[i] * alpha(i);
    }

    private double lambda(int i) {
        return -Math.log(run[i]);
    }

    private int order(int i) {
        int n = timesteps.length;
        boolean few = config.flag("lower_order_final") && n < 15;
        boolean firstAtEnd = config.flag("euler_at_final")
                || few
                || config.text("final_sigmas_type").equals("zero");
        int known = Math.min(solverOrder, i - begin + 1);
        if (i == n - 1 && firstAtEnd) {
            return 1;
        }
        return i == n - 2 && few ? Math.min(known, 2) : known;
    }

    @Override
    public Step step(int i) {
        if (i < 0 || i >= timesteps.length) {
            throw new DiffusionException("found step " + i + ", expected 0 to " + (timesteps.length - 1));
        }
        double h = lambda(i + 1) - lambda(i);
        double[] d = derivatives(i, h);
        double[] m = outputs(order(i), i, h, d);
        double fromX = plus ? sigma(i + 1) / sigma(i) : alpha(i + 1) / alpha(i);
        if (plus && stochastic) {
            fromX *= Math.exp(-h);
        }
        // What the method integrates, as ex x + em m + e0 x0.
        double ex = 0;
        double em = 0;
        double e0 = 0;
        if (plus) {
            e0 = 1;
        } else if (config.flag("thresholding")) {
            ex = 1 / sigma(i);
            e0 = -alpha(i) / sigma(i);
        } else {
            ex = switch (prediction) {
                case SAMPLE -> 1 / sigma(i);
                case V_PREDICTION -> sigma(i);
                default -> 0;
            };
            em = switch (prediction) {
                case SAMPLE -> -alpha(i) / sigma(i);
                case V_PREDICTION -> alpha(i);
                default -> 1;
            };
        }
        double[] older = java.util.Arrays.copyOfRange(m, 1, m.length);
        Step step = denoiser(i).step(fromX + m[0] * ex, m[0] * em, m[0] * e0).withHistory(older);
        if (solverOrder > 1) {
            step = step.withPush(ex, em, e0);
        }
        return stochastic ? step.withNoise(noiseOf(i, h)) : step;
    }

    private double noiseOf(int i, double h) {
        return run[i + 1] == 0 ? 0 : sigma(i + 1) * Math.sqrt(plus ? -Math.expm1(-2 * h) : Math.expm1(2 * h));
    }

    /** The coefficients of D0, D1 and D2: value, slope and curvature of what is integrated, by order. */
    private double[] derivatives(int i, double h) {
        double scale = plus ? alpha(i + 1) : sigma(i + 1);
        double u = plus ? -h : h;
        boolean third = order(i) == 3;
        boolean heun = third || config.text("solver_type").equals("heun");
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

    private Step.Denoiser denoiser(int i) {
        double px = switch (prediction) {
            case EPSILON -> 1 / alpha(i);
            case V_PREDICTION -> alpha(i);
            default -> 0;
        };
        double pm = switch (prediction) {
            case EPSILON -> -run[i];
            case V_PREDICTION -> -sigma(i);
            default -> 1;
        };
        double ratio = config.flag("thresholding") ? config.number("dynamic_thresholding_ratio") : 0;
        return new Step.Denoiser(
                px, pm, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, ratio, config.number("sample_max_value"));
    }
}
