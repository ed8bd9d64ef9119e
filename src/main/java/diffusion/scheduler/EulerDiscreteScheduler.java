package diffusion.scheduler;

import java.util.Map;

/** Euler steps along the probability flow (Karras et al. 2022, algorithm 2 without noise); diffusers' EulerDiscreteScheduler. */
public final class EulerDiscreteScheduler extends SigmaScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public EulerDiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("interpolation_type", "linear");
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        keys.put("sigma_min", Double.NaN);
        keys.put("sigma_max", Double.NaN);
        keys.put("timestep_type", "discrete");
        keys.put("rescale_betas_zero_snr", false);
        keys.put("final_sigmas_type", "zero");
        return keys;
    }

    @Override
    public Step step(int i) {
        return euler(i, sigma(i + 1));
    }
}
