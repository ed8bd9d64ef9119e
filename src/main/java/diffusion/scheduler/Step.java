package diffusion.scheduler;

import diffusion.graph.SamplerStep;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The coefficients of one step of a sampler; every sampler is this formula with other numbers.
 *
 * <pre>
 * x0 = clip(px * x + pm * m)                                m: the model's output for this step
 * x' = cx * x + cm * m + c0 * x0 + sum_i h[i] * history[i] + n * z
 * e  = ex * x + em * m + e0 * x0                            pushed in front of the history if push, x from before
 * </pre>
 *
 * <p>{@code clip} is to [clipMin, clipMax] (infinite for none), or if {@code thresholdRatio > 0} dynamic thresholding
 * per sample: s = the ratio-quantile of |x0| (linear interpolation) bounded to [1, thresholdMax], or thresholdMax if
 * that is below 1; x0 = clip(x0, -s, s) / s (Saharia et al. 2022). history[0] is the newest entry; all are zero at the
 * start. {@code n} is {@code noise}, times what {@code varianceKind} reads from the model. A term whose coefficient is
 * zero is not read. {@code needsNoise} says that diffusers draws z at this step, also where n happens to be zero.
 *
 * <p>How samplers fit. Since x is linear in what earlier steps read, an x saved some calls ago need not be stored: it
 * is solved for from the present x and the history, and enters as a coefficient of both.
 *
 * <ul>
 *   <li>DDIM, DDPM, Euler, Euler ancestral, LCM, TCD, consistency, EDM, flow matching: no history.
 *   <li>DPM++ 2M, 3M and their SDE forms: e = x0. DEIS, iPNDM, PLMS: e = eps. LMS: e = (x - x0) / sigma.
 *   <li>Heun, DPM2, DPM++ singlestep, the Runge-Kutta steps of PNDM: one step a model call; the first pushes d (or eps,
 *       or x0), the next solve x_saved = x - dt * history[0].
 *   <li>DPM++ singlestep with noise, DPM++ SDE: the noise of the first call is not recorded, so x_saved cannot be solved for;
 *       the first call pushes the very sum of x_saved and x0 that the second needs.
 *   <li>UniPC, SA-Solver: e = x0. The corrector redoes the predictor's step from the same x_last, with the same noise, so what
 *       it changes is a sum of outputs; corrector and next predictor multiply out to one row of coefficients.
 *   <li>Noise added before a step (s_churn): m is known by then, so it scales like the noise of the step.
 *   <li>ScoreSdeVe: one step a model call; its corrector's length is Langevin's.
 * </ul>
 *
 * @param px coefficient of x in x0
 * @param pm coefficient of m in x0
 * @param varMin log variance at v = -1, for LEARNED_RANGE; the signal to noise ratio, for LANGEVIN
 * @param varMax log variance at v = +1, for LEARNED_RANGE
 */
public record Step(
        double px,
        double pm,
        double clipMin,
        double clipMax,
        double thresholdRatio,
        double thresholdMax,
        double cx,
        double cm,
        double c0,
        List<Double> h,
        double noise,
        boolean needsNoise,
        VarianceKind varianceKind,
        double varMin,
        double varMax,
        double ex,
        double em,
        double e0,
        boolean push) {
    /** Copies the list. */
    public Step {
        h = List.copyOf(h);
    }

    /** How x0 follows from x and m, and how it is clipped: the part that depends on parameterisation only. */
    public record Denoiser(
            double px, double pm, double clipMin, double clipMax, double thresholdRatio, double thresholdMax) {
        /** Without clipping. */
        static Denoiser unclipped(double px, double pm) {
            return new Denoiser(px, pm, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, 0, 1);
        }

        /** This denoiser in a step x' = cx x + cm m + c0 x0, without history and noise. */
        public Step step(double cx, double cm, double c0) {
            return new Step(
                    px,
                    pm,
                    clipMin,
                    clipMax,
                    thresholdRatio,
                    thresholdMax,
                    cx,
                    cm,
                    c0,
                    List.of(),
                    0,
                    false,
                    VarianceKind.NONE,
                    0,
                    0,
                    0,
                    0,
                    0,
                    false);
        }
    }

    /** This step with noise of a standard deviation added. */
    public Step withNoise(double std) {
        return withNoise(std, VarianceKind.NONE, 0, 0);
    }

    /** This step with noise whose variance the model says. */
    public Step withNoise(double std, VarianceKind kind, double min, double max) {
        return new Step(
                px,
                pm,
                clipMin,
                clipMax,
                thresholdRatio,
                thresholdMax,
                cx,
                cm,
                c0,
                h,
                std,
                true,
                kind,
                min,
                max,
                ex,
                em,
                e0,
                push);
    }

    /** This step reading the history with the coefficients {@code h}, newest first. */
    public Step withHistory(double... coefficients) {
        List<Double> list = Arrays.stream(coefficients).boxed().toList();
        return new Step(
                px,
                pm,
                clipMin,
                clipMax,
                thresholdRatio,
                thresholdMax,
                cx,
                cm,
                c0,
                list,
                noise,
                needsNoise,
                varianceKind,
                varMin,
                varMax,
                ex,
                em,
                e0,
                push);
    }

    /** This step pushing {@code ex x + em m + e0 x0} on the history. */
    public Step withPush(double fromX, double fromM, double fromX0) {
        return new Step(
                px,
                pm,
                clipMin,
                clipMax,
                thresholdRatio,
                thresholdMax,
                cx,
                cm,
                c0,
                h,
                noise,
                needsNoise,
                varianceKind,
                varMin,
                varMax,
                fromX,
                fromM,
                fromX0,
                true);
    }

    /** The coefficients as the op {@link SamplerStep} reads them, for a history of {@code historySize} entries. */
    public float[] toFloats(int historySize) {
        float[] c = new float[SamplerStep.H + historySize];
        c[SamplerStep.PX] = (float) px;
        c[SamplerStep.PM] = (float) pm;
        c[SamplerStep.CLIP_MIN] = (float) clipMin;
        c[SamplerStep.CLIP_MAX] = (float) clipMax;
        c[SamplerStep.THRESHOLD_RATIO] = (float) thresholdRatio;
        c[SamplerStep.THRESHOLD_MAX] = (float) thresholdMax;
        c[SamplerStep.CX] = (float) cx;
        c[SamplerStep.CM] = (float) cm;
        c[SamplerStep.C0] = (float) c0;
        c[SamplerStep.NOISE] = (float) noise;
        c[SamplerStep.VARIANCE] = switch (varianceKind) {
            case NONE -> 0;
            case LEARNED -> 1;
            case LEARNED_RANGE -> 2;
            case LANGEVIN -> 3;
        };
        c[SamplerStep.VAR_MIN] = (float) varMin;
        c[SamplerStep.VAR_MAX] = (float) varMax;
        c[SamplerStep.EX] = (float) ex;
        c[SamplerStep.EM] = (float) em;
        c[SamplerStep.E0] = (float) e0;
        c[SamplerStep.PUSH] = push ? 1 : 0;
        for (int i = 0; i < h.size(); i++) {
            c[SamplerStep.H + i] = h.get(i).floatValue();
        }
        return c;
    }

    /**
     * Does the step in double precision on the host: what the tests and point data use.
     *
     * @param x the state, [samples, d]
     * @param m the model's output, [samples, d], or [samples, 2 d] where the variance is learned
     * @param z standard normal noise, [samples, d]; may be null if {@link #noise} is 0
     * @param history newest first; gains an entry if {@link #push}, and is shortened by its user
     * @return x', [samples, d]
     */
    public double[] apply(double[] x, double[] m, double @Nullable [] z, List<double[]> history, int samples) {
        int d = x.length / samples;
        int stride = m.length / samples; // d or 2 d
        double[] x0 = predictX0(x, m, samples);
        double[] out = new double[x.length];
        double[] entry = new double[push ? x.length : 0];
        double length = varianceKind == VarianceKind.LANGEVIN && z != null ? langevin(m, z, samples) : 1;
        double strength = varianceKind == VarianceKind.LANGEVIN ? Math.sqrt(2 * length) : 1;
        for (int i = 0; i < x.length; i++) {
            int inM = i / d * stride + i % d;
            double sum = term(cx, x[i]) + term(cm * length, m[inM]) + term(c0, x0[i]);
            for (int k = 0; k < h.size(); k++) {
                if (h.get(k) != 0) {
                    sum += h.get(k) * history.get(k)[i];
                }
            }
            if (noise != 0 && z != null) {
                sum += noise * strength * z[i] * (learned() ? spread(m[inM + d]) : 1);
            }
            out[i] = sum;
            if (push) {
                entry[i] = term(ex, x[i]) + term(em, m[inM]) + term(e0, x0[i]);
            }
        }
        if (push) {
            history.addFirst(entry);
        }
        return out;
    }

    /** The denoised state x0 [samples, d] after clipping; arguments as in {@link #apply}. */
    public double[] predictX0(double[] x, double[] m, int samples) {
        int d = x.length / samples;
        int stride = m.length / samples;
        double[] x0 = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            double value = term(px, x[i]) + term(pm, m[i / d * stride + i % d]);
            x0[i] = thresholdRatio > 0 ? value : Math.clamp(value, clipMin, clipMax);
        }
        if (thresholdRatio > 0) {
            for (int from = 0; from < x.length; from += d) {
                threshold(x0, from, from + d);
            }
        }
        return x0;
    }

    private void threshold(double[] x0, int from, int to) {
        List<Double> sorted = new ArrayList<>(to - from);
        for (int i = from; i < to; i++) {
            sorted.add(Math.abs(x0[i]));
        }
        sorted.sort(null);
        double position = thresholdRatio * (to - from - 1);
        int low = (int) position;
        int high = Math.min(low + 1, to - from - 1);
        double q = sorted.get(low) + (sorted.get(high) - sorted.get(low)) * (position - low);
        double s = Math.min(Math.max(q, 1), thresholdMax);
        for (int i = from; i < to; i++) {
            x0[i] = Math.clamp(x0[i], -s, s) / s;
        }
    }

    private boolean learned() {
        return varianceKind == VarianceKind.LEARNED || varianceKind == VarianceKind.LEARNED_RANGE;
    }

    private double spread(double v) {
        return switch (varianceKind) {
            case NONE, LANGEVIN -> 1;
            case LEARNED -> Math.sqrt(v);
            case LEARNED_RANGE -> Math.exp(0.5 * (varMin + (varMax - varMin) * (v + 1) / 2));
        };
    }

    private double langevin(double[] m, double[] z, int samples) {
        double ratio = varMin * norms(z, samples) / norms(m, samples);
        return 2 * ratio * ratio;
    }

    private static double norms(double[] values, int samples) {
        double sum = 0;
        for (int n = 0; n < samples; n++) {
            double squares = 0;
            for (int i = 0; i < values.length / samples; i++) {
                double v = values[n * (values.length / samples) + i];
                squares += v * v;
            }
            sum += Math.sqrt(squares);
        }
        return sum / samples;
    }

    private static double term(double coefficient, double value) {
        return coefficient == 0 ? 0 : coefficient * value;
    }
}
