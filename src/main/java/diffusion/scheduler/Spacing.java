package diffusion.scheduler;

import org.apache.commons.math3.distribution.BetaDistribution;

/** How a config spaces the noise levels of a run between two ends, where it does. */
final class Spacing {
    private static final double RHO = 7; // Karras et al. 2022, table 1
    private static final double BETA = 0.6; // Lee et al. 2024, beta sampling

    private final SchedulerConfig config;

    Spacing(SchedulerConfig config) {
        this.config = config;
    }

    private boolean flag(String key) {
        return config.has(key) && config.flag(key);
    }

    /** Whether the config spaces sigmas rather than timesteps. */
    boolean chosen() {
        return rounds() || flag("use_exponential_sigmas") || flag("use_beta_sigmas");
    }

    /** Whether it is one of the spacings whose timesteps DPM-Solver and its kin round. */
    boolean rounds() {
        return flag("use_karras_sigmas") || flag("use_lu_lambdas");
    }

    /** Whether the sigmas are those of flow matching. */
    boolean flow() {
        return flag("use_flow_sigmas");
    }

    /** Sigma i of n from one end to the other; a single one is {@code first}. */
    double at(int i, int n, double first, double last) {
        double ramp = n == 1 ? 0 : (double) i / (n - 1);
        if (flag("use_karras_sigmas")) {
            return karras(ramp, first, last, RHO);
        }
        if (flag("use_exponential_sigmas") || flag("use_lu_lambdas")) {
            return Math.exp(Math.log(first) + ramp * (Math.log(last) - Math.log(first)));
        }
        return last
                + new BetaDistribution(null, BETA, BETA, 1e-12).inverseCumulativeProbability(1 - ramp) * (first - last);
    }

    /** Karras et al. 2022, equation 5. */
    static double karras(double ramp, double first, double last, double rho) {
        double from = Math.pow(first, 1 / rho);
        double to = Math.pow(last, 1 / rho);
        return Math.pow(from + ramp * (to - from), rho);
    }
}
