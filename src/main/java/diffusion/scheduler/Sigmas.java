package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;

/** The noise levels a run of a {@link SigmaScheduler} visits, and their places among the training timesteps. */
final class Sigmas {
    private static final float ALMOST_ZERO = 0x1p-24f;

    private final SchedulerConfig config;
    private final Spacing spacing;
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
        spacing = new Spacing(config);
        float[] alphas = noise.alphasCumprod();
        if (rescaled) {
            alphas[alphas.length - 1] = ALMOST_ZERO;
        }
        trained = new double[alphas.length];
        for (int i = 0; i < trained.length; i++) {
            trained[i] = (float) Math.sqrt((1 - alphas[i]) / alphas[i]);
        }
    }

    /** The sigma of a timestep of training. */
    double trained(int timestep) {
        return trained[timestep];
    }

    /** Whether the config spaces sigmas rather than timesteps. */
    boolean spaced() {
        return spacing.chosen();
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
                sigmas[i] = spacing.at(i, n, max, min);
                times[i] = time(sigmas[i]);
            }
        }
        double[] all = new double[n + 1];
        for (int i = 0; i < n; i++) {
            all[i] = (float) sigmas[i];
            times[i] = (float) times[i];
        }
        all[n] = logLinear && !spaced() ? trained[0] : last(); // diffusers has a sigma more there
        return timed(times, all);
    }

    private Run timed(double[] times, double... all) {
        boolean continuous = config.has("timestep_type")
                && config.text("timestep_type").equals("continuous")
                && config.text("prediction_type").equals("v_prediction");
        for (int i = 0; continuous && i < times.length; i++) {
            times[i] = (float) (0.25 * Math.log(all[i]));
        }
        return new Run(times, all);
    }

    /** The run over given sigmas, the last of which it ends at. */
    Run follow(double... given) {
        double[] all = new double[given.length];
        double[] times = new double[given.length - 1];
        for (int i = 0; i < all.length; i++) {
            all[i] = (float) given[i];
            if (i < times.length) {
                times[i] = (float) time(all[i]);
            }
        }
        return timed(times, all);
    }

    /**
     * The run of DPM-Solver and its kin over whole timesteps, or as many sigmas spaced between the ends of training, or as
     * many of flow matching.
     *
     * @param last how the run ends: {@code zero} or {@code sigma_min}
     * @param repeats whether {@code sigma_min} means the run's last sigma rather than the first of training, unless timesteps
     *     are spaced
     * @param rounds whether the timesteps of spaced sigmas are rounded rather than cut
     */
    Run planWhole(String last, boolean repeats, boolean rounds, int... timesteps) {
        int n = timesteps.length;
        double[] times = Arrays.stream(timesteps).asDoubleStream().toArray();
        double[] all = new double[n + 1];
        boolean flow = !spaced() && spacing.flow();
        double[] alphas = FlowSigmas.linspace(1, 1.0 / trained.length, n + 1); // of which the first is left out
        double min = end("sigma_min", trained[0]);
        double max = end("sigma_max", trained[trained.length - 1]);
        for (int i = 0; i < n; i++) {
            if (flow) {
                double sigma = FlowSigmas.shift(config.number("flow_shift"), 1 - alphas[n - i]);
                times[i] = Math.floor(sigma * trained.length);
                all[i] = (float) sigma;
            } else if (spaced()) {
                double sigma = spacing.at(i, n, max, min);
                times[i] = Math.floor(rounds && spacing.rounds() ? Math.rint(time(sigma)) : time(sigma));
                all[i] = (float) sigma;
            } else {
                all[i] = (float) at(times[i]);
            }
        }
        all[n] = repeats && (flow || spaced()) && last.equals("sigma_min") ? all[n - 1] : last(last);
        return new Run(times, all);
    }

    /** The run of an inverse solver: whole timesteps upwards, and the sigma of {@code noisiest} at its end. */
    Run planUpwards(int noisiest, int... timesteps) {
        int n = timesteps.length;
        if (!spaced() && spacing.flow()) {
            return planWhole("sigma_min", true, true, timesteps);
        }
        double[] times = new double[n];
        double[] all = new double[n + 1];
        for (int i = 0; i < n; i++) {
            all[i] = spaced() ? spacing.at(i, n, trained[0], trained[trained.length - 1]) : at(timesteps[i]);
            double time = spaced() ? time(all[i]) : timesteps[i];
            times[i] = Math.floor(spacing.rounds() ? Math.rint(time) : time);
            all[i] = (float) all[i];
        }
        all[n] = spaced() ? all[n - 1] : trained[noisiest];
        return new Run(Arrays.stream(times).distinct().toArray(), all);
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
