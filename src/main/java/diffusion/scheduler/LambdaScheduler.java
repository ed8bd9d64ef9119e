package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * What the exponential integrators share (Lu et al. 2022): the state is alpha x0 + sigma eps, and a run goes from log(alpha /
 * sigma) to log(alpha / sigma) over whole timesteps.
 */
abstract sealed class LambdaScheduler implements Scheduler
        permits DPMSolverMultistepScheduler, DEISMultistepScheduler, UniPCMultistepScheduler {
    private final SchedulerConfig config;
    private final NoiseSchedule noise;
    private final PredictionType prediction;
    private final Sigmas sigmas;
    private final int solverOrder;
    private double[] timesteps;
    private double[] run;
    private int begin;

    LambdaScheduler(SchedulerConfig config) {
        this.config = config;
        noise = new NoiseSchedule(Betas.of(config));
        prediction = PredictionType.of(config.text("prediction_type"));
        solverOrder = config.integer("solver_order");
        if (solverOrder < 1 || solverOrder > 3) {
            throw new DiffusionException("found solver_order " + solverOrder + ", expected 1 to 3");
        }
        if (prediction == PredictionType.FLOW_PREDICTION || config.flag("use_flow_sigmas")) {
            throw new DiffusionException(
                    "found flow matching for " + config.className() + ", expected epsilon, sample or v_prediction");
        }
        sigmas = new Sigmas(
                config, noise, config.has("rescale_betas_zero_snr") && config.flag("rescale_betas_zero_snr"));
        timesteps = new double[noise.length()];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = timesteps.length - 1.0 - i;
        }
        run = sigmas.plan(timesteps).sigmas();
    }

    /** The keys every such scheduler has, with diffusers' defaults. */
    static Map<String, Object> commonDefaults() {
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
        keys.put("lower_order_final", true);
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        keys.put("use_flow_sigmas", false);
        keys.put("flow_shift", 1.0);
        keys.put("timestep_spacing", "linspace");
        keys.put("steps_offset", 0);
        keys.put("use_dynamic_shifting", false);
        keys.put("time_shift_type", "exponential");
        return keys;
    }

    final void require(String key, String... choices) {
        String found = config.text(key);
        if (!List.of(choices).contains(found)) {
            throw new DiffusionException(
                    "found " + key + " \"" + found + "\", expected one of " + String.join(", ", choices));
        }
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
    public final PredictionType predictionType() {
        return prediction;
    }

    /** The run over whole timesteps. */
    abstract Run plan(Sigmas trained, int... planned);

    /** How many timesteps of training, counted from the noisy end, a run leaves out. */
    int clipped(Sigmas trained) {
        return 0;
    }

    @Override
    public void setTimesteps(int n) {
        int last = noise.length() - clipped(sigmas);
        begin(plan(
                sigmas,
                Timesteps.beforeLast(config.text("timestep_spacing"), last, n, config.integer("steps_offset"))));
    }

    @Override
    public void setTimesteps(int[] custom) {
        if (sigmas.spaced()) {
            throw new DiffusionException("found timesteps and a spacing of the sigmas (use_karras_sigmas or the like),"
                    + " expected one of them");
        }
        begin(plan(sigmas, Timesteps.custom(custom, noise.length())));
    }

    private void begin(Run planned) {
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

    final int begin() {
        return begin;
    }

    final int steps() {
        return timesteps.length;
    }

    final int solverOrder() {
        return solverOrder;
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix((float) alpha(i), (float) sigma(i));
    }

    /** sigma / alpha before step i. */
    final double ratio(int i) {
        return run[i];
    }

    final double alpha(int i) {
        return 1 / Math.sqrt(run[i] * run[i] + 1);
    }

    final double sigma(int i) {
        return run[i] * alpha(i);
    }

    final double lambda(int i) {
        return -Math.log(run[i]);
    }

    final void checkStep(int i) {
        if (i < 0 || i >= timesteps.length) {
            throw new DiffusionException("found step " + i + ", expected 0 to " + (timesteps.length - 1));
        }
    }

    /** x0 or eps as a sum {@code x * x + m * m + x0 * x0}. */
    record Output(double x, double m, double x0) {}

    /** What the method integrates: x0, or eps for methods of noise prediction. */
    final Output output(int i, boolean denoised) {
        if (denoised) {
            return new Output(0, 0, 1);
        }
        if (config.flag("thresholding")) {
            return new Output(1 / sigma(i), 0, -alpha(i) / sigma(i));
        }
        return switch (prediction) {
            case SAMPLE -> new Output(1 / sigma(i), -alpha(i) / sigma(i), 0);
            case V_PREDICTION -> new Output(sigma(i), alpha(i), 0);
            default -> new Output(0, 1, 0);
        };
    }

    /** x0 from x and the model's output at step i. */
    final Step.Denoiser denoiser(int i) {
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
        double quantile = config.flag("thresholding") ? config.number("dynamic_thresholding_ratio") : 0;
        return new Step.Denoiser(
                px,
                pm,
                Double.NEGATIVE_INFINITY,
                Double.POSITIVE_INFINITY,
                quantile,
                config.number("sample_max_value"));
    }
}
