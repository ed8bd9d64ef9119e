package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/** DDIM run backwards, from a picture to the noise it could come from (Song et al. 2021); diffusers' DDIMInverseScheduler. */
public final class DDIMInverseScheduler extends AlphaScheduler {
    private int stride = 1;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DDIMInverseScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("set_alpha_to_one", true);
        return keys;
    }

    @Override
    public void setTimesteps(int n) {
        super.setTimesteps(n);
        stride = noise().length() / n;
        double[] descending = timesteps();
        int[] ascending = new int[descending.length];
        for (int i = 0; i < ascending.length; i++) {
            ascending[i] = (int) descending[ascending.length - 1 - i];
        }
        plan(ascending);
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for DDIMInverseScheduler, expected a number of steps");
    }

    @Override
    public Step step(int i) {
        int to = timestep(i);
        int from = Math.min(to - stride, noise().length() - 1);
        float a = from >= 0 ? noise().alphaBar(from) : config().flag("set_alpha_to_one") ? 1 : noise().alphaBar(0);
        float target = noise().alphaBar(to);
        double alpha = Math.sqrt(a);
        double sigma = Math.sqrt(1 - a);
        double direction = Math.sqrt(1 - target);
        double range = config().flag("clip_sample") ? config().number("clip_sample_range") : Double.POSITIVE_INFINITY;
        return switch (predictionType()) {
            case EPSILON -> step(1 / alpha, -sigma / alpha, range, 0, direction, target);
            case SAMPLE -> step(0, 1, range, direction / sigma, -direction * alpha / sigma, target);
            default -> step(alpha, -sigma, range, direction * sigma, direction * alpha, target);
        };
    }

    private static Step step(double px, double pm, double range, double cx, double cm, float target) {
        return new Step.Denoiser(px, pm, -range, range, 0, 1).step(cx, cm, Math.sqrt(target));
    }
}
