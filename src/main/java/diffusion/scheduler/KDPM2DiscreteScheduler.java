package diffusion.scheduler;

import java.util.Map;

/** The midpoint method in log sigma, k-diffusion's DPM2 (Karras et al. 2022, algorithm 2); diffusers' KDPM2DiscreteScheduler. */
public final class KDPM2DiscreteScheduler extends TwoCallScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public KDPM2DiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        return twoCallDefaults();
    }

    @Override
    double probe(double sigma, double next) {
        return Math.sqrt(sigma * next);
    }

    @Override
    public Step step(int i) {
        return i % 2 == 0 ? first(i) : second(i, to(i) - from(i), 0);
    }
}
