package diffusion.scheduler;

import java.util.Map;

/**
 * DPM-Solver++ of second order for the reverse process with noise, k-diffusion's {@code dpmpp_sde} (Lu et al. 2022; Karras et
 * al. 2022); diffusers' DPMSolverSDEScheduler.
 *
 * <p>The reference draws its noise from a Brownian path over the sigmas, as torchsde's tree makes it; here both calls of a step
 * take independent numbers from the run's generator and the second combines them with the first's as increments of such a path
 * are. Pictures follow the same law, but are not the reference's, and {@code noise_sampler_seed} has no effect.
 *
 * <p>The first call's noise is not stored: it is what the present x has besides the state and output before, so the first call
 * keeps the sum of these two that the second needs.
 */
public final class DPMSolverSDEScheduler extends TwoCallScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverSDEScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = twoCallDefaults();
        keys.put("noise_sampler_seed", Double.NaN);
        return keys;
    }

    @Override
    double probe(double sigma, double next) {
        return Math.sqrt(sigma * next);
    }

    /** A part of a step: x' = fromX x + (1 - fromX) x0 + up z. */
    private record Part(double fromX, double up) {
        static Part of(double from, double to) {
            double up = KDPM2AncestralDiscreteScheduler.up(from, to);
            return new Part(Math.sqrt(to * to - up * up) / from, up);
        }
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double from = from(i);
        double to = to(i);
        if (to == 0) {
            return denoiser(from).step(0, 0, 1);
        }
        double middle = probe(i);
        Part half = Part.of(from, middle);
        Part whole = Part.of(from, to);
        // The whole path is the first part's noise, as far as it goes, and another.
        double shared = Math.sqrt((from - middle) / (from - to));
        double again = whole.up * shared / half.up;
        if (i % 2 == 0) {
            return denoiser(from)
                    .step(half.fromX, 0, 1 - half.fromX)
                    .withPush(whole.fromX - again * half.fromX, 0, -again * (1 - half.fromX))
                    .withNoise(half.up);
        }
        return denoiser(middle)
                .step(again, 0, 1 - whole.fromX)
                .withHistory(1)
                .withNoise(whole.up * Math.sqrt(1 - shared * shared));
    }
}
