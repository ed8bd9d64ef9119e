package diffusion.scheduler;

import java.util.Map;

/** Multistep consistency sampling (Luo et al. 2023, algorithm 3); diffusers' LCMScheduler. */
public final class LCMScheduler extends ConsistencyScheduler {
    private static final double SIGMA_DATA = 0.5;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public LCMScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        return consistencyDefaults();
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        double scaled = t * config().number("timestep_scaling");
        double sum = scaled * scaled + SIGMA_DATA * SIGMA_DATA;
        double skip = SIGMA_DATA * SIGMA_DATA / sum;
        double out = scaled / Math.sqrt(sum);
        if (isLast(i)) {
            return denoiser(t).step(skip, 0, out);
        }
        float next = noise().alphaBar(following(i));
        double alpha = (float) Math.sqrt(next);
        return denoiser(t).step(alpha * skip, 0, alpha * out).withNoise((float) Math.sqrt(1 - next));
    }
}
