package diffusion.scheduler;

import java.util.Map;

/** DPM2 steps that go further down and add fresh noise back up; diffusers' KDPM2AncestralDiscreteScheduler. */
public final class KDPM2AncestralDiscreteScheduler extends TwoCallScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public KDPM2AncestralDiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        return twoCallDefaults();
    }

    /** The noise added back up in an ancestral step. */
    static double up(double from, double to) {
        return Math.sqrt(to * to * (from * from - to * to) / (from * from));
    }

    private static double down(double from, double to) {
        double up = up(from, to);
        return Math.sqrt(to * to - up * up);
    }

    @Override
    double probe(double sigma, double next) {
        return Math.sqrt(sigma * down(sigma, next));
    }

    @Override
    public Step step(int i) {
        double from = from(i);
        return i % 2 == 0 ? first(i) : second(i, down(from, to(i)) - from, 0).withNoise(up(from, to(i)));
    }
}
