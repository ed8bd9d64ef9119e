package diffusion.backend.reference;

import diffusion.backend.reference.ReferenceProgram.Data;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.CrossEntropyGrad;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Ema;
import diffusion.graph.TrainOp.Fill;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.LossGrad;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.graph.TrainOp.VlbLoss;
import diffusion.graph.TrainOp.VlbLossGrad;
import java.util.Arrays;

/** What {@link TrainOp}s mean. */
final class TrainOps {
    private TrainOps() {}

    static void run(TrainOp train, Data data) {
        switch (train) {
            case Fill(var y, float value) -> Arrays.fill(data.of(y), value);
            case Loss op -> loss(op, data);
            case LossGrad op -> lossGrad(op, data);
            case CrossEntropy op -> crossEntropy(op, data);
            case CrossEntropyGrad op -> crossEntropyGrad(op, data);
            case VlbLoss op -> vlb(op, data);
            case VlbLossGrad op -> vlbGrad(op, data);
            case GlobalNorm op -> globalNorm(op, data);
            case OptimizerStep op -> optimizer(op, data);
            case Ema(var w, var ema, var decay) -> {
                double keep = data.of(decay)[0];
                float[] average = data.of(ema);
                for (int i = 0; i < average.length; i++) {
                    average[i] = (float) (keep * average[i] + (1 - keep) * data.of(w)[i]);
                }
            }
        }
    }

    private static void loss(Loss op, Data data) {
        int size = op.x().sizeFrom(1);
        double sum = 0;
        for (int i = 0; i < op.x().size(); i++) {
            double d = (double) data.of(op.x())[i] - data.of(op.target())[i];
            double value = switch (op.distance()) {
                case L2 -> d * d;
                case L1 -> Math.abs(d);
                case HUBER -> Math.abs(d) <= op.delta() ? d * d / 2 : op.delta() * (Math.abs(d) - op.delta() / 2.0);
            };
            sum += data.of(op.weight())[i / size] * value;
        }
        data.of(op.y())[0] = (float) (sum / op.x().size());
    }

    private static void lossGrad(LossGrad op, Data data) {
        int size = op.x().sizeFrom(1);
        for (int i = 0; i < op.x().size(); i++) {
            double d = (double) data.of(op.x())[i] - data.of(op.target())[i];
            double slope = op.distance() == Distance.L2
                    ? 2 * d
                    : op.distance() == Distance.L1 ? Math.signum(d) : Math.clamp(d, -op.delta(), op.delta());
            data.of(op.dx())[i] =
                    (float) (data.of(op.weight())[i / size] * slope / op.x().size() * data.of(op.dy())[0]);
        }
    }

    /** The logarithm of the sum of the exponentials of one sample, safe from overflow. */
    private static double logSumExp(float[] x, int row, int classes) {
        double max = Double.NEGATIVE_INFINITY;
        for (int k = 0; k < classes; k++) {
            max = Math.max(max, x[row * classes + k]);
        }
        double sum = 0;
        for (int k = 0; k < classes; k++) {
            sum += Math.exp(x[row * classes + k] - max);
        }
        return max + Math.log(sum);
    }

    private static int label(Tensor label, Data data, int n, int classes) {
        float value = data.of(label)[n];
        if (!(value >= 0 && value < classes)) {
            throw new IllegalArgumentException("label " + value + " is not in 0.." + (classes - 1));
        }
        return (int) value;
    }

    private static void crossEntropy(CrossEntropy op, Data data) {
        int classes = op.x().dim(1);
        double sum = 0;
        for (int n = 0; n < op.x().dim(0); n++) {
            float right = data.of(op.x())[n * classes + label(op.label(), data, n, classes)];
            sum += logSumExp(data.of(op.x()), n, classes) - right;
        }
        data.of(op.y())[0] = (float) (sum / op.x().dim(0));
    }

    private static void crossEntropyGrad(CrossEntropyGrad op, Data data) {
        int classes = op.x().dim(1);
        int samples = op.x().dim(0);
        for (int n = 0; n < samples; n++) {
            double norm = logSumExp(data.of(op.x()), n, classes);
            int right = label(op.label(), data, n, classes);
            for (int k = 0; k < classes; k++) {
                double p = Math.exp(data.of(op.x())[n * classes + k] - norm);
                data.of(op.dx())[n * classes + k] =
                        (float) ((p - (k == right ? 1 : 0)) / samples * data.of(op.dy())[0]);
            }
        }
    }

    /** One element of the variational bound, in nats, as a function of its variance output. */
    private static double vlbTerm(double v, double trueMean, double mean, double x0, float[] c, int n) {
        double min = c[4 * n + 1];
        double max = c[4 * n + 2];
        double l = min + (max - min) * (v + 1) / 2;
        if (c[4 * n + 3] == 0) {
            double q = c[4 * n];
            return 0.5 * (l - q - 1 + Math.exp(q - l) + (trueMean - mean) * (trueMean - mean) * Math.exp(-l));
        }
        double inverse = Math.exp(-l / 2);
        double upper = x0 > 0.999 ? 1 : cdf((x0 - mean + 1 / 255.0) * inverse);
        double lower = x0 < -0.999 ? 0 : cdf((x0 - mean - 1 / 255.0) * inverse);
        return -Math.log(Math.max(upper - lower, 1e-12));
    }

    private static double cdf(double z) {
        return 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z)));
    }

    private static void vlb(VlbLoss op, Data data) {
        int size = op.v().sizeFrom(1);
        double sum = 0;
        for (int i = 0; i < op.v().size(); i++) {
            sum += vlbTerm(
                    data.of(op.v())[i],
                    data.of(op.trueMean())[i],
                    data.of(op.mean())[i],
                    data.of(op.x0())[i],
                    data.of(op.c()),
                    i / size);
        }
        data.of(op.y())[0] = (float) (sum / op.v().size() / Math.log(2));
    }

    /** By central differences in double: the definition, not a derivation of it. */
    private static void vlbGrad(VlbLossGrad op, Data data) {
        int size = op.v().sizeFrom(1);
        double h = 1e-5;
        for (int i = 0; i < op.v().size(); i++) {
            double v = data.of(op.v())[i];
            double trueMean = data.of(op.trueMean())[i];
            double mean = data.of(op.mean())[i];
            double x0 = data.of(op.x0())[i];
            float[] c = data.of(op.c());
            double slope =
                    (vlbTerm(v + h, trueMean, mean, x0, c, i / size) - vlbTerm(v - h, trueMean, mean, x0, c, i / size))
                            / (2 * h);
            data.of(op.dv())[i] = (float) (slope / op.v().size() / Math.log(2) * data.of(op.dy())[0]);
        }
    }

    private static void globalNorm(GlobalNorm op, Data data) {
        double sum = 0;
        for (Tensor x : op.xs()) {
            for (float value : data.of(x)) {
                sum += (double) value * value;
            }
        }
        data.of(op.y())[0] = (float) Math.sqrt(sum);
    }

    private static void optimizer(OptimizerStep op, Data data) {
        float[] hyper = data.of(op.hyper());
        double lr = hyper[OptimizerStep.LR];
        double beta1 = hyper[OptimizerStep.BETA1];
        double beta2 = hyper[OptimizerStep.BETA2];
        double eps = hyper[OptimizerStep.EPS];
        double decay = hyper[OptimizerStep.DECAY];
        double maxNorm = hyper[OptimizerStep.MAX_NORM];
        double scale = hyper[OptimizerStep.GRAD_SCALE];
        if (maxNorm > 0) {
            scale *= Math.min(1, maxNorm / (scale * data.of(op.norm())[0] + 1e-6));
        }
        float[] w = data.of(op.w());
        float[] grad = data.of(op.grad());
        float[] m = data.of(op.m());
        float[] v = data.of(op.v());
        for (int i = 0; i < w.length; i++) {
            double g = grad[i] * scale;
            double weight = w[i];
            switch (op.rule()) {
                case ADAM, ADAMW -> {
                    if (op.rule() == TrainOp.Optimizer.ADAM) {
                        g += decay * weight;
                    } else {
                        weight *= 1 - lr * decay;
                    }
                    m[i] = (float) (beta1 * m[i] + (1 - beta1) * g);
                    v[i] = (float) (beta2 * v[i] + (1 - beta2) * g * g);
                    double mean = m[i] / hyper[OptimizerStep.CORRECTION1];
                    double root = Math.sqrt(v[i] / hyper[OptimizerStep.CORRECTION2]);
                    weight -= lr * mean / (root + eps);
                }
                case RMSPROP -> {
                    g += decay * weight;
                    v[i] = (float) (beta2 * v[i] + (1 - beta2) * g * g);
                    m[i] = (float) (beta1 * m[i] + g / (Math.sqrt(v[i]) + eps));
                    weight -= lr * m[i];
                }
                case SGD, SGD_NESTEROV -> {
                    g += decay * weight;
                    m[i] = (float) (beta1 * m[i] + g);
                    weight -= lr * (op.rule() == TrainOp.Optimizer.SGD ? m[i] : g + beta1 * m[i]);
                }
            }
            w[i] = (float) weight;
            grad[i] = 0;
        }
    }
}
