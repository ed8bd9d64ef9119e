package diffusion.scheduler;

import java.util.Map;

/**
 * Euler steps along the probability flow (Karras et al. 2022, algorithm 2 of first order, without noise unless churned);
 * diffusers' EulerDiscreteScheduler.
 */
public final class EulerDiscreteScheduler extends SigmaScheduler {
    private Churn churn = Churn.NONE;

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

    /** Sigmas of the steps and, last, the one the run ends at, usually 0. */
    @Override
    public void setSigmas(double... sigmas) {
        follow(sigmas);
    }

    /** How much noise is added before each step; none by default. */
    public void setChurn(Churn churn) {
        this.churn = churn;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double sigma = sigma(i);
        double higher = churn.raise(sigma, timesteps().length);
        // As in the reference, x0 is that of the higher level unless v is predicted.
        Step.Denoiser at = denoiser(predictionType() == PredictionType.V_PREDICTION ? sigma : higher);
        return churn.euler(at, sigma, higher, sigma(i + 1));
    }
}
