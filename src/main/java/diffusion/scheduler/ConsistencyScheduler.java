package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/** What the samplers of consistency-distilled models share: few timesteps out of those the model was distilled for. */
abstract sealed class ConsistencyScheduler extends AlphaScheduler permits LCMScheduler, TCDScheduler {
    ConsistencyScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> consistencyDefaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("beta_start", 0.00085);
        keys.put("beta_end", 0.012);
        keys.put("beta_schedule", "scaled_linear");
        keys.put("original_inference_steps", 50);
        keys.put("clip_sample", false);
        keys.put("set_alpha_to_one", true);
        keys.put("timestep_scaling", 10.0);
        return keys;
    }

    @Override
    public void setTimesteps(int n) {
        int original = config().integer("original_inference_steps");
        if (n < 1 || n > original) {
            throw new DiffusionException("found " + n + " inference steps, expected 1 to " + original
                    + " (original_inference_steps); change --steps");
        }
        int ratio = noise().length() / original;
        int[] planned = new int[n];
        for (int i = 0; i < n; i++) {
            planned[i] = (original - (int) Math.floor(i * ((double) original / n))) * ratio - 1;
        }
        plan(planned);
    }

    final boolean isLast(int i) {
        return following(i) < 0;
    }
}
