package diffusion.scheduler;

import java.util.Map;

/** Heun's method (Karras et al. 2022, algorithm 1) without churn; diffusers' HeunDiscreteScheduler. */
public final class HeunDiscreteScheduler extends TwoCallScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public HeunDiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = twoCallDefaults();
        keys.put("clip_sample", false);
        keys.put("clip_sample_range", 1.0);
        return keys;
    }

    @Override
    double probe(double sigma, double next) {
        return next;
    }

    @Override
    double probeTime(double next, double probe, Sigmas trained) {
        return next;
    }

    @Override
    Step.Denoiser denoiser(double sigma) {
        Step.Denoiser plain = super.denoiser(sigma);
        double range = config().number("clip_sample_range");
        return config().flag("clip_sample") ? new Step.Denoiser(plain.px(), plain.pm(), -range, range, 0, 1) : plain;
    }

    @Override
    public Step step(int i) {
        double half = (to(i) - from(i)) / 2;
        return i % 2 == 0 ? first(i) : second(i, half, half);
    }
}
