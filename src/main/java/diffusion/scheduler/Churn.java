package diffusion.scheduler;

import diffusion.io.DiffusionException;

/**
 * The noise that samplers of Karras et al. 2022 (algorithm 2) add before a step: the level rises by a factor 1 + gamma, gamma =
 * min({@code amount} / steps, sqrt(2) - 1), while it is within [{@code min}, {@code max}]; {@code noise} scales the noise.
 *
 * <p>As in diffusers the model has seen the state before it is added, so it is part of the step that follows the model's answer.
 */
public record Churn(double amount, double min, double max, double noise) {
    /** No noise. */
    public static final Churn NONE = new Churn(0, 0, Double.POSITIVE_INFINITY, 1);

    /** Refuses negative numbers. */
    public Churn {
        if (!(amount >= 0 && min >= 0 && max >= min && noise >= 0)) {
            throw new DiffusionException("found s_churn " + amount + ", s_tmin " + min + ", s_tmax " + max
                    + ", s_noise " + noise + ", expected none below 0 and s_tmax at least s_tmin");
        }
    }

    /** The level that a step from {@code sigma} starts at, in a run of so many steps. */
    double raise(double sigma, int steps) {
        boolean within = min <= sigma && sigma <= max;
        return within ? sigma * (1 + Math.min(amount / steps, Math.sqrt(2) - 1)) : sigma;
    }

    /** The standard deviation of the noise between two levels. */
    double between(double sigma, double higher) {
        return noise * Math.sqrt(higher * higher - sigma * sigma);
    }

    /** An Euler step from the higher level, whose noise is in x0 as well. */
    Step euler(Step.Denoiser denoiser, double sigma, double higher, double to) {
        double ratio = to / higher;
        Step step = denoiser.step(ratio, 0, 1 - ratio);
        return higher > sigma ? step.withNoise(between(sigma, higher) * (ratio + (1 - ratio) * denoiser.px())) : step;
    }
}
