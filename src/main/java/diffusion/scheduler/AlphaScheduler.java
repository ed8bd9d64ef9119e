package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/** What the samplers over integer timesteps of a variance-preserving process share. */
abstract sealed class AlphaScheduler implements Scheduler
        permits DDPMScheduler,
                DDIMScheduler,
                DDIMInverseScheduler,
                ConsistencyScheduler,
                PNDMScheduler,
                RePaintScheduler,
                UnCLIPScheduler {
    private final SchedulerConfig config;
    private final NoiseSchedule noise;
    private final PredictionType prediction;
    private int[] timesteps;

    AlphaScheduler(SchedulerConfig config) {
        this(config, Betas.of(config));
    }

    AlphaScheduler(SchedulerConfig config, float... betas) {
        this.config = config;
        this.noise = new NoiseSchedule(betas);
        this.prediction = PredictionType.of(config.text("prediction_type"));
        if (prediction == PredictionType.FLOW_PREDICTION) {
            throw new DiffusionException("found prediction_type flow_prediction for " + config.className()
                    + ", expected epsilon, sample or v_prediction; choose a flow-matching scheduler");
        }
        this.timesteps = new int[noise.length()];
        for (int i = 0; i < timesteps.length; i++) {
            timesteps[i] = timesteps.length - 1 - i;
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
        keys.put("clip_sample", true);
        keys.put("clip_sample_range", 1.0);
        keys.put("prediction_type", "epsilon");
        keys.put("thresholding", false);
        keys.put("dynamic_thresholding_ratio", 0.995);
        keys.put("sample_max_value", 1.0);
        keys.put("timestep_spacing", "leading");
        keys.put("steps_offset", 0);
        keys.put("rescale_betas_zero_snr", false);
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
        timesteps =
                Timesteps.spaced(config.text("timestep_spacing"), noise.length(), n, config.integer("steps_offset"));
    }

    @Override
    public void setTimesteps(int[] custom) {
        timesteps = Timesteps.custom(custom, noise.length());
    }

    @Override
    public double[] timesteps() {
        double[] values = new double[timesteps.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = timesteps[i];
        }
        return values;
    }

    /** Plans a run over timesteps that a subclass has worked out. */
    final void plan(int... planned) {
        timesteps = planned.clone();
    }

    final int timestep(int i) {
        if (i < 0 || i >= timesteps.length) {
            throw new DiffusionException("found step " + i + ", expected 0 to " + (timesteps.length - 1));
        }
        return timesteps[i];
    }

    /** The timestep after step i, -1 after the last. */
    final int following(int i) {
        return i + 1 < timesteps.length ? timesteps[i + 1] : -1;
    }

    /** x0 from x and the model's output at t. */
    final Step.Denoiser denoiser(int t) {
        float a = noise.alphaBar(t);
        double alpha = (float) Math.sqrt(a);
        double sigma = (float) Math.sqrt(1 - a);
        if (alpha == 0 && prediction == PredictionType.EPSILON) {
            throw new DiffusionException("at timestep " + t + " no signal is left, so epsilon says nothing about x0; "
                    + "with rescale_betas_zero_snr expected prediction_type v_prediction or sample");
        }
        double px = prediction.sampleFactor(alpha);
        double pm = prediction.outputFactor(alpha, sigma);
        boolean threshold = config.has("thresholding") && config.flag("thresholding");
        double range = config.flag("clip_sample") && !threshold
                ? config.number("clip_sample_range")
                : Double.POSITIVE_INFINITY;
        return threshold
                ? new Step.Denoiser(
                        px,
                        pm,
                        -range,
                        range,
                        config.number("dynamic_thresholding_ratio"),
                        config.number("sample_max_value"))
                : new Step.Denoiser(px, pm, -range, range, 0, 1);
    }

    /** alphaBar at the timestep after step i; 1 after the last. */
    final float alphaBarFollowing(int i) {
        int t = following(i);
        return t < 0 ? 1 : noise.alphaBar(t);
    }

    /**
     * The mean of what comes before t (Ho et al. 2020, equation 7), with beta the variance between them.
     *
     * <p>float32 throughout: in double, three steps of a run already differ by 2e-5 of their sum.
     */
    final Step posterior(int t, float before, float beta) {
        float alphaBar = noise.alphaBar(t);
        float c0 = (float) Math.sqrt(before) * beta / (1 - alphaBar);
        float cx = (float) Math.sqrt(1 - beta) * (1 - before) / (1 - alphaBar);
        return denoiser(t).step(cx, 0, c0);
    }

    /** sigma^2 of Song et al. 2021, equation 16, for eta = 1. */
    static double ddimVariance(float alphaBar, float before) {
        return (1 - before) / (1 - alphaBar) * (1 - alphaBar / before);
    }

    /**
     * Song et al. 2021, equation 12, from t to where alphaBar is {@code before}; the noise itself is the caller's to add.
     *
     * @param std of that noise
     * @param clipped whether the direction comes from the clipped x0 rather than from the model's output
     */
    final Step ddim(int t, float before, float std, boolean clipped) {
        float alphaBar = noise.alphaBar(t);
        double alpha = (float) Math.sqrt(alphaBar);
        double sigma = (float) Math.sqrt(1 - alphaBar);
        // eps = epsX x + epsM m + eps0 x0
        double epsX;
        double epsM = 0;
        double eps0 = 0;
        if (clipped) {
            epsX = 1 / sigma;
            eps0 = -alpha / sigma;
        } else {
            switch (prediction) {
                case EPSILON -> {
                    epsX = 0;
                    epsM = 1;
                }
                case SAMPLE -> {
                    epsX = 1 / sigma;
                    epsM = -alpha / sigma;
                }
                default -> {
                    epsX = sigma;
                    epsM = alpha;
                }
            }
        }
        float direction = (float) Math.sqrt(Math.max(0, 1 - before - std * std)); // may round to below 0
        return denoiser(t).step(direction * epsX, direction * epsM, (float) Math.sqrt(before) + direction * eps0);
    }
}
