package diffusion.cpu;

import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.set;
import static diffusion.cpu.Memory.store;

import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.CrossEntropyGrad;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Ema;
import diffusion.graph.TrainOp.Fill;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.LossGrad;
import diffusion.graph.TrainOp.OptimizerStep;
import jdk.incubator.vector.FloatVector;

/** Losses, optimisers and averages. */
final class Training {
    private Training() {}

    static void fill(CpuEmitter out, Fill op) {
        long y = out.address(op.y());
        FloatVector value = FloatVector.broadcast(Memory.SPECIES, op.value());
        Pointwise.vectors(out, op.y(), (from, to) -> {
            for (long i = from; i < to; i += Memory.VECTOR) {
                store(y + i, value);
            }
        });
    }

    /** One sum a sample (in parallel), then their sum in order. */
    static void loss(CpuEmitter out, Loss op) {
        int samples = op.x().dim(0);
        int size = op.x().sizeFrom(1);
        long x = out.address(op.x());
        long target = out.address(op.target());
        long weight = out.address(op.weight());
        reduce(out, op.y(), samples, op.x().size(), n -> {
            double sum = 0;
            for (int i = 0; i < size; i++) {
                long at = 4 * ((long) n * size + i);
                sum += distance(op.distance(), get(x + at) - get(target + at), op.delta());
            }
            return get(weight + 4L * n) * sum;
        });
    }

    /** A number for each sample. */
    @FunctionalInterface
    interface PerSample {
        double value(int sample);
    }

    /** y = the sum over samples, divided by {@code divisor}. */
    static void reduce(CpuEmitter out, Tensor y, int samples, double divisor, PerSample body) {
        double[] sums = new double[samples];
        long yAt = out.address(y);
        Pointwise.rows(out, samples, n -> sums[n] = body.value(n));
        out.step((worker, _) -> {
            if (worker == 0) {
                double total = 0;
                for (double sum : sums) {
                    total += sum;
                }
                set(yAt, (float) (total / divisor));
            }
        });
    }

    private static double distance(Distance kind, double d, double delta) {
        return switch (kind) {
            case L2 -> d * d;
            case L1 -> Math.abs(d);
            case HUBER -> Math.abs(d) <= delta ? d * d / 2 : delta * (Math.abs(d) - delta / 2);
        };
    }

    static void lossGrad(CpuEmitter out, LossGrad op) {
        int size = op.x().sizeFrom(1);
        long x = out.address(op.x());
        long target = out.address(op.target());
        long weight = out.address(op.weight());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        double all = op.x().size();
        Pointwise.rows(out, op.x().dim(0), n -> {
            double factor = get(weight + 4L * n) * get(dy) / all;
            for (int i = 0; i < size; i++) {
                long at = 4 * ((long) n * size + i);
                double d = get(x + at) - get(target + at);
                double slope = switch (op.distance()) {
                    case L2 -> 2 * d;
                    case L1 -> Math.signum(d);
                    case HUBER -> Math.clamp(d, -op.delta(), op.delta());
                };
                set(dx + at, (float) (factor * slope));
            }
        });
    }

    static void crossEntropy(CpuEmitter out, CrossEntropy op) {
        int classes = op.x().dim(1);
        long x = out.address(op.x());
        long label = out.address(op.label());
        reduce(out, op.y(), op.x().dim(0), op.x().dim(0), n -> {
            long row = x + 4L * n * classes;
            return logSumExp(row, classes) - get(row + 4L * Layout.index(get(label + 4L * n), classes));
        });
    }

    static void crossEntropyGrad(CpuEmitter out, CrossEntropyGrad op) {
        int samples = op.x().dim(0);
        int classes = op.x().dim(1);
        long x = out.address(op.x());
        long label = out.address(op.label());
        long dy = out.address(op.dy());
        long dx = out.address(op.dx());
        Pointwise.rows(out, samples, n -> {
            long row = 4L * n * classes;
            double norm = logSumExp(x + row, classes);
            int right = Layout.index(get(label + 4L * n), classes);
            for (int k = 0; k < classes; k++) {
                double p = Math.exp(get(x + row + 4L * k) - norm);
                set(dx + row + 4L * k, (float) ((p - (k == right ? 1 : 0)) * get(dy) / samples));
            }
        });
    }

    private static double logSumExp(long row, int n) {
        double max = Double.NEGATIVE_INFINITY;
        for (int k = 0; k < n; k++) {
            max = Math.max(max, get(row + 4L * k));
        }
        double sum = 0;
        for (int k = 0; k < n; k++) {
            sum += Math.exp(get(row + 4L * k) - max);
        }
        return max + Math.log(sum);
    }

    static void globalNorm(CpuEmitter out, GlobalNorm op) {
        int count = op.xs().size();
        long[] xs = op.xs().stream().mapToLong(out::address).toArray();
        int[] sizes = op.xs().stream().mapToInt(Tensor::size).toArray();
        double[] sums = new double[count];
        long y = out.address(op.y());
        Pointwise.rows(out, count, i -> sums[i] = Reductions.squares(xs[i], sizes[i], 0));
        out.step((worker, _) -> {
            if (worker == 0) {
                double total = 0;
                for (double sum : sums) {
                    total += sum;
                }
                set(y, (float) Math.sqrt(total));
            }
        });
    }

    static void optimizer(CpuEmitter out, OptimizerStep op) {
        long w = out.address(op.w());
        long grad = out.address(op.grad());
        long m = out.address(op.m());
        long v = out.address(op.v());
        long normAt = out.address(op.norm());
        long hyper = out.address(op.hyper());
        Pointwise.vectors(out, op.w(), (from, to) -> {
            float gradScale = get(hyper + 4L * OptimizerStep.GRAD_SCALE);
            float maxNorm = get(hyper + 4L * OptimizerStep.MAX_NORM);
            float norm = gradScale * get(normAt);
            float factor = maxNorm > 0 ? gradScale * Math.min(1, maxNorm / (norm + 1e-6f)) : gradScale;
            FloatVector zero = FloatVector.zero(Memory.SPECIES);
            for (long i = from; i < to; i += Memory.VECTOR) {
                FloatVector g = load(grad + i).mul(factor);
                update(op, w + i, m + i, v + i, g, hyper);
                store(grad + i, zero);
            }
        });
        out.changes(op.w());
    }

    private static void update(OptimizerStep op, long w, long m, long v, FloatVector g, long hyper) {
        float lr = get(hyper + 4L * OptimizerStep.LR);
        float beta1 = get(hyper + 4L * OptimizerStep.BETA1);
        float beta2 = get(hyper + 4L * OptimizerStep.BETA2);
        float eps = get(hyper + 4L * OptimizerStep.EPS);
        float decay = get(hyper + 4L * OptimizerStep.DECAY);
        FloatVector weight = load(w);
        switch (op.rule()) {
            case ADAM, ADAMW -> {
                FloatVector gradient = g;
                if (op.rule() == diffusion.graph.TrainOp.Optimizer.ADAM) {
                    gradient = g.add(weight.mul(decay));
                } else {
                    weight = weight.mul(1 - lr * decay);
                }
                FloatVector mean = load(m).mul(beta1).add(gradient.mul(1 - beta1));
                FloatVector square =
                        load(v).mul(beta2).add(gradient.mul(gradient).mul(1 - beta2));
                float step = lr / get(hyper + 4L * OptimizerStep.CORRECTION1);
                float root = (float) Math.sqrt(get(hyper + 4L * OptimizerStep.CORRECTION2));
                store(m, mean);
                store(v, square);
                weight = weight.sub(mean.mul(step).div(square.sqrt().div(root).add(eps)));
            }
            case RMSPROP -> {
                FloatVector gradient = g.add(weight.mul(decay));
                FloatVector square =
                        load(v).mul(beta2).add(gradient.mul(gradient).mul(1 - beta2));
                FloatVector buffer =
                        load(m).mul(beta1).add(gradient.div(square.sqrt().add(eps)));
                store(v, square);
                store(m, buffer);
                weight = weight.sub(buffer.mul(lr));
            }
            case SGD, SGD_NESTEROV -> {
                FloatVector gradient = g.add(weight.mul(decay));
                FloatVector buffer = load(m).mul(beta1).add(gradient);
                store(m, buffer);
                boolean nesterov = op.rule() == diffusion.graph.TrainOp.Optimizer.SGD_NESTEROV;
                weight = weight.sub((nesterov ? gradient.add(buffer.mul(beta1)) : buffer).mul(lr));
            }
        }
        store(w, weight);
    }

    static void ema(CpuEmitter out, Ema op) {
        long w = out.address(op.w());
        long ema = out.address(op.ema());
        long decay = out.address(op.decay());
        Pointwise.vectors(out, op.w(), (from, to) -> {
            float keep = get(decay);
            for (long i = from; i < to; i += Memory.VECTOR) {
                FloatVector average = load(ema + i);
                store(ema + i, average.sub(average.sub(load(w + i)).mul(1 - keep)));
            }
        });
        out.changes(op.ema());
    }
}
