package diffusion.scheduler;

/** The noise levels of flow matching, where a state is (1 - sigma) x0 + sigma eps and sigma runs from 1 to 0. */
final class FlowSigmas {
    private FlowSigmas() {}

    /** A sigma moved towards noise for pictures of many pixels (Esser et al. 2024, equation 23). */
    static double shift(double shift, double sigma) {
        return shift * sigma / (1 + (shift - 1) * sigma);
    }

    /** The shift of a config: its own, or with dynamic shifting the one that follows from mu. */
    static double shift(SchedulerConfig config, String key, double mu) {
        if (Double.isNaN(mu)) {
            return config.number(key);
        }
        return config.text("time_shift_type").equals("linear") ? mu : Math.exp(mu);
    }

    /** Stretches sigmas such that the last is {@code terminal}; as they are if that is NaN or 0. */
    static void stretch(double[] sigmas, double terminal) {
        if (Double.isNaN(terminal) || terminal == 0) {
            return;
        }
        double scale = (1 - sigmas[sigmas.length - 1]) / (1 - terminal);
        for (int i = 0; i < sigmas.length; i++) {
            sigmas[i] = 1 - (1 - sigmas[i]) / scale;
        }
    }

    /** n numbers from one to another, as numpy.linspace. */
    static double[] linspace(double first, double last, int n) {
        double[] values = new double[n];
        for (int i = 0; i < n; i++) {
            values[i] = i == n - 1 && n > 1 ? last : first + i * ((last - first) / Math.max(1, n - 1));
        }
        return values;
    }
}
