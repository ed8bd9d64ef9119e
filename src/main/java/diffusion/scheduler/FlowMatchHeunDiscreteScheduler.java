package diffusion.scheduler;

import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Heun's method along a rectified flow, two calls of the model a step but for the last; diffusers'
 * FlowMatchHeunDiscreteScheduler.
 */
public final class FlowMatchHeunDiscreteScheduler extends FlowMatchScheduler {
    private Churn churn = Churn.NONE;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public FlowMatchHeunDiscreteScheduler(SchedulerConfig config) {
        super(config);
        setTimesteps(trainSteps());
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("shift", 1.0);
        return keys;
    }

    /** How much noise is added before each step; none by default. */
    public void setChurn(Churn churn) {
        this.churn = churn;
    }

    @Override
    public void setTimesteps(int n) {
        double shift = config().number("shift");
        double[] planned = shifted(shift, trained(n, shift));
        double[] all = new double[2 * n];
        double[] times = new double[2 * n - 1];
        for (int i = 0; i < times.length; i++) {
            all[i] = (float) planned[(i + 1) / 2];
            times[i] = (float) (all[i] * trainSteps());
        }
        plan(new Sigmas.Run(times, all));
    }

    @Override
    public int order() {
        return 2;
    }

    @Override
    public int historySize() {
        return 1;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        int from = i / 2 * 2;
        double sigma = sigma(from);
        double higher = churn.raise(sigma, steps());
        double move = sigma(from + 1) - higher;
        // As in the reference, the slope shrinks with the level raised.
        double slope = sigma / higher;
        Step.Denoiser denoiser = Step.Denoiser.unclipped(0, 0);
        Step step = i == from
                ? denoiser.step(1, move * slope, 0).withPush(0, slope, 0)
                : denoiser.step(1, move / 2, 0).withHistory(-move / 2);
        return higher > sigma ? step.withNoise(i == from ? churn.between(sigma, higher) : 0) : step;
    }
}
