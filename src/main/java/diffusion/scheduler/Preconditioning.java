package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * What samplers of Karras' preconditioned networks share (Karras et al. 2022, table 1): the state is x0 + sigma eps, the
 * network sees it divided by its standard deviation, at the timestep log(sigma) / 4.
 */
final class Preconditioning {
    private final SchedulerConfig config;
    private final double data;

    Preconditioning(SchedulerConfig config) {
        this.config = config;
        data = config.number("sigma_data");
        String schedule = config.text("sigma_schedule");
        if (!schedule.equals("karras") && !schedule.equals("exponential")) {
            throw new DiffusionException("found sigma_schedule \"" + schedule + "\", expected karras or exponential");
        }
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("sigma_min", 0.002);
        keys.put("sigma_max", 80.0);
        keys.put("sigma_data", 0.5);
        keys.put("sigma_schedule", "karras");
        keys.put("num_train_timesteps", 1000);
        keys.put("prediction_type", "epsilon");
        keys.put("rho", 7.0);
        keys.put("final_sigmas_type", "zero");
        return keys;
    }

    /**
     * The run over n noise levels, spaced as the config says, or where {@code ramp} goes from 0 to 1.
     *
     * @param single whether Karras' spacing is worked out in float32, as one of the references has it
     */
    Sigmas.Run run(boolean single, double... ramp) {
        int n = ramp.length;
        if (n < 1) {
            throw new DiffusionException("found " + n + " inference steps, expected at least 1; change --steps");
        }
        double min = config.number("sigma_min");
        double max = config.number("sigma_max");
        double[] sigmas = new double[n + 1];
        double[] times = new double[n];
        for (int i = 0; i < n; i++) {
            double place = n == 1 ? 1 : (double) i / (n - 1); // torch.linspace counts from the other end
            sigmas[i] = (float)
                    (config.text("sigma_schedule").equals("karras")
                            ? karras(single, ramp[i], max, min)
                            : Math.exp(Math.log(max) + place * (Math.log(min) - Math.log(max))));
            times[i] = (float) (0.25 * Math.log(sigmas[i]));
        }
        sigmas[n] = switch (config.text("final_sigmas_type")) {
            case "zero" -> 0;
            case "sigma_min" -> sigmas[n - 1];
            default ->
                throw new DiffusionException("found final_sigmas_type \"" + config.text("final_sigmas_type")
                        + "\", expected zero or sigma_min");
        };
        return new Sigmas.Run(times, sigmas);
    }

    private double karras(boolean single, double ramp, double max, double min) {
        double rho = config.number("rho");
        if (!single) {
            return Spacing.karras(ramp, max, min, rho);
        }
        double from = Math.pow(max, 1 / rho);
        double to = Math.pow(min, 1 / rho);
        return Math.pow((float) from + (float) ramp * (float) (to - from), rho);
    }

    double initNoiseSigma() {
        return Math.hypot(config.number("sigma_max"), 1);
    }

    /** The factor of x before the network sees it. */
    double input(double sigma) {
        return 1 / Math.hypot(sigma, data);
    }

    /** The factor of x in x0. */
    double skip(double sigma) {
        return data * data / (sigma * sigma + data * data);
    }

    /** The factor of the network's output in x0. */
    double out(double sigma) {
        double factor = sigma * data / Math.hypot(sigma, data);
        return switch (PredictionType.of(config.text("prediction_type"))) {
            case EPSILON -> factor;
            case V_PREDICTION -> -factor;
            default ->
                throw new DiffusionException("found prediction_type " + config.text("prediction_type") + " for "
                        + config.className() + ", expected epsilon or v_prediction");
        };
    }
}
