package diffusion.tornado;

import diffusion.graph.TrainOp.OptimizerStep;
import uk.ac.manchester.tornado.api.annotations.Parallel;
import uk.ac.manchester.tornado.api.math.TornadoMath;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Losses, optimisers and averages over tensors at their places in {@code mem}.
 *
 * <p>Ops that touch every weight run over a table of tensors, so that one kernel serves them all: each entry holds a size
 * and the places of some tensors, and every number takes two floats, number = 65536 high + low, because a float alone
 * cannot hold it.
 */
final class TrainingKernels {
    static final int L2 = 0;
    static final int L1 = 1;
    static final int ADAM = 0;
    static final int ADAMW = 1;
    static final int RMSPROP = 2;
    static final int SGD = 3;

    /** Work items for each tensor of a table. */
    static final int LANES = 64;

    private TrainingKernels() {}

    private static int entry(FloatArray mem, int table, int index) {
        int high = (int) mem.get(table + 2 * index);
        int low = (int) mem.get(table + 2 * index + 1);
        return high * 65536 + low;
    }

    /** sums[n] = weight[n] times the sum of distances of one sample; parallel over samples. */
    static void loss(
            FloatArray mem, int x, int target, int weight, int sums, int n, int size, int distance, float delta) {
        for (@Parallel int sample = 0; sample < n; sample++) {
            float sum = 0;
            for (int i = 0; i < size; i++) {
                float d = mem.get(x + sample * size + i) - mem.get(target + sample * size + i);
                float abs = d < 0 ? -d : d;
                float huber = abs <= delta ? d * d / 2 : delta * (abs - delta / 2);
                sum += distance == L2 ? d * d : distance == L1 ? abs : huber;
            }
            mem.set(sums + sample, sum * mem.get(weight + sample));
        }
    }

    /** y = factor times the sum of sums[n]. */
    static void total(FloatArray mem, int sums, int y, int n, float factor) {
        for (@Parallel int one = 0; one < 1; one++) {
            float sum = 0;
            for (int i = 0; i < n; i++) {
                sum += mem.get(sums + i);
            }
            mem.set(y + one, sum * factor);
        }
    }

    /** Parallel over elements. */
    static void lossGrad(
            FloatArray mem, int x, int target, int weight, int dy, int dx, int n, int size, int distance, float delta) {
        for (@Parallel int i = 0; i < n * size; i++) {
            float d = mem.get(x + i) - mem.get(target + i);
            float sign = d > 0 ? 1 : d < 0 ? -1 : 0;
            float huber = d > delta ? delta : d < -delta ? -delta : d;
            float slope = distance == L2 ? 2 * d : distance == L1 ? sign : huber;
            mem.set(dx + i, mem.get(weight + i / size) * slope / (n * size) * mem.get(dy));
        }
    }

    private static float logSumExp(FloatArray mem, int x, int classes) {
        float max = mem.get(x);
        for (int k = 1; k < classes; k++) {
            max = TornadoMath.max(max, mem.get(x + k));
        }
        float sum = 0;
        for (int k = 0; k < classes; k++) {
            sum += TornadoMath.exp(mem.get(x + k) - max);
        }
        return max + TornadoMath.log(sum);
    }

    /** sums[n] = -log softmax(x[n])[label[n]]; parallel over samples. */
    static void crossEntropy(FloatArray mem, int x, int label, int sums, int n, int classes) {
        for (@Parallel int sample = 0; sample < n; sample++) {
            float chosen = mem.get(label + sample);
            boolean inside = chosen >= 0 && chosen < classes;
            int right = inside ? (int) chosen : 0;
            float loss = logSumExp(mem, x + sample * classes, classes) - mem.get(x + sample * classes + right);
            mem.set(sums + sample, inside ? loss : Functions.nan(chosen));
        }
    }

    /** Parallel over elements. */
    static void crossEntropyGrad(FloatArray mem, int x, int label, int dy, int dx, int n, int classes) {
        for (@Parallel int i = 0; i < n * classes; i++) {
            int sample = i / classes;
            float p = TornadoMath.exp(mem.get(x + i) - logSumExp(mem, x + sample * classes, classes));
            float right = (int) mem.get(label + sample) == i % classes ? 1 : 0;
            mem.set(dx + i, (p - right) / n * mem.get(dy));
        }
    }

    /** partial[LANES * tensors] = sums of squares of x, strided through each tensor; parallel over them. Entries: size, x. */
    static void squares(FloatArray mem, int table, int partial, int tensors) {
        for (@Parallel int tensor = 0; tensor < tensors; tensor++) {
            for (@Parallel int lane = 0; lane < LANES; lane++) {
                int size = entry(mem, table, 2 * tensor);
                int x = entry(mem, table, 2 * tensor + 1);
                float sum = 0;
                for (int i = lane; i < size; i += LANES) {
                    sum += mem.get(x + i) * mem.get(x + i);
                }
                mem.set(partial + tensor * LANES + lane, sum);
            }
        }
    }

    /** y = the root of the sum of partial[n]. */
    static void norm(FloatArray mem, int partial, int y, int n) {
        for (@Parallel int one = 0; one < 1; one++) {
            float sum = 0;
            for (int i = 0; i < n; i += LANES) {
                float row = 0;
                for (int j = i; j < i + LANES; j++) {
                    row += mem.get(partial + j);
                }
                sum += row;
            }
            mem.set(y + one, TornadoMath.sqrt(sum));
        }
    }

    /** One step of an optimiser for every weight. Entries: size, weight, gradient, m, v. */
    static void optimizer(FloatArray mem, int table, int norm, int hyper, int tensors, int rule, int nesterov) {
        for (@Parallel int tensor = 0; tensor < tensors; tensor++) {
            for (@Parallel int lane = 0; lane < LANES; lane++) {
                int size = entry(mem, table, 5 * tensor);
                int weight = entry(mem, table, 5 * tensor + 1);
                int gradient = entry(mem, table, 5 * tensor + 2);
                int first = entry(mem, table, 5 * tensor + 3);
                int second = entry(mem, table, 5 * tensor + 4);
                float lr = mem.get(hyper + OptimizerStep.LR);
                float beta1 = mem.get(hyper + OptimizerStep.BETA1);
                float beta2 = mem.get(hyper + OptimizerStep.BETA2);
                float eps = mem.get(hyper + OptimizerStep.EPS);
                float decay = mem.get(hyper + OptimizerStep.DECAY);
                float maxNorm = mem.get(hyper + OptimizerStep.MAX_NORM);
                float scale = mem.get(hyper + OptimizerStep.GRAD_SCALE);
                if (maxNorm > 0) {
                    float share = maxNorm / (scale * mem.get(norm) + 1e-6f);
                    scale = share < 1 ? scale * share : scale;
                }
                for (int i = lane; i < size; i += LANES) {
                    float w = mem.get(weight + i);
                    float g = mem.get(gradient + i) * scale;
                    float m = mem.get(first + i);
                    float v = mem.get(second + i);
                    if (rule == ADAMW) {
                        w *= 1 - lr * decay;
                    } else {
                        g += decay * w;
                    }
                    if (rule == ADAM || rule == ADAMW) {
                        m = beta1 * m + (1 - beta1) * g;
                        v = beta2 * v + (1 - beta2) * g * g;
                        float root = TornadoMath.sqrt(v / mem.get(hyper + OptimizerStep.CORRECTION2));
                        w -= lr * (m / mem.get(hyper + OptimizerStep.CORRECTION1)) / (root + eps);
                    } else if (rule == RMSPROP) {
                        v = beta2 * v + (1 - beta2) * g * g;
                        m = beta1 * m + g / (TornadoMath.sqrt(v) + eps);
                        w -= lr * m;
                    } else {
                        m = beta1 * m + g;
                        w -= lr * (nesterov == 1 ? g + beta1 * m : m);
                    }
                    mem.set(weight + i, w);
                    mem.set(first + i, m);
                    mem.set(second + i, v);
                    mem.set(gradient + i, 0);
                }
            }
        }
    }

    /** average = decay average + (1 - decay) weight. Entries: size, weight, average. */
    static void ema(FloatArray mem, int table, int decay, int tensors) {
        for (@Parallel int tensor = 0; tensor < tensors; tensor++) {
            for (@Parallel int lane = 0; lane < LANES; lane++) {
                int size = entry(mem, table, 3 * tensor);
                int weight = entry(mem, table, 3 * tensor + 1);
                int average = entry(mem, table, 3 * tensor + 2);
                float keep = mem.get(decay);
                for (int i = lane; i < size; i += LANES) {
                    mem.set(average + i, keep * mem.get(average + i) + (1 - keep) * mem.get(weight + i));
                }
            }
        }
    }
}
