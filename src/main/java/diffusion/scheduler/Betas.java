package diffusion.scheduler;

import diffusion.io.DiffusionException;

/**
 * The variance schedules of a forward process: beta_t, the variance of the noise that step t adds.
 *
 * <p>All arithmetic is float32 where diffusers' is, for a beta that differs in its last bit moves a thousand-step
 * trajectory.
 */
public final class Betas {
    private Betas() {}

    /**
     * The schedule a config names.
     *
     * @throws DiffusionException if {@code beta_schedule} is unknown, or a value leaves [0, 1]
     */
    public static float[] of(SchedulerConfig config) {
        int n = config.integer("num_train_timesteps");
        if (n < 1) {
            throw new DiffusionException("found num_train_timesteps " + n + ", expected at least 1");
        }
        double start = config.number("beta_start");
        double end = config.number("beta_end");
        String schedule = config.text("beta_schedule");
        float[] trained = config.numbers("trained_betas");
        float[] betas;
        if (trained.length > 0) {
            betas = trained;
        } else {
            betas = switch (schedule) {
                case "linear" -> linear(n, start, end);
                case "scaled_linear" -> scaledLinear(n, start, end);
                case "squaredcos_cap_v2" -> cosine(n);
                case "sigmoid" -> sigmoid(n, start, end);
                case "saturating_exponential" -> saturatingExponential(n, -Math.log1p(-start), end);
                default ->
                    throw new DiffusionException("found beta_schedule \"" + schedule + "\", expected linear, "
                            + "scaled_linear, squaredcos_cap_v2, sigmoid or saturating_exponential");
            };
        }
        for (float beta : betas) {
            if (!(beta >= 0 && beta <= 1)) {
                throw new DiffusionException(
                        "found a beta of " + beta + ", expected 0 to 1; check beta_start, beta_end, trained_betas");
            }
        }
        boolean rescale = config.has("rescale_betas_zero_snr") && config.flag("rescale_betas_zero_snr");
        return rescale ? zeroTerminalSnr(betas) : betas;
    }

    /** Evenly spaced betas (Ho et al. 2020). */
    public static float[] linear(int n, double start, double end) {
        return linspace((float) start, (float) end, n);
    }

    /** Betas whose square roots are evenly spaced (latent diffusion, Rombach et al. 2022). */
    public static float[] scaledLinear(int n, double start, double end) {
        float[] betas = linspace((float) Math.sqrt(start), (float) Math.sqrt(end), n);
        for (int i = 0; i < n; i++) {
            betas[i] *= betas[i];
        }
        return betas;
    }

    /** Betas for which alphaBar follows a squared cosine (Nichol and Dhariwal 2021, equation 17), at most 0.999. */
    public static float[] cosine(int n) {
        float[] betas = new float[n];
        for (int i = 0; i < n; i++) {
            betas[i] = (float) Math.min(1 - cosineAlphaBar((i + 1.0) / n) / cosineAlphaBar((double) i / n), 0.999);
        }
        return betas;
    }

    /** Betas that rise from start to end along a sigmoid over [-6, 6] (GeoDiff, Xu et al. 2022). */
    public static float[] sigmoid(int n, double start, double end) {
        float[] betas = linspace(-6, 6, n);
        for (int i = 0; i < n; i++) {
            float s = 1 / (1 + (float) Math.exp(-betas[i]));
            betas[i] = s * (float) (end - start) + (float) start;
        }
        return betas;
    }

    /**
     * beta_t = min(1 - exp(-c t), betaMax) for t = 1..n, the schedule of introductory texts: it rises linearly at rate
     * c and saturates. A config spells it {@code saturating_exponential}, betaMax as beta_end and c through beta_1 =
     * beta_start.
     */
    public static float[] saturatingExponential(int n, double c, double betaMax) {
        float[] betas = new float[n];
        for (int i = 0; i < n; i++) {
            betas[i] = (float) Math.min(-Math.expm1(-c * (i + 1)), betaMax);
        }
        return betas;
    }

    /** Betas shifted and scaled such that alphaBar ends at exactly 0 (Lin et al. 2023, algorithm 1). */
    public static float[] zeroTerminalSnr(float[] betas) {
        int n = betas.length;
        float[] root = cumulativeAlphas(betas);
        for (int i = 0; i < n; i++) {
            root[i] = (float) Math.sqrt(root[i]);
        }
        float first = root[0];
        float last = root[n - 1];
        float scale = first / (first - last);
        float[] rescaled = new float[n];
        float before = 1;
        for (int i = 0; i < n; i++) {
            float s = (root[i] - last) * scale;
            float alphaBar = s * s;
            rescaled[i] = 1 - (i == 0 ? alphaBar : alphaBar / before);
            before = alphaBar;
        }
        return rescaled;
    }

    /** alphaBar_t = prod (1 - beta_s): the product runs in double and is rounded at every t, as torch.cumprod does. */
    public static float[] cumulativeAlphas(float[] betas) {
        float[] alphaBar = new float[betas.length];
        double product = 1;
        for (int i = 0; i < betas.length; i++) {
            product *= 1 - betas[i];
            alphaBar[i] = (float) product;
        }
        return alphaBar;
    }

    private static double cosineAlphaBar(double t) {
        double c = Math.cos((t + 0.008) / 1.008 * Math.PI / 2);
        return c * c;
    }

    /** Counts from the nearer end, as torch.linspace does. */
    private static float[] linspace(float start, float end, int n) {
        float[] values = new float[n];
        float step = n == 1 ? 0 : (end - start) / (n - 1);
        for (int i = 0; i < n; i++) {
            values[i] = i < n / 2 || n == 1 ? Math.fma(step, i, start) : Math.fma(-step, n - i - 1, end);
        }
        return values;
    }
}
