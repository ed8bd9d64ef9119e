package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Locale;

/** What a model's output m means, given x = alpha x0 + sigma eps; diffusers' {@code prediction_type}. */
public enum PredictionType {
    /** m = eps. */
    EPSILON,
    /** m = x0. */
    SAMPLE,
    /** m = alpha eps - sigma x0 (Salimans and Ho 2022). */
    V_PREDICTION,
    /** m = eps - x0 along x = (1 - sigma) x0 + sigma eps (Lipman et al. 2023). */
    FLOW_PREDICTION;

    /** The type by its name in a config. */
    public static PredictionType of(String name) {
        for (PredictionType type : values()) {
            if (type.configName().equals(name)) {
                return type;
            }
        }
        throw new DiffusionException("found prediction_type \"" + name
                + "\", expected epsilon, sample, v_prediction or flow_prediction; correct it in scheduler_config.json");
    }

    /** p in x0 = p x + q m. */
    public double sampleFactor(double alpha) {
        return switch (this) {
            case EPSILON -> 1 / alpha;
            case V_PREDICTION -> alpha;
            case SAMPLE -> 0;
            case FLOW_PREDICTION -> 1;
        };
    }

    /** q in x0 = p x + q m: Ho et al. 2020, equation 15, and its like. */
    public double outputFactor(double alpha, double sigma) {
        return switch (this) {
            case EPSILON -> -sigma / alpha;
            case V_PREDICTION, FLOW_PREDICTION -> -sigma;
            case SAMPLE -> 1;
        };
    }

    /** The name in a config. */
    public String configName() {
        return name().toLowerCase(Locale.ROOT);
    }
}
