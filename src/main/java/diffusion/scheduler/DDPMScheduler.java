package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/**
 * Ancestral sampling of Ho et al. 2020 (algorithm 2); diffusers' DDPMScheduler with all its variance types.
 *
 * <p>{@code fixed_large_log} means what its name says, the variance beta_t; diffusers takes the root of a negative
 * logarithm there and gets NaN.
 */
public final class DDPMScheduler extends AlphaScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DDPMScheduler(SchedulerConfig config) {
        super(config);
        variance(0, 0); // refuses an unknown variance_type now rather than during a run
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("variance_type", "fixed_small");
        return keys;
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        float alphaBar = noise().alphaBar(t);
        float before = alphaBarFollowing(i);
        float beta = 1 - alphaBar / before;
        Step step = posterior(t, before, beta);
        if (t == 0) {
            return step;
        }
        float variance = Math.max((1 - before) / (1 - alphaBar) * beta, 1e-20f);
        return switch (config().text("variance_type")) {
            case "learned" -> step.withNoise(1, VarianceKind.LEARNED, 0, 0);
            case "learned_range" ->
                step.withNoise(1, VarianceKind.LEARNED_RANGE, (float) Math.log(variance), (float) Math.log(beta));
            default -> step.withNoise((float) Math.sqrt(variance(variance, beta)));
        };
    }

    /** The variance of step i where it is not learned; 0-noise steps included. Diffusers' {@code _get_variance}. */
    public double variance(int i) {
        float alphaBar = noise().alphaBar(timestep(i));
        float before = alphaBarFollowing(i);
        float beta = 1 - alphaBar / before;
        return variance(Math.max((1 - before) / (1 - alphaBar) * beta, 1e-20f), beta);
    }

    private float variance(float posterior, float beta) {
        return switch (config().text("variance_type")) {
            case "fixed_small", "fixed_small_log", "learned", "learned_range" -> posterior;
            case "fixed_large", "fixed_large_log" -> beta;
            default ->
                throw new DiffusionException("found variance_type \"" + config().text("variance_type")
                        + "\", expected fixed_small, fixed_small_log, fixed_large, fixed_large_log, learned or "
                        + "learned_range");
        };
    }
}
