package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * What the exponential integrators share (Lu et al. 2022): the state is alpha x0 + sigma eps, and a run goes from log(alpha /
 * sigma) to log(alpha / sigma) over whole timesteps.
 *
 * <p>alpha^2 + sigma^2 = 1, or alpha + sigma = 1 for the flow sigmas of rectified flows; subclasses may have others.
 */
abstract sealed class LambdaScheduler implements Scheduler
        permits DPMSolverScheduler, DEISMultistepScheduler, UniPCMultistepScheduler, SASolverScheduler {
    private final SchedulerConfig config;
    private final @Nullable NoiseSchedule noise;
    private final @Nullable Sigmas sigmas;
    private final PredictionType prediction;
    private final boolean flow;
    private double[] timesteps = {};
    private double[] run = {};
    private int begin;

    LambdaScheduler(SchedulerConfig config) {
        this(config, new NoiseSchedule(Betas.of(config)));
    }

    /** Without a forward process, the run is what the subclass plans. */
    LambdaScheduler(SchedulerConfig config, @Nullable NoiseSchedule noise) {
        this.config = config;
        this.noise = noise;
        prediction = PredictionType.of(config.text("prediction_type"));
        flow = new Spacing(config).flow();
        boolean rescaled = config.has("rescale_betas_zero_snr") && config.flag("rescale_betas_zero_snr");
        sigmas = noise == null ? null : new Sigmas(config, noise, rescaled);
        if (noise != null && sigmas != null) {
            timesteps = new double[noise.length()];
            for (int i = 0; i < timesteps.length; i++) {
                timesteps[i] = timesteps.length - 1.0 - i;
            }
            run = sigmas.plan(timesteps).sigmas();
        }
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

    /** The order of a method, from 1. */
    static int order(SchedulerConfig config, String key, int highest) {
        int order = config.integer(key);
        if (order < 1 || order > highest) {
            throw new DiffusionException("found " + key + " " + order + ", expected 1 to " + highest);
        }
        return order;
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
        return noise == null ? Scheduler.super.noise() : noise;
    }

    /** The noise levels of training. */
    final Sigmas trained() {
        return Objects.requireNonNull(sigmas, "a forward process");
    }

    @Override
    public final PredictionType predictionType() {
        return prediction;
    }

    /** The run over whole timesteps. */
    abstract Run plan(int... planned);

    @Override
    public void setTimesteps(int n) {
        int last = noise().length() - clipped();
        String spacing = config.has("timestep_spacing") ? config.text("timestep_spacing") : "linspace";
        int offset = config.has("steps_offset") ? config.integer("steps_offset") : 0;
        begin(plan(Timesteps.beforeLast(spacing, last, n, offset)));
    }

    /** How many timesteps of training, counted from the noisy end, a run leaves out. */
    final int clipped() {
        return config.has("lambda_min_clipped") ? trained().clipped(config.number("lambda_min_clipped")) : 0;
    }

    @Override
    public void setTimesteps(int[] custom) {
        if (trained().spaced()) {
            throw new DiffusionException("found timesteps and a spacing of the sigmas (use_karras_sigmas or the like),"
                    + " expected one of them");
        }
        begin(plan(Timesteps.custom(custom, noise().length())));
    }

    final void begin(Run planned) {
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

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix((float) alpha(i), (float) sigma(i));
    }

    /** The noise level before step i as the run has it: sigma / alpha, or sigma itself of a flow. */
    final double level(int i) {
        return run[i];
    }

    /** sigma / alpha before step i. */
    final double ratio(int i) {
        return flow ? run[i] / (1 - run[i]) : run[i];
    }

    double alpha(int i) {
        return flow ? 1 - run[i] : 1 / Math.sqrt(run[i] * run[i] + 1);
    }

    final double sigma(int i) {
        return flow ? run[i] : run[i] * alpha(i);
    }

    final double lambda(int i) {
        return -Math.log(ratio(i));
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
            case EPSILON -> new Output(0, 1, 0);
            case FLOW_PREDICTION -> new Output((1 - alpha(i)) / sigma(i), alpha(i) * run[i] / sigma(i), 0);
        };
    }

    /** x0 from x and the model's output at step i. */
    Step.Denoiser denoiser(int i) {
        double px = switch (prediction) {
            case EPSILON -> 1 / alpha(i);
            case V_PREDICTION -> alpha(i);
            case FLOW_PREDICTION -> 1;
            case SAMPLE -> 0;
        };
        double pm = switch (prediction) {
            case EPSILON -> -ratio(i);
            case V_PREDICTION -> -sigma(i);
            case FLOW_PREDICTION -> -run[i];
            case SAMPLE -> 1;
        };
        return denoiser(px, pm);
    }

    /** x0 = px x + pm m, thresholded if the config says so. */
    final Step.Denoiser denoiser(double px, double pm) {
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
