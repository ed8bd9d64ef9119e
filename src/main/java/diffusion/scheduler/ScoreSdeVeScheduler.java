package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Predictor and corrector of the variance-exploding process (Song et al. 2021, algorithms 2 and 4), whose models answer with the
 * score; diffusers' ScoreSdeVeScheduler.
 *
 * <p>Every timestep is {@code correct_steps} calls of the corrector and one of the predictor; what the model sees is sigma. The
 * corrector's length follows from norms in the mean over a batch, so the pictures of a batch depend on one another, as in the
 * reference. A run ends with the predictor's noise still in the sample, of standard deviation sigma_min; diffusers' pipeline
 * leaves that out.
 */
public final class ScoreSdeVeScheduler extends ContinuousScheduler {
    private final int calls;
    private double[] times = {}; // from 1 down, one a timestep
    private double[] discrete = {}; // sigmas, ascending

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public ScoreSdeVeScheduler(SchedulerConfig config) {
        super(config);
        calls = config.integer("correct_steps") + 1;
        if (calls < 1) {
            throw new DiffusionException("found correct_steps " + (calls - 1) + ", expected at least 0");
        }
        setTimesteps(config.integer("num_train_timesteps"));
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 2000);
        keys.put("snr", 0.15);
        keys.put("sigma_min", 0.01);
        keys.put("sigma_max", 1348.0);
        keys.put("sampling_eps", 1e-5);
        keys.put("correct_steps", 1);
        return keys;
    }

    @Override
    public void setTimesteps(int n) {
        checkSteps(n);
        double min = config().number("sigma_min");
        double max = config().number("sigma_max");
        times = FlowSigmas.linspace(1, config().number("sampling_eps"), n);
        discrete = FlowSigmas.linspace(Math.log(min), Math.log(max), n);
        double[] sigmas = new double[calls * n + 1];
        double[] seen = new double[calls * n];
        for (int i = 0; i < n; i++) {
            times[i] = (float) times[i];
            discrete[i] = (float) Math.exp(discrete[i]);
            for (int call = 0; call < calls; call++) {
                sigmas[calls * i + call] = (float) (min * Math.pow(max / min, times[i]));
                seen[calls * i + call] = sigmas[calls * i + call];
            }
        }
        plan(new Sigmas.Run(seen, sigmas));
    }

    @Override
    public int order() {
        return calls;
    }

    @Override
    public double initNoiseSigma() {
        return config().number("sigma_max");
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        Step.Denoiser none = Step.Denoiser.unclipped(0, 0);
        if (i % calls < calls - 1) {
            return none.step(1, 1, 0).withNoise(1, VarianceKind.LANGEVIN, config().number("snr"), 0);
        }
        int at = (int) ((float) times[i / calls] * (times.length - 1));
        double below = at == 0 ? 0 : discrete[at - 1];
        double variance = discrete[at] * discrete[at] - below * below;
        return none.step(1, variance, 0).withNoise(Math.sqrt(variance));
    }
}
