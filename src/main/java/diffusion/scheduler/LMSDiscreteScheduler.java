package diffusion.scheduler;

import java.util.Arrays;
import java.util.Map;

/** The linear multistep method of order four over the derivatives of earlier steps; diffusers' LMSDiscreteScheduler. */
public final class LMSDiscreteScheduler extends SigmaScheduler {
    private static final int ORDER = 4;

    private int begin;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public LMSDiscreteScheduler(SchedulerConfig config) {
        super(config);
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        return keys;
    }

    @Override
    public void setBeginIndex(int index) {
        begin = index;
    }

    @Override
    public int historySize() {
        return ORDER - 1;
    }

    @Override
    public Step step(int i) {
        int order = Math.min(i + 1, ORDER);
        double sigma = sigma(i);
        double newest = coefficient(order, i, 0) / sigma;
        double[] older = new double[Math.min(i - begin, order - 1)]; // diffusers drops what a late start lacks
        Arrays.setAll(older, k -> coefficient(order, i, k + 1));
        return denoiser(sigma).step(1 + newest, 0, -newest).withHistory(older).withPush(1 / sigma, 0, -1 / sigma);
    }

    /** The integral of a Lagrange polynomial over the step; two Gauss points are exact for a cubic. */
    private double coefficient(int order, int i, int current) {
        double middle = (sigma(i) + sigma(i + 1)) / 2;
        double half = (sigma(i + 1) - sigma(i)) / 2;
        double sum = 0;
        for (double point : new double[] {-1 / Math.sqrt(3), 1 / Math.sqrt(3)}) {
            double product = 1;
            for (int k = 0; k < order; k++) {
                if (k != current) {
                    product *= (middle + half * point - sigma(i - k)) / (sigma(i - current) - sigma(i - k));
                }
            }
            sum += product;
        }
        return half * sum;
    }
}
