package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import org.apache.commons.math3.distribution.BetaDistribution;

/** The noise levels a run of a {@link SigmaScheduler} visits, and their places among the training timesteps. */
final class Sigmas {
    private static final double RHO = 7; // Karras et al. 2022, table 1
    private static final double BETA = 0.6; // Lee et al. 2024, beta sampling
    private static final float ALMOST_ZERO = 0x1p-24f;

    private final SchedulerConfig config;
    private final double[] trained; // ascending

    /**
     * A run.
     *
     * @param timesteps one a step, descending
     * @param sigmas the same, and the one the run ends at
     */
    record Run(double[] timesteps, double[] sigmas) {
        @Override
        public String toString() {
            return Arrays.toString(timesteps) + " " + Arrays.toString(sigmas);
        }
    }

    /** With {@code rescaled} the last sigma would be infinite and is a large number instead. */
    Sigmas(SchedulerConfig config, NoiseSchedule noise, boolean rescaled) {
        this.config = config;
        float[] alphas = noise.alphasCumprod();
        if (rescaled) {
            alphas[alphas.length - 1] = ALMOST_ZERO;
        }
        trained = new double[alphas.length];
        for (int i = 0; i < trained.length; i++) {
            trained[i] = (float) Math.sqrt((1 - alphas[i]) / alphas[i]);
        }
    }

    private boolean flag(String key) {
        return config.has(key) && config.flag(key);
    }

    /** Whether the config spaces sigmas rather than timesteps. */
    boolean spaced() {
        return flag("use_karras_sigmas")
                || flag("use_exponential_sigmas")
                || flag("use_beta_sigmas")
                || flag("use_lu_lambdas");
    }

    /** The run over given timesteps, or as many sigmas spaced as the config says. */
    Run plan(double... timesteps) {
        int n = timesteps.length;
        double[] sigmas = new double[n];
        boolean logLinear = config.has("interpolation_type")
                && config.text("interpolation_type").equals("log_linear");
        for (int i = 0; i < n; i++) {
            sigmas[i] = logLinear
                    ? (float) Math.exp((float) (Math.log(trained[trained.length - 1])
                            + i * (Math.log(trained[0]) - Math.log(trained[trained.length - 1])) / n))
                    : at(timesteps[i]);
        }
        double[] times = timesteps.clone();
        if (spaced()) {
            double min = end("sigma_min", sigmas[n - 1]);
            double max = end("sigma_max", sigmas[0]);
            for (int i = 0; i < n; i++) {
                sigmas[i] = spaced(n == 1 ? 0 : (double) i / (n - 1), min, max);
                times[i] = time(sigmas[i]);
            }
        }
        double[] all = new double[n + 1];
        for (int i = 0; i < n; i++) {
            all[i] = (float) sigmas[i];
            times[i] = (float) times[i];
        }
        all[n] = logLinear && !spaced() ? trained[0] : last(); // diffusers has a sigma more there
        boolean continuous = config.has("timestep_type")
                && config.text("timestep_type").equals("continuous")
                && config.text("prediction_type").equals("v_prediction");
        for (int i = 0; continuous && i < n; i++) {
            times[i] = (float) (0.25 * Math.log(all[i]));
        }
        return new Run(times, all);
    }

    /** The same with whole timesteps and the spacing between the ends of training, as DPM-Solver and its kin have it. */
    Run planWhole(int... timesteps) {
        return planWhole(config.has("final_sigmas_type") ? config.text("final_sigmas_type") : "zero", false, timesteps);
    }

    /**
     * The same where another config says how the run ends.
     *
     * @param repeats whether a run of spaced sigmas ends at its last sigma rather than the first of training
     */
    Run planWhole(String last, boolean repeats, int... timesteps) {
        int n = timesteps.length;
        double[] times = Arrays.stream(timesteps).asDoubleStream().toArray();
        double[] all = new double[n + 1];
        boolean round = (flag("use_karras_sigmas") || flag("use_lu_lambdas"))
                && (repeats || !config.text("beta_schedule").equals("squaredcos_cap_v2"));
        double min = end("sigma_min", trained[0]);
        double max = end("sigma_max", trained[trained.length - 1]);
        for (int i = 0; i < n; i++) {
            if (spaced()) {
                double sigma = spaced(n == 1 ? 0 : (double) i / (n - 1), min, max);
                times[i] = Math.floor(round ? Math.rint(time(sigma)) : time(sigma));
                all[i] = (float) sigma;
            } else {
                all[i] = (float) at(times[i]);
            }
        }
        all[n] = repeats && spaced() && last.equals("sigma_min") ? all[n - 1] : last(last);
        return new Run(times, all);
    }

    /** How many timesteps at the noisy end have log(alpha / sigma) below a bound. */
    int clipped(double lambda) {
        int count = 0;
        while (count < trained.length && -Math.log(trained[trained.length - 1 - count]) < lambda) {
            count++;
        }
        return count;
    }

    private double last() {
        return last(config.has("final_sigmas_type") ? config.text("final_sigmas_type") : "zero");
    }

    private double last(String kind) {
        return switch (kind) {
            case "zero" -> 0;
            case "sigma_min" -> trained[0];
            default ->
                throw new DiffusionException("found final_sigmas_type \"" + kind + "\", expected zero or sigma_min");
        };
    }

    private double end(String key, double otherwise) {
        double given = config.has(key) ? config.number(key) : Double.NaN;
        return Double.isNaN(given) ? otherwise : given;
    }

    private double spaced(double ramp, double min, double max) {
        if (flag("use_karras_sigmas")) {
            double from = Math.pow(max, 1 / RHO);
            double to = Math.pow(min, 1 / RHO);
            return Math.pow(from + ramp * (to - from), RHO);
        }
        if (flag("use_exponential_sigmas") || flag("use_lu_lambdas")) {
            return Math.exp(Math.log(max) + ramp * (Math.log(min) - Math.log(max)));
        }
        return min + new BetaDistribution(null, BETA, BETA, 1e-12).inverseCumulativeProbability(1 - ramp) * (max - min);
    }

    /** Between the sigmas of the neighbouring timesteps. */
    private double at(double timestep) {
        int below = Math.clamp((long) Math.floor(timestep), 0, trained.length - 1);
        int above = Math.min(below + 1, trained.length - 1);
        return trained[below] + (timestep - below) * (trained[above] - trained[below]);
    }

    /** The timestep of a sigma, between those whose logarithms are its neighbours. */
    double time(double sigma) {
        double log = Math.log(Math.max(sigma, 1e-10));
        int low = 0;
        while (low < trained.length - 2 && (float) Math.log(trained[low + 1]) <= log) {
            low++;
        }
        double from = (float) Math.log(trained[low]);
        double to = (float) Math.log(trained[low + 1]);
        double w = Math.clamp((from - log) / (from - to), 0, 1);
        return (1 - w) * low + w * (low + 1);
    }
}
