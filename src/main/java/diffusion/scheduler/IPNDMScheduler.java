package diffusion.scheduler;

import java.util.Arrays;
import java.util.Map;

/**
 * Pseudo linear multistep sampling of order four over a squared sine (Liu et al. 2022; Crowson's v-diffusion); diffusers'
 * IPNDMScheduler.
 */
public final class IPNDMScheduler extends ContinuousScheduler {
    private static final double SMALLEST = 1e-8;

    private float[] betas = {};
    private float[] alphas = {};
    private int begin;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public IPNDMScheduler(SchedulerConfig config) {
        super(config);
        setTimesteps(config.integer("num_train_timesteps"));
    }

    static Map<String, Object> defaults() {
        return Map.of("num_train_timesteps", 1000, "trained_betas", new float[0]);
    }

    @Override
    public void setTimesteps(int n) {
        checkSteps(n);
        float[] trained = config().numbers("trained_betas");
        int count = trained.length > 0 ? trained.length : n + 1;
        betas = new float[count];
        alphas = new float[count];
        double[] sigmas = new double[count];
        double[] times = new double[count - 1];
        for (int i = 0; i < count; i++) {
            float sine = (float) Math.sin((float) ((n - i) / (double) n) * (float) Math.PI / 2);
            betas[i] = trained.length > 0 ? trained[i] : sine * sine;
            alphas[i] = (float) Math.sqrt(1 - betas[i] * betas[i]);
            sigmas[i] = betas[i];
            if (i < times.length) {
                times[i] = (float) (Math.atan2(betas[i], alphas[i]) / Math.PI * 2);
            }
        }
        plan(new Sigmas.Run(times, sigmas));
    }

    @Override
    public void setBeginIndex(int index) {
        begin = index;
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix(alphas[i], betas[i]);
    }

    @Override
    public int historySize() {
        return PNDMScheduler.ADAMS.length - 1;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double[] weights = PNDMScheduler.ADAMS[Math.clamp(i - (long) begin, 0, historySize())];
        // x' = alpha' (x - beta e) / alpha + beta' e, with e = beta x + alpha m of this and earlier steps
        double fromX = alphas[i + 1] / Math.max(alphas[i], SMALLEST);
        double fromE = betas[i + 1] - fromX * betas[i];
        double[] older =
                Arrays.stream(weights, 1, weights.length).map(w -> fromE * w).toArray();
        return Step.Denoiser.unclipped(0, 0)
                .step(fromX + fromE * weights[0] * betas[i], fromE * weights[0] * alphas[i], 0)
                .withHistory(older)
                .withPush(betas[i], alphas[i], 0);
    }
}
