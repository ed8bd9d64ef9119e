package diffusion.backend.reference;

import diffusion.backend.reference.ReferenceProgram.Data;
import diffusion.graph.MatrixOp;
import diffusion.graph.MatrixOp.Attention;
import diffusion.graph.MatrixOp.AttentionGrad;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Conv2dGradInput;
import diffusion.graph.MatrixOp.Conv2dGradWeight;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.LinearGradInput;
import diffusion.graph.MatrixOp.LinearGradWeight;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;

/** What {@link MatrixOp}s mean. */
final class MatrixOps {
    private MatrixOps() {}

    static void run(MatrixOp matrix, Data data) {
        switch (matrix) {
            case Conv2d op -> conv2d(op, data);
            case Conv2dGradInput op -> conv2dGradInput(op, data);
            case Conv2dGradWeight op -> conv2dGradWeight(op, data);
            case Linear op -> linear(op, data);
            case LinearGradInput op -> linearGradInput(op, data);
            case LinearGradWeight op -> linearGradWeight(op, data);
            case Attention op -> attention(op, data);
            case AttentionGrad op -> attentionGrad(op, data);
        }
    }

    /** Visits every product of a convolution: an input element, a weight and the output element it adds to. */
    private interface Product {
        void at(int x, int w, int y);
    }

    private static void products(Tensor x, Tensor w, Tensor y, Window window, Product product) {
        for (int n = 0; n < y.dim(0); n++) {
            for (int k = 0; k < y.dim(1); k++) {
                for (int i = 0; i < y.dim(2); i++) {
                    for (int j = 0; j < y.dim(3); j++) {
                        int yIndex = ((n * y.dim(1) + k) * y.dim(2) + i) * y.dim(3) + j;
                        for (int c = 0; c < x.dim(1); c++) {
                            for (int r = 0; r < w.dim(2); r++) {
                                for (int s = 0; s < w.dim(3); s++) {
                                    int row = i * window.stride() - window.top() + r;
                                    int column = j * window.stride() - window.left() + s;
                                    if (row >= 0 && row < x.dim(2) && column >= 0 && column < x.dim(3)) {
                                        product.at(
                                                ((n * x.dim(1) + c) * x.dim(2) + row) * x.dim(3) + column,
                                                ((k * x.dim(1) + c) * w.dim(2) + r) * w.dim(3) + s,
                                                yIndex);
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    private static void conv2d(Conv2d op, Data data) {
        float[] x = data.of(op.x());
        float[] w = data.of(op.w());
        double[] y = new double[op.y().size()];
        products(op.x(), op.w(), op.y(), op.window(), (i, j, k) -> y[k] += (double) x[i] * w[j]);
        if (op.bias() != null) {
            float[] bias = data.of(op.bias());
            int pixels = op.y().sizeFrom(2);
            for (int i = 0; i < y.length; i++) {
                y[i] += bias[i / pixels % bias.length];
            }
        }
        round(y, data.of(op.y()));
    }

    private static void conv2dGradInput(Conv2dGradInput op, Data data) {
        float[] dy = data.of(op.dy());
        float[] w = data.of(op.w());
        double[] dx = new double[op.dx().size()];
        products(op.dx(), op.w(), op.dy(), op.window(), (i, j, k) -> dx[i] += (double) dy[k] * w[j]);
        round(dx, data.of(op.dx()));
    }

    private static void conv2dGradWeight(Conv2dGradWeight op, Data data) {
        float[] x = data.of(op.x());
        float[] dy = data.of(op.dy());
        double[] dw = new double[op.dw().size()];
        products(op.x(), op.dw(), op.dy(), op.window(), (i, j, k) -> dw[j] += (double) dy[k] * x[i]);
        accumulate(dw, data.of(op.dw()));
        if (op.dBias() != null) {
            double[] dBias = new double[op.dBias().size()];
            int pixels = op.dy().sizeFrom(2);
            for (int i = 0; i < dy.length; i++) {
                dBias[i / pixels % dBias.length] += dy[i];
            }
            accumulate(dBias, data.of(op.dBias()));
        }
    }

    private static void linear(Linear op, Data data) {
        float[] x = data.of(op.x());
        float[] w = data.of(op.w());
        float[] y = data.of(op.y());
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        for (int i = 0; i < y.length; i++) {
            int row = i / outputs;
            int m = i % outputs;
            double sum = op.bias() == null ? 0 : data.of(op.bias())[m];
            for (int k = 0; k < inputs; k++) {
                sum += (double) x[row * inputs + k] * w[m * inputs + k];
            }
            y[i] = (float) sum;
        }
    }

    private static void linearGradInput(LinearGradInput op, Data data) {
        float[] dy = data.of(op.dy());
        float[] w = data.of(op.w());
        float[] dx = data.of(op.dx());
        int inputs = op.w().dim(1);
        int outputs = op.w().dim(0);
        for (int i = 0; i < dx.length; i++) {
            double sum = 0;
            for (int m = 0; m < outputs; m++) {
                sum += (double) dy[i / inputs * outputs + m] * w[m * inputs + i % inputs];
            }
            dx[i] = (float) sum;
        }
    }

    private static void linearGradWeight(LinearGradWeight op, Data data) {
        float[] x = data.of(op.x());
        float[] dy = data.of(op.dy());
        int inputs = op.dw().dim(1);
        int outputs = op.dw().dim(0);
        double[] dw = new double[op.dw().size()];
        double[] dBias = new double[outputs];
        for (int row = 0; row < x.length / inputs; row++) {
            for (int m = 0; m < outputs; m++) {
                dBias[m] += dy[row * outputs + m];
                for (int k = 0; k < inputs; k++) {
                    dw[m * inputs + k] += (double) dy[row * outputs + m] * x[row * inputs + k];
                }
            }
        }
        accumulate(dw, data.of(op.dw()));
        if (op.dBias() != null) {
            accumulate(dBias, data.of(op.dBias()));
        }
    }

    /** Where one head of one sample lies: element (row, d) at start + row * channels + d. */
    private record Head(float[] data, int start, int channels) {
        double get(int row, int d) {
            return data[start + row * channels + d];
        }
    }

    private static Head head(Tensor tensor, Data data, int sample, int head, int heads) {
        int channels = tensor.dim(2);
        return new Head(data.of(tensor), sample * tensor.dim(1) * channels + head * (channels / heads), channels);
    }

    /** Row {@code i} of softmax(scale q k^T). */
    private static double[] weights(Head q, Head k, int i, int keys, int size, double scale) {
        double[] p = new double[keys];
        double max = Double.NEGATIVE_INFINITY;
        for (int j = 0; j < keys; j++) {
            for (int d = 0; d < size; d++) {
                p[j] += q.get(i, d) * k.get(j, d) * scale;
            }
            max = Math.max(max, p[j]);
        }
        double sum = 0;
        for (int j = 0; j < keys; j++) {
            p[j] = Math.exp(p[j] - max);
            sum += p[j];
        }
        for (int j = 0; j < keys; j++) {
            p[j] /= sum;
        }
        return p;
    }

    private static void attention(Attention op, Data data) {
        int size = op.q().dim(2) / op.heads();
        int keys = op.k().dim(1);
        for (int n = 0; n < op.q().dim(0); n++) {
            for (int h = 0; h < op.heads(); h++) {
                Head q = head(op.q(), data, n, h, op.heads());
                Head k = head(op.k(), data, n, h, op.heads());
                Head v = head(op.v(), data, n, h, op.heads());
                for (int i = 0; i < op.q().dim(1); i++) {
                    double[] p = weights(q, k, i, op.causal() ? i + 1 : keys, size, op.scale());
                    for (int d = 0; d < size; d++) {
                        double sum = 0;
                        for (int j = 0; j < p.length; j++) {
                            sum += p[j] * v.get(j, d);
                        }
                        data.of(op.y())[q.start + i * q.channels + d] = (float) sum;
                    }
                }
            }
        }
    }

    private static void attentionGrad(AttentionGrad op, Data data) {
        int size = op.q().dim(2) / op.heads();
        int keys = op.k().dim(1);
        double[] dq = new double[op.dq().size()];
        double[] dk = new double[op.dk().size()];
        double[] dv = new double[op.dv().size()];
        for (int n = 0; n < op.q().dim(0); n++) {
            for (int h = 0; h < op.heads(); h++) {
                Head q = head(op.q(), data, n, h, op.heads());
                Head k = head(op.k(), data, n, h, op.heads());
                Head v = head(op.v(), data, n, h, op.heads());
                Head dy = head(op.dy(), data, n, h, op.heads());
                for (int i = 0; i < op.q().dim(1); i++) {
                    double[] p = weights(q, k, i, op.causal() ? i + 1 : keys, size, op.scale());
                    double[] dp = new double[p.length];
                    double mean = 0;
                    for (int j = 0; j < p.length; j++) {
                        for (int d = 0; d < size; d++) {
                            dp[j] += dy.get(i, d) * v.get(j, d);
                            dv[v.start + j * v.channels + d] += p[j] * dy.get(i, d);
                        }
                        mean += p[j] * dp[j];
                    }
                    for (int j = 0; j < p.length; j++) {
                        double ds = p[j] * (dp[j] - mean) * op.scale();
                        for (int d = 0; d < size; d++) {
                            dq[q.start + i * q.channels + d] += ds * k.get(j, d);
                            dk[k.start + j * k.channels + d] += ds * q.get(i, d);
                        }
                    }
                }
            }
        }
        round(dq, data.of(op.dq()));
        round(dk, data.of(op.dk()));
        round(dv, data.of(op.dv()));
    }

    static void round(double[] from, float[] to) {
        for (int i = 0; i < to.length; i++) {
            to[i] = (float) from[i];
        }
    }

    static void accumulate(double[] from, float[] to) {
        for (int i = 0; i < to.length; i++) {
            to[i] = (float) (to[i] + from[i]);
        }
    }
}
