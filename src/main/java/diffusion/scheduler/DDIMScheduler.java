package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Map;

/** Song et al. 2021 (DDIM), equations 12 and 16; diffusers' DDIMScheduler. Deterministic unless eta is set. */
public final class DDIMScheduler extends AlphaScheduler {
    private double eta;
    private boolean useClippedModelOutput;
    private int stride = 1;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DDIMScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("set_alpha_to_one", true);
        return keys;
    }

    /** Share of DDPM's noise: 0 for none, 1 for as much as DDPM adds. */
    public void setEta(double eta) {
        if (!(eta >= 0 && eta <= 1)) {
            throw new DiffusionException("found eta " + eta + ", expected 0 to 1");
        }
        this.eta = eta;
    }

    /** Whether the direction to x_t comes from the clipped x0 rather than from the model's output. */
    public void setUseClippedModelOutput(boolean use) {
        useClippedModelOutput = use;
    }

    @Override
    public void setTimesteps(int n) {
        super.setTimesteps(n);
        stride = noise().length() / n;
    }

    @Override
    public void setTimesteps(int[] custom) {
        super.setTimesteps(custom);
        stride = 0;
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        int previous = previousTimestep(i);
        float std = (float) eta * (float) Math.sqrt(variance(t, previous));
        Step step = ddim(t, alphaBarBefore(previous), std, useClippedModelOutput);
        return eta > 0 ? step.withNoise(std) : step;
    }

    /** sigma^2 of equation 16 for eta = 1, from t to {@code previous}, which is negative at the end. */
    public double variance(int t, int previous) {
        return ddimVariance(noise().alphaBar(t), alphaBarBefore(previous));
    }

    /** With n given, diffusers steps back by N / n whatever the spacing; with timesteps given, to the next of them. */
    private int previousTimestep(int i) {
        return stride == 0 ? following(i) : timestep(i) - stride;
    }

    private float alphaBarBefore(int previous) {
        if (previous >= 0) {
            return noise().alphaBar(previous);
        }
        return config().flag("set_alpha_to_one") ? 1 : noise().alphaBar(0);
    }
}
