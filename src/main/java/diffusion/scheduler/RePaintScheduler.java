package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Inpainting by a model that knows nothing of it (Lugmayr et al. 2022, RePaint): DDIM steps that now and then go back a few
 * steps by adding noise, so that what is made comes to fit what is kept; diffusers' RePaintScheduler.
 *
 * <p>The timesteps are those of the model calls; {@link #kept} and {@link #undo} say what is done to the sample after each.
 * Unlike the reference it takes models of any prediction type.
 */
public final class RePaintScheduler extends AlphaScheduler {
    private final double eta;
    private int jumpLength = 10;
    private int jumpSamples = 10;
    private int stride = 1;
    private List<float[]> undo = List.of();

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public RePaintScheduler(SchedulerConfig config) {
        super(config);
        eta = config.number("eta");
        if (!(eta >= 0 && eta <= 1)) {
            throw new DiffusionException("found eta " + eta + ", expected 0 to 1");
        }
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("eta", 0.0);
        return keys;
    }

    /**
     * How a run goes back; the next {@link #setTimesteps(int)} plans so.
     *
     * @param length steps that are undone at a time; 10 by default
     * @param samples how often a stretch is gone through, 1 for no way back; 10 by default
     */
    public void setJumps(int length, int samples) {
        if (length < 1 || samples < 1) {
            throw new DiffusionException("found jumps of length " + length + ", " + samples
                    + " times, expected both at least 1; change --jump-length, --jump-samples");
        }
        jumpLength = length;
        jumpSamples = samples;
    }

    @Override
    public void setTimesteps(int n) {
        if (n < 1 || n > noise().length()) {
            throw new DiffusionException(
                    "found " + n + " inference steps, expected 1 to " + noise().length() + "; change --steps");
        }
        stride = noise().length() / n;
        int[] left = new int[n]; // how often the run still goes back from a step
        for (int j = 0; j < n - jumpLength; j += jumpLength) {
            left[j] = jumpSamples - 1;
        }
        List<Integer> calls = new ArrayList<>();
        List<float[]> noisings = new ArrayList<>();
        for (int t = n - 1; t >= 0; t--) {
            calls.add(t * stride);
            float[] betas = {};
            if (left[t] > 0) {
                left[t]--;
                betas = new float[jumpLength * stride];
                System.arraycopy(noise().betas(), t * stride, betas, 0, betas.length);
                t += jumpLength;
            }
            noisings.add(betas);
        }
        plan(calls.stream().mapToInt(Integer::intValue).toArray());
        undo = noisings;
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for RePaintScheduler, expected a number of steps");
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        float before = alphaBarBefore(i);
        float std = (float) eta * (float) Math.sqrt(ddimVariance(noise().alphaBar(t), before));
        return ddim(t, before, std, false).withNoise(std); // drawn even if eta is 0: the kept part takes it
    }

    /** What the kept part of the picture is after step i: this much of it, and of the noise that the step has drawn. */
    public NoiseSchedule.Mix kept(int i) {
        float before = alphaBarBefore(i);
        return new NoiseSchedule.Mix((float) Math.sqrt(before), (float) Math.sqrt(1 - before));
    }

    /** Variances of the noise to add after step i, one after the other: x = sqrt(1 - beta) x + sqrt(beta) z. */
    public float[] undo(int i) {
        return undo.get(i).clone();
    }

    private float alphaBarBefore(int i) {
        int previous = timestep(i) - stride;
        return previous < 0 ? 1 : noise().alphaBar(previous);
    }
}
