package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/** Ancestral sampling as DALL-E 2 has it (Ramesh et al. 2022), over a squared cosine; diffusers' UnCLIPScheduler. */
public final class UnCLIPScheduler extends AlphaScheduler {
    private final boolean learned;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public UnCLIPScheduler(SchedulerConfig config) {
        super(config, Betas.cosine(config.integer("num_train_timesteps")));
        if (!config.text("beta_schedule").equals("squaredcos_cap_v2")) {
            throw new DiffusionException("found beta_schedule \"" + config.text("beta_schedule")
                    + "\" for UnCLIPScheduler, expected squaredcos_cap_v2");
        }
        if (predictionType() == PredictionType.V_PREDICTION) {
            throw new DiffusionException(
                    "found prediction_type v_prediction for UnCLIPScheduler, expected epsilon or sample");
        }
        learned = switch (config.text("variance_type")) {
            case "fixed_small_log" -> false;
            case "learned_range" -> true;
            default ->
                throw new DiffusionException("found variance_type \"" + config.text("variance_type")
                        + "\" for UnCLIPScheduler, expected fixed_small_log or learned_range");
        };
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("variance_type", "fixed_small_log");
        keys.put("clip_sample", true);
        keys.put("clip_sample_range", 1.0);
        keys.put("prediction_type", "epsilon");
        keys.put("beta_schedule", "squaredcos_cap_v2");
        return keys;
    }

    /** From the last timestep of training to the first, both among them. */
    @Override
    public void setTimesteps(int n) {
        if (n < 2) {
            throw new DiffusionException("found " + n + " inference steps for UnCLIPScheduler, expected 2 to "
                    + noise().length() + "; change --steps");
        }
        plan(Timesteps.spaced("linspace", noise().length(), n, 0));
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        float before = alphaBarFollowing(i);
        float beta = beta(i);
        Step step = posterior(t, before, beta);
        if (t == 0) {
            return step;
        }
        float variance = (1 - before) / (1 - noise().alphaBar(t)) * beta;
        return learned
                ? step.withNoise(1, VarianceKind.LEARNED_RANGE, Math.log(variance), Math.log(beta))
                : step.withNoise(Math.exp(0.5 * Math.log(Math.max(variance, 1e-20f))));
    }

    /** The variance between timestep i and the next. */
    private float beta(int i) {
        int t = timestep(i);
        return following(i) == t - 1 ? noise().betas()[t] : 1 - noise().alphaBar(t) / alphaBarFollowing(i);
    }
}
