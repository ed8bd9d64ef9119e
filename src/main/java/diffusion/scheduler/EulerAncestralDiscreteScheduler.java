package diffusion.scheduler;

import java.util.Map;

/** Euler steps that go further down and add fresh noise back up; diffusers' EulerAncestralDiscreteScheduler. */
public final class EulerAncestralDiscreteScheduler extends SigmaScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public EulerAncestralDiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("rescale_betas_zero_snr", false);
        return keys;
    }

    @Override
    public Step step(int i) {
        double from = sigma(i);
        double to = sigma(i + 1);
        double up = Math.sqrt(to * to * (from * from - to * to) / (from * from));
        double down = Math.sqrt(to * to - up * up);
        return euler(i, down).withNoise(up);
    }
}
