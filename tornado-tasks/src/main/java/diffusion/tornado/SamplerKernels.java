package diffusion.tornado;

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

import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * One step of a sampler in parts, see {@link diffusion.graph.SamplerStep}; the coefficients c are read from {@code mem}
 * at every step, so nothing is compiled again. x[n, size]; samples of m are modelSize elements apart.
 */
final class SamplerKernels {
    private SamplerKernels() {}

    /** A term that is not read when its coefficient is 0. */
    private static float term(FloatArray mem, float coefficient, int at) {
        return coefficient == 0 ? 0 : coefficient * mem.get(at);
    }

    /** x0 = PX x + PM m, clipped unless thresholding is dynamic; parallel over elements. */
    static void predict(FloatArray mem, int x, int m, int c, int x0, int n, int size, int modelSize) {
        for (@Parallel int i = 0; i < n * size; i++) {
            float value =
                    term(mem, mem.get(c + PX), x + i) + term(mem, mem.get(c + PM), m + i / size * modelSize + i % size);
            if (mem.get(c + THRESHOLD_RATIO) <= 0) {
                float min = mem.get(c + CLIP_MIN);
                float max = mem.get(c + CLIP_MAX);
                value = value < min ? min : value > max ? max : value;
            }
            mem.set(x0 + i, value);
        }
    }

    /** The number {@code rank} places above the smallest of |x0|: bisection by counting, then the next one above. */
    private static float ranked(FloatArray mem, int x0, int size, int rank, float largest) {
        float low = -1;
        float high = largest;
        for (int round = 0; round < 64; round++) {
            float middle = low + (high - low) * 0.5f;
            int below = 0;
            for (int i = 0; i < size; i++) {
                below += TornadoMath.abs(mem.get(x0 + i)) <= middle ? 1 : 0;
            }
            if (below > rank) {
                high = middle;
            } else {
                low = middle;
            }
        }
        float found = largest;
        for (int i = 0; i < size; i++) {
            float value = TornadoMath.abs(mem.get(x0 + i));
            found = value > low && value < found ? value : found;
        }
        return found;
    }

    /** Dynamic thresholding of x0, when the coefficients ask for it; parallel over samples. */
    static void threshold(FloatArray mem, int x0, int c, int n, int size) {
        for (@Parallel int sample = 0; sample < n; sample++) {
            float ratio = mem.get(c + THRESHOLD_RATIO);
            if (ratio > 0) {
                int from = x0 + sample * size;
                float largest = 0;
                for (int i = 0; i < size; i++) {
                    largest = TornadoMath.max(largest, TornadoMath.abs(mem.get(from + i)));
                }
                float position = ratio * (size - 1);
                int below = (int) position;
                float lower = ranked(mem, from, size, below, largest);
                float upper = ranked(mem, from, size, below + 1 < size ? below + 1 : below, largest);
                float q = lower + (upper - lower) * (position - below);
                q = TornadoMath.min(TornadoMath.max(q, 1), mem.get(c + THRESHOLD_MAX));
                for (int i = 0; i < size; i++) {
                    float value = mem.get(from + i);
                    value = value < -q ? -q : value > q ? q : value;
                    mem.set(from + i, value / q);
                }
            }
        }
    }

    /** The length of a step of Langevin dynamics when the coefficients ask for it, else 1; one thread. */
    static void langevin(FloatArray mem, int m, int z, int c, int length, int n, int size, int modelSize) {
        for (@Parallel int one = 0; one < 1; one++) {
            float found = 1;
            if (mem.get(c + VARIANCE) == 3) {
                float noises = 0;
                float outputs = 0;
                for (int sample = 0; sample < n; sample++) {
                    float squares = 0;
                    float squaresOut = 0;
                    for (int i = 0; i < size; i++) {
                        float noise = mem.get(z + sample * size + i);
                        float output = mem.get(m + sample * modelSize + i);
                        squares += noise * noise;
                        squaresOut += output * output;
                    }
                    noises += TornadoMath.sqrt(squares);
                    outputs += TornadoMath.sqrt(squaresOut);
                }
                float ratio = mem.get(c + VAR_MIN) * noises / outputs;
                found = 2 * ratio * ratio;
            }
            mem.set(length + one, found);
        }
    }

    /** next = CX x + CM m + C0 x0 + NOISE z s, where the last two but one depend on length; parallel over elements. */
    static void combine(
            FloatArray mem, int x, int m, int z, int c, int x0, int length, int next, int n, int size, int modelSize) {
        for (@Parallel int i = 0; i < n * size; i++) {
            int model = m + i / size * modelSize + i % size;
            float value = term(mem, mem.get(c + CX), x + i)
                    + term(mem, mem.get(c + CM) * mem.get(length), model)
                    + term(mem, mem.get(c + C0), x0 + i);
            float noise = mem.get(c + NOISE);
            if (noise != 0) {
                float spread = 1;
                float variance = mem.get(c + VARIANCE);
                if (variance == 1) {
                    spread = TornadoMath.sqrt(mem.get(model + size));
                }
                if (variance == 2) {
                    float share = (mem.get(model + size) + 1) / 2;
                    float min = mem.get(c + VAR_MIN);
                    spread = TornadoMath.exp((min + (mem.get(c + VAR_MAX) - min) * share) / 2);
                }
                if (variance == 3) {
                    spread = TornadoMath.sqrt(2 * mem.get(length));
                }
                value += noise * mem.get(z + i) * spread;
            }
            mem.set(next + i, value);
        }
    }

    /** next += H[k] history[k], for the k-th entry; parallel over elements. */
    static void addHistory(FloatArray mem, int history, int c, int next, int k, int size) {
        for (@Parallel int i = 0; i < size; i++) {
            mem.set(next + i, mem.get(next + i) + term(mem, mem.get(c + H + k), history + i));
        }
    }

    /** older = newer, when the coefficients say PUSH; parallel over elements. */
    static void shift(FloatArray mem, int newer, int older, int c, int size) {
        for (@Parallel int i = 0; i < size; i++) {
            if (mem.get(c + PUSH) != 0) {
                mem.set(older + i, mem.get(newer + i));
            }
        }
    }

    /** history = EX x + EM m + E0 x0, when the coefficients say PUSH; parallel over elements. */
    static void push(FloatArray mem, int x, int m, int x0, int c, int history, int n, int size, int modelSize) {
        for (@Parallel int i = 0; i < n * size; i++) {
            if (mem.get(c + PUSH) != 0) {
                float value = term(mem, mem.get(c + EX), x + i)
                        + term(mem, mem.get(c + EM), m + i / size * modelSize + i % size)
                        + term(mem, mem.get(c + E0), x0 + i);
                mem.set(history + i, value);
            }
        }
    }
}
