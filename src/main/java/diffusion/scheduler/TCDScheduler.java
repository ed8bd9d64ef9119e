package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/** Strategic stochastic sampling of trajectory consistency models (Zheng et al. 2024, algorithm 4); diffusers' TCDScheduler. */
public final class TCDScheduler extends ConsistencyScheduler {
    private static final double ETA = 0.3;

    private double eta = ETA;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public TCDScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        return consistencyDefaults();
    }

    /** How far below the next timestep each step goes before noise leads back: 0 for none, 1 for all the way. */
    public void setEta(double eta) {
        if (!(eta >= 0 && eta <= 1)) {
            throw new DiffusionException("found eta " + eta + ", expected 0 to 1");
        }
        this.eta = eta;
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        int next = Math.max(0, following(i));
        float a = noise().alphaBar(t);
        float below = noise().alphaBar((int) Math.floor((1 - eta) * next));
        float after = noise().alphaBar(next);
        boolean noisy = eta > 0 && !isLast(i);
        double scale = noisy ? Math.sqrt(after / below) : 1;
        double alpha = scale * Math.sqrt(below);
        double sigma = scale * Math.sqrt(1 - below);
        Step step = switch (predictionType()) {
            case EPSILON -> denoiser(t).step(0, sigma, alpha);
            case SAMPLE -> denoiser(t).step(sigma / Math.sqrt(1 - a), -sigma * Math.sqrt(a) / Math.sqrt(1 - a), alpha);
            default -> denoiser(t).step(sigma * Math.sqrt(1 - a), sigma * Math.sqrt(a), alpha);
        };
        return noisy ? step.withNoise(Math.sqrt(1 - after / below)) : step;
    }
}
