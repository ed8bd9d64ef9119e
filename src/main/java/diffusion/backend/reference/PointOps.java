package diffusion.backend.reference;

import diffusion.backend.reference.ReferenceProgram.Data;
import diffusion.graph.PointOp;
import diffusion.graph.PointOp.Activation;
import diffusion.graph.PointOp.ActivationGrad;
import diffusion.graph.PointOp.Add;
import diffusion.graph.PointOp.AddChannel;
import diffusion.graph.PointOp.Dropout;
import diffusion.graph.PointOp.Function;
import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.PointOp.GroupNormGrad;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.PointOp.Modulate;
import diffusion.graph.PointOp.ModulateGrad;
import diffusion.graph.PointOp.SumChannel;
import java.util.function.IntToDoubleFunction;

/** What {@link PointOp}s mean. */
final class PointOps {
    private PointOps() {}

    static void run(PointOp point, Data data) {
        switch (point) {
            case GroupNorm op -> groupNorm(op, data);
            case GroupNormGrad op -> groupNormGrad(op, data);
            case Activation(var x, var y, var f) -> {
                float[] in = data.of(x);
                each(data.of(y), i -> value(f, in[i]));
            }
            case ActivationGrad(var x, var dy, var dx, var f) -> {
                float[] in = data.of(x);
                float[] gradient = data.of(dy);
                each(data.of(dx), i -> gradient[i] * slope(f, in[i]));
            }
            case PointOp.Gate(var x, var y, var f) -> {
                float[] in = data.of(x);
                int width = y.dim(-1);
                each(data.of(y), i -> in[i + i / width * width] * value(f, in[i + i / width * width + width]));
            }
            case PointOp.GateGrad(var x, var dy, var dx, var f) -> {
                float[] in = data.of(x);
                float[] gradient = data.of(dy);
                int width = dy.dim(-1);
                each(data.of(dx), i -> {
                    int row = i / (2 * width);
                    int column = i % (2 * width);
                    double d = gradient[row * width + column % width];
                    return column < width ? d * value(f, in[i + width]) : d * in[i - width] * slope(f, in[i]);
                });
            }
            case Add(var a, var b, var y, float alpha, float beta) -> {
                float[] left = data.of(a);
                float[] right = b == null ? new float[left.length] : data.of(b);
                each(data.of(y), i -> (double) alpha * left[i] + (double) beta * right[i]);
            }
            case AddChannel(var x, var c, var y) -> {
                float[] in = data.of(x);
                float[] perChannel = data.of(c);
                each(data.of(y), i -> (double) in[i] + perChannel[i / x.sizeFrom(2)]);
            }
            case SumChannel(var x, var y) -> {
                float[] in = data.of(x);
                each(data.of(y), i -> sum(in, i * x.sizeFrom(2), x.sizeFrom(2)));
            }
            case Modulate op -> modulate(op, data);
            case ModulateGrad op -> modulateGrad(op, data);
            case LinearCombination op -> linearCombination(op, data);
            case Dropout(var x, var seed, var y, int layer, float p) -> {
                float[] in = data.of(x);
                int whole = (int) data.of(seed)[0];
                each(data.of(y), i -> Dropout.keeps(whole, layer, i, p) ? in[i] / (1.0 - p) : 0);
            }
        }
    }

    private static void each(float[] y, IntToDoubleFunction value) {
        for (int i = 0; i < y.length; i++) {
            y[i] = (float) value.applyAsDouble(i);
        }
    }

    private static double sum(float[] x, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += x[i];
        }
        return sum;
    }

    private static double sigmoid(double x) {
        return 1 / (1 + Math.exp(-x));
    }

    private static double value(Function function, double x) {
        return switch (function) {
            case RELU -> Math.max(x, 0);
            case SILU -> x * sigmoid(x);
            case GELU -> x * normalCdf(x);
            case QUICK_GELU -> x * sigmoid(1.702 * x);
            case MISH -> x * Math.tanh(Math.log1p(Math.exp(x)));
            case TANH -> Math.tanh(x);
            case RECIPROCAL -> 1 / x;
        };
    }

    private static double slope(Function function, double x) {
        return switch (function) {
            case RELU -> x > 0 ? 1 : 0;
            case SILU -> sigmoid(x) * (1 + x * (1 - sigmoid(x)));
            case GELU -> normalCdf(x) + x * Math.exp(-x * x / 2) / Math.sqrt(2 * Math.PI);
            case MISH -> {
                double t = Math.tanh(Math.log1p(Math.exp(x)));
                yield t + x * sigmoid(x) * (1 - t * t);
            }
            case QUICK_GELU -> sigmoid(1.702 * x) * (1 + 1.702 * x * (1 - sigmoid(1.702 * x)));
            case TANH -> 1 - Math.tanh(x) * Math.tanh(x);
            case RECIPROCAL -> -1 / (x * x);
        };
    }

    /** The normal distribution by the Taylor series of erf, or its asymptotic continued fraction in the tails. */
    static double normalCdf(double x) {
        double z = Math.abs(x) / Math.sqrt(2);
        double erfc;
        if (z < 3) {
            double term = z;
            double sum = z;
            for (int n = 1; n < 80; n++) {
                term *= -z * z / n;
                sum += term / (2 * n + 1);
            }
            erfc = 1 - 2 / Math.sqrt(Math.PI) * sum;
        } else {
            double fraction = 0;
            for (int n = 60; n > 0; n--) {
                fraction = n / 2.0 / (z + fraction);
            }
            erfc = Math.exp(-z * z) / Math.sqrt(Math.PI) / (z + fraction);
        }
        return x < 0 ? erfc / 2 : 1 - erfc / 2;
    }

    /** Mean and 1 / standard deviation of the group that starts at {@code from}. */
    private record Moments(double mean, double inverse) {
        static Moments of(float[] x, int from, int count, double eps) {
            double mean = sum(x, from, count) / count;
            double variance = 0;
            for (int i = from; i < from + count; i++) {
                variance += (x[i] - mean) * (x[i] - mean);
            }
            return new Moments(mean, 1 / Math.sqrt(variance / count + eps));
        }
    }

    private static void groupNorm(GroupNorm op, Data data) {
        float[] x = data.of(op.x());
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        int size = channels / op.groups() * pixels;
        for (int group = 0; group < x.length / size; group++) {
            Moments moments = Moments.of(x, group * size, size, op.eps());
            for (int i = group * size; i < (group + 1) * size; i++) {
                int c = i / pixels % channels;
                double z = (x[i] - moments.mean) * moments.inverse * data.of(op.gamma())[c] + data.of(op.beta())[c];
                data.of(op.y())[i] = (float) (op.silu() ? value(Function.SILU, z) : z);
            }
        }
    }

    private static void groupNormGrad(GroupNormGrad op, Data data) {
        float[] x = data.of(op.x());
        float[] dy = data.of(op.dy());
        float[] gamma = data.of(op.gamma());
        float[] beta = data.of(op.beta());
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        int size = channels / op.groups() * pixels;
        double[] dGamma = new double[channels];
        double[] dBeta = new double[channels];
        for (int group = 0; group < x.length / size; group++) {
            Moments moments = Moments.of(x, group * size, size, op.eps());
            double[] dNormal = new double[size];
            double sum = 0;
            double product = 0;
            for (int i = 0; i < size; i++) {
                int index = group * size + i;
                int c = index / pixels % channels;
                double normal = (x[index] - moments.mean) * moments.inverse;
                double dz = dy[index] * (op.silu() ? slope(Function.SILU, normal * gamma[c] + beta[c]) : 1);
                dGamma[c] += dz * normal;
                dBeta[c] += dz;
                dNormal[i] = dz * gamma[c];
                sum += dNormal[i];
                product += dNormal[i] * normal;
            }
            for (int i = 0; i < size; i++) {
                double normal = (x[group * size + i] - moments.mean) * moments.inverse;
                data.of(op.dx())[group * size + i] =
                        (float) (moments.inverse * (dNormal[i] - sum / size - normal * product / size));
            }
        }
        MatrixOps.accumulate(dGamma, data.of(op.dGamma()));
        MatrixOps.accumulate(dBeta, data.of(op.dBeta()));
    }

    private static void modulate(Modulate op, Data data) {
        float[] x = data.of(op.x());
        float[] s = data.of(op.s());
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        each(data.of(op.y()), i -> {
            int n = i / pixels / channels;
            int c = i / pixels % channels;
            return x[i] * (1.0 + s[n * 2 * channels + c]) + s[n * 2 * channels + channels + c];
        });
    }

    private static void modulateGrad(ModulateGrad op, Data data) {
        float[] x = data.of(op.x());
        float[] s = data.of(op.s());
        float[] dy = data.of(op.dy());
        int channels = op.x().dim(1);
        int pixels = op.x().sizeFrom(2);
        double[] ds = new double[s.length];
        for (int i = 0; i < x.length; i++) {
            int scale = i / pixels / channels * 2 * channels + i / pixels % channels;
            data.of(op.dx())[i] = (float) (dy[i] * (1.0 + s[scale]));
            ds[scale] += (double) dy[i] * x[i];
            ds[scale + channels] += dy[i];
        }
        MatrixOps.round(ds, data.of(op.ds()));
    }

    private static void linearCombination(LinearCombination op, Data data) {
        float[] c = data.of(op.c());
        int terms = op.xs().size();
        int size = op.y().sizeFrom(1);
        each(data.of(op.y()), i -> {
            int row = op.c().rank() == 1 ? 0 : i / size;
            double sum = 0;
            for (int k = 0; k < terms; k++) {
                sum += (double) c[row * terms + k] * data.of(op.xs().get(k))[i];
            }
            return sum;
        });
    }
}
