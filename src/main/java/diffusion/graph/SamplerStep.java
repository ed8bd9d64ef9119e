package diffusion.graph;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One step of any sampler; x[N,C,...] and the history are states, updated in place.
 *
 * <pre>
 * x0   = clip(PX * x + PM * m)            m is the first C channels of the model's output
 * x    = CX * x + CM * m + C0 * x0 + sum_i H[i] * history[i] + NOISE * z * s
 * if PUSH: history[i + 1] = history[i], history[0] = EX * x + EM * m + E0 * x0   with x from before the step
 * </pre>
 *
 * <p>clip is to [CLIP_MIN, CLIP_MAX]; if THRESHOLD_RATIO is above 0 it is dynamic thresholding instead (Saharia et
 * al. 2022, section 2.3): q = the ratio-quantile of |x0| of a sample, bounded to [1, THRESHOLD_MAX] (THRESHOLD_MAX, if
 * that is below 1), x0 = clip(x0, -q, q) / q. s is 1, or from v, the second C channels of the model's output: sqrt(v) if VARIANCE is 1, exp((VAR_MIN
 * + (VAR_MAX - VAR_MIN) (v + 1) / 2) / 2) if it is 2. If VARIANCE is 3 it is a step of Langevin dynamics (Song et al. 2021,
 * algorithm 4): CM counts a times and NOISE sqrt(2 a) times, a = 2 (VAR_MIN |z| / |m|)^2, where |.| is the norm of a sample in
 * the mean over the samples. Terms whose coefficient is 0 are not read, so z may hold
 * anything when NOISE is 0. x0Out, if given, receives x0.
 */
public record SamplerStep(
        Tensor x,
        Tensor m,
        Tensor z,
        List<Tensor> history,
        Tensor c,
        @Nullable Tensor x0Out) implements Op {
    /** Indices into {@code c}. */
    public static final int PX = 0;

    /** See the formula. */
    public static final int PM = 1;

    /** Lower bound of x0; negative infinity for none. */
    public static final int CLIP_MIN = 2;

    /** Upper bound of x0; infinity for none. */
    public static final int CLIP_MAX = 3;

    /** Quantile of dynamic thresholding; 0 for none. */
    public static final int THRESHOLD_RATIO = 4;

    /** Largest threshold. */
    public static final int THRESHOLD_MAX = 5;

    /** See the formula. */
    public static final int CX = 6;

    /** See the formula. */
    public static final int CM = 7;

    /** See the formula. */
    public static final int C0 = 8;

    /** Standard deviation of the added noise. */
    public static final int NOISE = 9;

    /** 0 fixed, 1 learned, 2 learned range, 3 Langevin. */
    public static final int VARIANCE = 10;

    /** Log variance at v = -1; signal to noise ratio of Langevin dynamics. */
    public static final int VAR_MIN = 11;

    /** Log variance at v = 1. */
    public static final int VAR_MAX = 12;

    /** See the formula. */
    public static final int EX = 13;

    /** See the formula. */
    public static final int EM = 14;

    /** See the formula. */
    public static final int E0 = 15;

    /** Not 0 to push a history entry. */
    public static final int PUSH = 16;

    /** Coefficient of history[0]; those of older entries follow. */
    public static final int H = 17;

    /** Copies the list. */
    public SamplerStep {
        history = List.copyOf(history);
    }

    @Override
    public List<Tensor> reads() {
        List<Tensor> all = new ArrayList<>(List.of(x, m, z, c));
        all.addAll(history);
        return all;
    }

    @Override
    public List<Tensor> writes() {
        List<Tensor> all = new ArrayList<>(history);
        all.add(x);
        if (x0Out != null) {
            all.add(x0Out);
        }
        return all;
    }
}
