package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/**
 * Samplers of second order that call the model twice a step: from sigma to a probe, and from the probe, with the state
 * before it, to the next sigma. The last step is one call.
 *
 * <p>The state before the probe is not stored but solved for: x minus the probe's step along the derivative that the first
 * call pushed.
 */
abstract sealed class TwoCallScheduler extends SigmaScheduler
        permits HeunDiscreteScheduler, KDPM2DiscreteScheduler, KDPM2AncestralDiscreteScheduler, DPMSolverSDEScheduler {
    TwoCallScheduler(SchedulerConfig config) {
        super(config);
        if (predictionType() == PredictionType.SAMPLE) {
            throw new DiffusionException(
                    "found prediction_type sample for " + config.className() + ", expected epsilon or v_prediction");
        }
    }

    static Map<String, Object> twoCallDefaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("beta_start", 0.00085);
        keys.put("beta_end", 0.012);
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        return keys;
    }

    /** Every timestep but the first is that of two calls, the probe's before its own; so are the sigmas. */
    @Override
    final Sigmas.Run arrange(Sigmas.Run planned, Sigmas trained) {
        double[] t = planned.timesteps();
        double[] s = planned.sigmas();
        int n = t.length;
        double[] times = new double[2 * n - 1];
        double[] sigmas = new double[2 * n];
        for (int k = 0; k < n; k++) {
            times[2 * k] = whole() ? Math.rint(t[k]) : t[k];
            sigmas[2 * k] = s[k];
            sigmas[2 * k + 1] = s[k + 1];
            if (k + 1 < n) {
                times[2 * k + 1] = probeTime(t[k + 1], probe(s[k], s[k + 1]), trained);
            }
        }
        return new Sigmas.Run(times, sigmas);
    }

    private boolean whole() {
        return (this instanceof KDPM2DiscreteScheduler || this instanceof KDPM2AncestralDiscreteScheduler)
                && config().flag("use_karras_sigmas");
    }

    /** The sigma of the probe between two sigmas of the run. */
    abstract double probe(double sigma, double next);

    /** The timestep at the probe, given that of the next sigma. */
    double probeTime(double next, double probe, Sigmas trained) {
        return (float) trained.time(probe);
    }

    /** The sigma before step k. */
    final double from(int i) {
        return sigma(i / 2 * 2);
    }

    final double to(int i) {
        return sigma(i / 2 * 2 + 1);
    }

    final double probe(int i) {
        return probe(from(i), to(i));
    }

    @Override
    public double inputScale(int i) {
        double sigma = i % 2 == 0 ? from(i) : probe(i);
        return 1 / Math.sqrt(sigma * sigma + 1);
    }

    @Override
    public final int order() {
        return 2;
    }

    @Override
    public int historySize() {
        return 1;
    }

    /** The first call: to the probe, keeping the derivative. */
    final Step first(int i) {
        double sigma = from(i);
        return euler(i, probe(i)).withPush(1 / sigma, 0, -1 / sigma);
    }

    /** The second call: x before the probe, plus {@code along} times the probe's derivative and {@code kept} times the first's. */
    final Step second(int i, double along, double kept) {
        checkStep(i);
        double probe = probe(i);
        return denoiser(probe).step(1 + along / probe, 0, -along / probe).withHistory(kept - (probe - from(i)));
    }
}
