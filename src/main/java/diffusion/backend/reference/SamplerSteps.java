package diffusion.backend.reference;

import static diffusion.graph.SamplerStep.C0;
import static diffusion.graph.SamplerStep.CLIP_MAX;
import static diffusion.graph.SamplerStep.CLIP_MIN;
import static diffusion.graph.SamplerStep.CM;
import static diffusion.graph.SamplerStep.CX;
import static diffusion.graph.SamplerStep.E0;
import static diffusion.graph.SamplerStep.EM;
import static diffusion.graph.SamplerStep.EX;
import static diffusion.graph.SamplerStep.H;
import static diffusion.graph.SamplerStep.NOISE;
import static diffusion.graph.SamplerStep.PM;
import static diffusion.graph.SamplerStep.PUSH;
import static diffusion.graph.SamplerStep.PX;
import static diffusion.graph.SamplerStep.THRESHOLD_MAX;
import static diffusion.graph.SamplerStep.THRESHOLD_RATIO;
import static diffusion.graph.SamplerStep.VARIANCE;
import static diffusion.graph.SamplerStep.VAR_MAX;
import static diffusion.graph.SamplerStep.VAR_MIN;

import diffusion.backend.reference.ReferenceProgram.Data;
import diffusion.graph.SamplerStep;
import java.util.Arrays;

/** What a {@link SamplerStep} means. */
final class SamplerSteps {
    private SamplerSteps() {}

    static void run(SamplerStep op, Data data) {
        int size = op.x().sizeFrom(1);
        double length = data.of(op.c())[VARIANCE] == 3 ? langevin(op, data) : 1;
        for (int n = 0; n < op.x().dim(0); n++) {
            sample(op, data, n, size, length);
        }
    }

    /** The length of a step of Langevin dynamics. */
    private static double langevin(SamplerStep op, Data data) {
        int size = op.x().sizeFrom(1);
        double z = 0;
        double m = 0;
        for (int n = 0; n < op.x().dim(0); n++) {
            z += norm(data.of(op.z()), n * size, size);
            m += norm(data.of(op.m()), n * op.m().sizeFrom(1), size);
        }
        double ratio = data.of(op.c())[VAR_MIN] * z / m;
        return 2 * ratio * ratio;
    }

    private static double norm(float[] values, int from, int size) {
        double squares = 0;
        for (int i = from; i < from + size; i++) {
            squares += (double) values[i] * values[i];
        }
        return Math.sqrt(squares);
    }

    private static void sample(SamplerStep op, Data data, int n, int size, double length) {
        float[] c = data.of(op.c());
        float[] x = data.of(op.x());
        float[] m = data.of(op.m());
        int modelSize = op.m().sizeFrom(1);
        boolean dynamic = c[THRESHOLD_RATIO] > 0;
        double[] x0 = new double[size];
        for (int i = 0; i < size; i++) {
            double value = term(c[PX], x[n * size + i]) + term(c[PM], m[n * modelSize + i]);
            x0[i] = dynamic ? value : Math.min(Math.max(value, c[CLIP_MIN]), c[CLIP_MAX]);
        }
        if (dynamic) {
            threshold(x0, c[THRESHOLD_RATIO], c[THRESHOLD_MAX]);
        }
        int entries = op.history().size();
        for (int i = 0; i < size; i++) {
            int at = n * size + i;
            double old = x[at];
            double model = m[n * modelSize + i];
            double next = term(c[CX], old) + term(c[CM] * length, model) + term(c[C0], x0[i]);
            for (int k = 0; k < entries; k++) {
                next += term(c[H + k], data.of(op.history().get(k))[at]);
            }
            if (c[NOISE] != 0) {
                boolean learned = c[VARIANCE] == 1 || c[VARIANCE] == 2;
                double spread = learned ? deviation(c, m[n * modelSize + size + i]) : 1;
                spread *= c[VARIANCE] == 3 ? Math.sqrt(2 * length) : 1;
                next += c[NOISE] * data.of(op.z())[at] * spread;
            }
            if (c[PUSH] != 0 && entries > 0) {
                for (int k = entries - 1; k > 0; k--) {
                    data.of(op.history().get(k))[at] = data.of(op.history().get(k - 1))[at];
                }
                data.of(op.history().getFirst())[at] =
                        (float) (term(c[EX], old) + term(c[EM], model) + term(c[E0], x0[i]));
            }
            x[at] = (float) next;
            if (op.x0Out() != null) {
                data.of(op.x0Out())[at] = (float) x0[i];
            }
        }
    }

    /** A term that is not read when its coefficient is 0. */
    private static double term(double coefficient, double value) {
        return coefficient == 0 ? 0 : coefficient * value;
    }

    private static double deviation(float[] c, double v) {
        if (c[VARIANCE] == 1) {
            return Math.sqrt(v);
        }
        return Math.exp((c[VAR_MIN] + (c[VAR_MAX] - c[VAR_MIN]) * (v + 1) / 2) / 2);
    }

    private static void threshold(double[] x0, double ratio, double max) {
        double[] sorted = Arrays.stream(x0).map(Math::abs).sorted().toArray();
        double position = ratio * (sorted.length - 1);
        int below = (int) position;
        double upper = sorted[Math.min(below + 1, sorted.length - 1)];
        double q = sorted[below] + (upper - sorted[below]) * (position - below);
        q = Math.min(Math.max(q, 1), max);
        for (int i = 0; i < x0.length; i++) {
            x0[i] = Math.clamp(x0[i], -q, q) / q;
        }
    }
}
