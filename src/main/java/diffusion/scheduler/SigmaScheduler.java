package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What the samplers of k-diffusion share (Karras et al. 2022): the state is x0 + sigma eps, the model sees it divided by
 * sqrt(sigma^2 + 1), and a run goes from sigma to sigma.
 */
abstract sealed class SigmaScheduler implements Scheduler
        permits EulerDiscreteScheduler, EulerAncestralDiscreteScheduler, LMSDiscreteScheduler, TwoCallScheduler {
    private final SchedulerConfig config;
    private final NoiseSchedule noise;
    private final PredictionType prediction;
    private final Sigmas sigmas;
    private double[] timesteps = {};
    private double[] run = {};

    SigmaScheduler(SchedulerConfig config) {
        this.config = config;
        noise = new NoiseSchedule(Betas.of(config));
        prediction = PredictionType.of(config.text("prediction_type"));
        if (prediction == PredictionType.FLOW_PREDICTION) {
            throw new DiffusionException("found prediction_type flow_prediction for " + config.className()
                    + ", expected epsilon, sample or v_prediction; choose a flow-matching scheduler");
        }
        sigmas = new Sigmas(
                config, noise, config.has("rescale_betas_zero_snr") && config.flag("rescale_betas_zero_snr"));
        plan(sigmas.plan(Timesteps.continuous("linspace", noise.length(), noise.length(), 0)));
    }

    /** The keys every such scheduler has, with diffusers' defaults. */
    static Map<String, Object> commonDefaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("beta_start", 0.0001);
        keys.put("beta_end", 0.02);
        keys.put("beta_schedule", "linear");
        keys.put("trained_betas", new float[0]);
        keys.put("prediction_type", "epsilon");
        keys.put("timestep_spacing", "linspace");
        keys.put("steps_offset", 0);
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
    public PredictionType predictionType() {
        return prediction;
    }

    @Override
    public void setTimesteps(int n) {
        if (n < 1) {
            throw new DiffusionException("found " + n + " inference steps, expected at least 1; change --steps");
        }
        plan(sigmas.plan(Timesteps.continuous(
                config.text("timestep_spacing"), noise.length(), n, config.integer("steps_offset"))));
    }

    @Override
    public void setTimesteps(int[] custom) {
        if (sigmas.spaced()) {
            throw new DiffusionException("found timesteps and a spacing of the sigmas (use_karras_sigmas or the like),"
                    + " expected one of them");
        }
        int[] checked = Timesteps.custom(custom, noise.length());
        double[] given = new double[checked.length];
        for (int i = 0; i < given.length; i++) {
            given[i] = checked[i];
        }
        plan(sigmas.plan(given));
    }

    /** Sigmas with the one the run ends at; for samplers that take none it is refused. */
    final void follow(double... given) {
        if (given.length < 2) {
            throw new DiffusionException(
                    "found " + given.length + " sigmas, expected at least two, the last the run's end");
        }
        plan(sigmas.follow(given));
    }

    private void plan(Sigmas.Run planned) {
        Sigmas.Run arranged = arrange(planned, sigmas);
        timesteps = arranged.timesteps();
        run = arranged.sigmas();
    }

    /** What becomes of the planned run in samplers that call the model more than once a step. */
    Sigmas.Run arrange(Sigmas.Run planned, Sigmas trained) {
        return planned;
    }

    @Override
    public double[] timesteps() {
        return timesteps.clone();
    }

    /** sigma before step i; that after the last step has the index of their number. */
    final double sigma(int i) {
        return run[i];
    }

    /** The sigmas of the run with the one it ends at, a copy. */
    final double[] sigmas() {
        return run.clone();
    }

    @Override
    public double initNoiseSigma() {
        double max = run[0];
        return config.text("timestep_spacing").equals("leading") ? Math.sqrt(max * max + 1) : max;
    }

    @Override
    public double inputScale(int i) {
        return 1 / Math.sqrt(run[i] * run[i] + 1);
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix(1, (float) run[i]);
    }

    /** x0 from x and the model's output at a sigma. */
    Step.Denoiser denoiser(double sigma) {
        double px = switch (prediction) {
            case EPSILON -> 1;
            case V_PREDICTION -> 1 / (sigma * sigma + 1);
            default -> 0;
        };
        double pm = switch (prediction) {
            case EPSILON -> -sigma;
            case V_PREDICTION -> -sigma / Math.sqrt(sigma * sigma + 1);
            default -> 1;
        };
        return Step.Denoiser.unclipped(px, pm);
    }

    final void checkStep(int i) {
        if (i < 0 || i >= timesteps.length) {
            throw new DiffusionException("found step " + i + ", expected 0 to " + (timesteps.length - 1));
        }
    }

    /** x + (to - sigma) d with d = (x - x0) / sigma. */
    final Step euler(int i, double to) {
        checkStep(i);
        double ratio = to / run[i];
        return denoiser(run[i]).step(ratio, 0, 1 - ratio);
    }
}
