package diffusion.scheduler;

import diffusion.io.DiffusionException;

/**
 * A variance-preserving forward process x_t = sqrt(alphaBar_t) x0 + sqrt(1 - alphaBar_t) eps, for t = 0..N-1.
 *
 * <p>Everything training needs: how to noise a sample, what the model should answer, and how to weigh the answer.
 * Source: Ho et al. 2020, equations 4 to 7; the float32 constants are those of diffusers' DDPMScheduler.
 */
public final class NoiseSchedule {
    private final float[] betas;
    private final float[] alphasCumprod;

    /** The process with given betas. */
    public NoiseSchedule(float[] betas) {
        this.betas = betas.clone();
        this.alphasCumprod = Betas.cumulativeAlphas(betas);
    }

    /** A sum {@code sample * x0 + noise * eps}. */
    public record Mix(float sample, float noise) {}

    /**
     * The Gaussian q(x_{t-1} | x_t, x0): mean {@code x0 * x0Coefficient + x * xCoefficient}.
     *
     * @param logVariance log of its variance; that of t = 1 stands in at t = 0, where it would be -infinity
     * @param logBeta log beta_t, the upper end of a learned variance
     */
    public record Posterior(double x0Coefficient, double xCoefficient, double logVariance, double logBeta) {}

    /** Number of training timesteps N. */
    public int length() {
        return betas.length;
    }

    /** beta_t for every t, a copy. */
    public float[] betas() {
        return betas.clone();
    }

    /** alphaBar_t for every t, a copy. */
    public float[] alphasCumprod() {
        return alphasCumprod.clone();
    }

    /** alphaBar_t. */
    public float alphaBar(int t) {
        return alphasCumprod[check(t)];
    }

    /** x_t = sqrt(alphaBar) x0 + sqrt(1 - alphaBar) eps; diffusers' {@code add_noise}. */
    public Mix addNoise(int t) {
        float a = alphaBar(t);
        return new Mix((float) Math.sqrt(a), (float) Math.sqrt(1 - a));
    }

    /** What the model should answer at t, as a sum of x0 and eps; for v it is diffusers' {@code get_velocity}. */
    public Mix target(int t, PredictionType type) {
        Mix mix = addNoise(t);
        return switch (type) {
            case EPSILON -> new Mix(0, 1);
            case SAMPLE -> new Mix(1, 0);
            case V_PREDICTION -> new Mix(-mix.noise, mix.sample);
            case FLOW_PREDICTION -> new Mix(-1, 1);
        };
    }

    /** Signal to noise ratio alphaBar / (1 - alphaBar). */
    public double snr(int t) {
        double a = alphaBar(t);
        return a / (1 - a);
    }

    /**
     * Weight of the squared error at t, min(snr, gamma) in units of x0 (Hang et al. 2023, section 3.4).
     *
     * <p>Where the snr is 0 an epsilon model gets weight 1, the limit.
     */
    public double minSnrWeight(int t, PredictionType type, double gamma) {
        double snr = snr(t);
        double capped = Math.min(snr, gamma);
        return switch (type) {
            case EPSILON -> snr == 0 ? 1 : capped / snr;
            case SAMPLE -> capped;
            case V_PREDICTION -> capped / (snr + 1);
            case FLOW_PREDICTION ->
                throw new DiffusionException(
                        "min-SNR weights are defined for epsilon, sample and v_prediction; drop the weighting");
        };
    }

    /** q(x_{t-1} | x_t, x0) (Ho et al. 2020, equation 7), for the variational bound. */
    public Posterior posterior(int t) {
        double a = alphaBar(t);
        double before = t == 0 ? 1 : alphasCumprod[t - 1];
        double beta = betas[t];
        int s = Math.max(t, Math.min(1, length() - 1));
        double variance = (1.0 - (s == 0 ? 1 : alphasCumprod[s - 1])) / (1.0 - alphasCumprod[s]) * betas[s];
        return new Posterior(
                Math.sqrt(before) * beta / (1 - a),
                Math.sqrt(1 - beta) * (1 - before) / (1 - a),
                Math.log(Math.max(variance, 1e-20)),
                Math.log(beta));
    }

    private int check(int t) {
        if (t < 0 || t >= betas.length) {
            throw new DiffusionException("found timestep " + t + ", expected 0 to " + (betas.length - 1));
        }
        return t;
    }
}
