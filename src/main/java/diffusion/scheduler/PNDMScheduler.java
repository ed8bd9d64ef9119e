package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Pseudo numerical methods (Liu et al. 2022): three Runge-Kutta steps of four calls, unless skipped, then the linear
 * multistep method of order four; diffusers' PNDMScheduler, which Stable Diffusion 1.x names as its own.
 *
 * <p>With {@code skip_prk_steps} the second timestep is visited twice: a trial step and its correction.
 */
public final class PNDMScheduler extends AlphaScheduler {
    private static final int ORDER = 4;
    private static final int CALLS = 3 * ORDER; // of the Runge-Kutta steps
    /** Weights of the newest and earlier slopes in the Adams-Bashforth methods of order 1 to 4. */
    static final double[][] ADAMS = {
        {1}, {3.0 / 2, -1.0 / 2}, {23.0 / 12, -16.0 / 12, 5.0 / 12}, {55.0 / 24, -59.0 / 24, 37.0 / 24, -9.0 / 24}
    };

    private static final double[] RUNGE_KUTTA = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6};

    private final boolean skip;
    private int prk; // calls of Runge-Kutta steps in this run
    private int n;
    private int begin;

    /** A move x' = x * fromX + eps * fromEps from one timestep to another. */
    private record Transfer(double fromX, double fromEps) {}

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public PNDMScheduler(SchedulerConfig config) {
        super(config);
        if (predictionType() == PredictionType.SAMPLE) {
            throw new DiffusionException("found prediction_type " + config.text("prediction_type")
                    + " for PNDMScheduler, expected epsilon or v_prediction");
        }
        skip = config.flag("skip_prk_steps");
        n = noise().length();
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("beta_start", 0.0001);
        keys.put("beta_end", 0.02);
        keys.put("beta_schedule", "linear");
        keys.put("trained_betas", new float[0]);
        keys.put("skip_prk_steps", false);
        keys.put("set_alpha_to_one", false);
        keys.put("prediction_type", "epsilon");
        keys.put("timestep_spacing", "leading");
        keys.put("steps_offset", 0);
        return keys;
    }

    @Override
    public void setTimesteps(int count) {
        int[] base = Timesteps.spaced(
                config().text("timestep_spacing"), noise().length(), count, config().integer("steps_offset"));
        if (!skip && base.length < ORDER) {
            throw new DiffusionException("found " + count + " inference steps, expected at least " + ORDER
                    + " for PNDMScheduler without skip_prk_steps; change --steps");
        }
        n = count;
        List<Integer> planned = new ArrayList<>();
        if (skip) {
            for (int i = 0; i < base.length; i++) {
                planned.add(base[i]);
                if (i == 1) {
                    planned.add(base[i]);
                }
            }
            prk = 0;
        } else {
            int half = noise().length() / n / 2;
            for (int k = 0; k < ORDER - 1; k++) {
                planned.addAll(List.of(base[k], base[k + 1] + half, base[k + 1] + half, base[k + 1]));
            }
            for (int i = ORDER - 1; i < base.length; i++) {
                planned.add(base[i]);
            }
            prk = CALLS;
        }
        plan(planned.stream().mapToInt(Integer::intValue).toArray());
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for PNDMScheduler, expected a number of steps");
    }

    /** A run that starts late must skip the Runge-Kutta steps, which lead from the first timesteps alone. */
    @Override
    public void setBeginIndex(int index) {
        if (index > 0 && prk > 0) {
            throw new DiffusionException("found a start at call " + index
                    + " of PNDMScheduler with its Runge-Kutta steps, which only the first can be; expected"
                    + " skip_prk_steps: take --scheduler plms");
        }
        begin = index;
    }

    @Override
    public int historySize() {
        return skip ? ORDER - 1 : CALLS - 3;
    }

    private float alphaBar(int t) {
        return t >= 0 ? noise().alphaBar(t) : config().flag("set_alpha_to_one") ? 1 : noise().alphaBar(0);
    }

    /** Liu et al. 2022, equation 9, in float32 as the reference has it. */
    private Transfer transfer(int from, int to) {
        float a = alphaBar(from);
        float b = alphaBar(to);
        float fromX = (float) Math.sqrt(b / a);
        float denominator = a * (float) Math.sqrt(1 - b) + (float) Math.sqrt(a * (1 - a) * b);
        float fromEps = -(b - a) / denominator;
        if (predictionType() == PredictionType.EPSILON) {
            return new Transfer(fromX, fromEps);
        }
        return new Transfer(fromX + (double) fromEps * Math.sqrt(1 - a), (double) fromEps * Math.sqrt(a));
    }

    @Override
    public Step step(int i) {
        int t = timestep(i);
        int stride = noise().length() / n;
        if (i < prk) {
            return rungeKutta(i);
        }
        // Runge-Kutta calls leave their first, second and third outputs; three of them are the older slopes.
        int call = i - (prk == 0 ? begin : prk);
        if (prk == 0 && call == 1) {
            // The correction of the trial step: again from the state before it, with the mean of both slopes.
            Transfer back = transfer(t + stride, t);
            Transfer trial = transfer(timestep(i - 1), timestep(i - 1) - stride);
            double ratio = back.fromX / trial.fromX;
            return plain(t, ratio, back.fromEps / 2).withHistory(back.fromEps / 2 - ratio * trial.fromEps);
        }
        // The correction, call 1, keeps no slope.
        int older = prk == 0 ? Math.clamp(call - 1L, 0, ORDER - 1) : ORDER - 1;
        Transfer move = transfer(t, t - stride);
        double[] weights = ADAMS[older];
        double[] h = new double[historySize()];
        for (int k = 1; k <= older; k++) {
            h[prk == 0 ? k - 1 : place(call, k)] = move.fromEps * weights[k];
        }
        return plain(t, move.fromX, move.fromEps * weights[0]).withHistory(h).withPush(0, 1, 0);
    }

    /** Where the k-th older slope lies: the multistep calls' own first, then the first output of each Runge-Kutta step. */
    private static int place(int call, int k) {
        return k <= call ? k - 1 : call + 3 * (k - call) - 1;
    }

    /** A step from t that does not need x0, of which previews, guides and {@code --stop} do. */
    private Step plain(int t, double cx, double cm) {
        double alpha = Math.sqrt(alphaBar(t));
        double sigma = Math.sqrt(1 - alphaBar(t));
        PredictionType type = predictionType();
        return Step.Denoiser.unclipped(type.sampleFactor(alpha), type.outputFactor(alpha, sigma))
                .step(cx, cm, 0);
    }

    private Step rungeKutta(int i) {
        int half = noise().length() / n / 2;
        int start = timestep(i / ORDER * ORDER);
        int call = i % ORDER;
        int t = timestep(i);
        Transfer move = transfer(start, t - (call % 2 == 0 ? half : 0));
        if (call == 0) {
            return plain(t, move.fromX, move.fromEps).withPush(0, 1, 0);
        }
        // The state before the step, from where the last call had led.
        Transfer last = transfer(start, timestep(i - 1) - ((call - 1) % 2 == 0 ? half : 0));
        double ratio = move.fromX / last.fromX;
        double[] h = new double[call];
        h[0] = -ratio * last.fromEps;
        if (call < ORDER - 1) {
            return plain(t, ratio, move.fromEps).withHistory(h[0]).withPush(0, 1, 0);
        }
        for (int k = 0; k < call; k++) {
            h[k] += move.fromEps * RUNGE_KUTTA[call - 1 - k];
        }
        return plain(t, ratio, move.fromEps * RUNGE_KUTTA[call]).withHistory(h);
    }
}
