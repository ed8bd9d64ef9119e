package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Multistep sampling of consistency models (Song et al. 2023, algorithm 1), which answer with x0; diffusers'
 * CMStochasticIterativeScheduler.
 *
 * <p>A timestep is a place in Karras' spacing of num_train_timesteps noise levels; the model sees 250 log(sigma).
 */
public final class CMStochasticIterativeScheduler extends ContinuousScheduler {
    private static final double TIME_SCALE = 250;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public CMStochasticIterativeScheduler(SchedulerConfig config) {
        super(config);
        setTimesteps(config.integer("num_train_timesteps"));
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 40);
        keys.put("sigma_min", 0.002);
        keys.put("sigma_max", 80.0);
        keys.put("sigma_data", 0.5);
        keys.put("s_noise", 1.0);
        keys.put("rho", 7.0);
        keys.put("clip_denoised", true);
        return keys;
    }

    @Override
    public void setTimesteps(int n) {
        setTimesteps(Timesteps.spaced("leading", config().integer("num_train_timesteps"), n, 0));
    }

    @Override
    public void setTimesteps(int[] custom) {
        int trainSteps = config().integer("num_train_timesteps");
        if (trainSteps < 2) {
            throw new DiffusionException("found num_train_timesteps " + trainSteps + ", expected at least 2");
        }
        int[] places = Timesteps.custom(custom, trainSteps);
        int n = places.length;
        double max = config().number("sigma_max");
        double min = config().number("sigma_min");
        double[] sigmas = new double[n + 1];
        double[] times = new double[n];
        for (int i = 0; i < n; i++) {
            double sigma = Spacing.karras(places[n - 1 - i] / (trainSteps - 1.0), max, min, config().number("rho"));
            times[i] = TIME_SCALE * Math.log(sigma);
            sigmas[i] = (float) sigma;
        }
        sigmas[n] = (float) min;
        plan(new Sigmas.Run(times, sigmas));
    }

    @Override
    public double initNoiseSigma() {
        return config().number("sigma_max");
    }

    @Override
    public double inputScale(int i) {
        return 1 / Math.hypot(sigma(i), config().number("sigma_data"));
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double data = config().number("sigma_data");
        double min = config().number("sigma_min");
        double above = sigma(i) - min;
        double skip = data * data / (above * above + data * data);
        double out = above * data / Math.hypot(sigma(i), data);
        double range = config().flag("clip_denoised") ? 1 : Double.POSITIVE_INFINITY;
        Step step = new Step.Denoiser(skip, out, -range, range, 0, 1).step(0, 0, 1);
        double next = Math.clamp(sigma(i + 1), min, config().number("sigma_max"));
        return steps() > 1 ? step.withNoise(config().number("s_noise") * Math.sqrt(next * next - min * min)) : step;
    }
}
