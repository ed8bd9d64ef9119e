package diffusion.graph;

import java.util.List;
import org.jspecify.annotations.Nullable;

/** Convolution, matrix products and attention. */
public sealed interface MatrixOp extends Op {

    /** Zero padding and stride of a 2-d convolution or window. */
    record Window(int stride, int top, int left, int bottom, int right) {
        /** The same padding on every side. */
        public static Window of(int stride, int padding) {
            return new Window(stride, padding, padding, padding, padding);
        }

        /** Output height for {@code size} rows and a kernel of {@code kernel} rows. */
        public int outHeight(int size, int kernel) {
            return (size + top + bottom - kernel) / stride + 1;
        }

        /** Output width for {@code size} columns and a kernel of {@code kernel} columns. */
        public int outWidth(int size, int kernel) {
            return (size + left + right - kernel) / stride + 1;
        }
    }

    /** y[N,K,Ho,Wo] = x[N,C,H,W] cross-correlated with w[K,C,R,S], plus bias[K]. */
    record Conv2d(Tensor x, Tensor w, @Nullable Tensor bias, Tensor y, Window window) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return Op.list(x, w, bias);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = the gradient of {@link Conv2d} by x. */
    record Conv2dGradInput(Tensor dy, Tensor w, Tensor dx, Window window) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return List.of(dy, w);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** dw += the gradient of {@link Conv2d} by w; dBias += the sum of dy over N, H and W. */
    record Conv2dGradWeight(
            Tensor x, Tensor dy, Tensor dw, @Nullable Tensor dBias, Window window) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return Op.list(x, dy, dw, dBias);
        }

        @Override
        public List<Tensor> writes() {
            return Op.list(dw, dBias);
        }
    }

    /** y[..., M] = x[..., K] times the transpose of w[M, K], plus bias[M]. */
    record Linear(Tensor x, Tensor w, @Nullable Tensor bias, Tensor y) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return Op.list(x, w, bias);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx[..., K] = dy[..., M] times w[M, K]. */
    record LinearGradInput(Tensor dy, Tensor w, Tensor dx) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return List.of(dy, w);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** dw[M, K] += the transpose of dy[..., M] times x[..., K]; dBias[M] += the sum of dy over the rows. */
    record LinearGradWeight(
            Tensor x, Tensor dy, Tensor dw, @Nullable Tensor dBias) implements MatrixOp {
        @Override
        public List<Tensor> reads() {
            return Op.list(x, dy, dw, dBias);
        }

        @Override
        public List<Tensor> writes() {
            return Op.list(dw, dBias);
        }
    }

    /**
     * y[B,Nq,C] = softmax(scale * q k^T) v for each of {@code heads} slices of the channels, with q[B,Nq,C] and k, v
     * [B,Nk,C] (Vaswani et al. 2017, equation 1). If {@code causal}, query i sees keys 0 to i only.
     */
    record Attention(Tensor q, Tensor k, Tensor v, Tensor y, int heads, float scale, boolean causal)
            implements MatrixOp {
        /** Attention to all keys. */
        public Attention(Tensor q, Tensor k, Tensor v, Tensor y, int heads, float scale) {
            this(q, k, v, y, heads, scale, false);
        }

        @Override
        public List<Tensor> reads() {
            return List.of(q, k, v);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dq, dk, dv = the gradients of {@link Attention}; the softmax is computed anew, y is not kept. */
    record AttentionGrad(
            Tensor q,
            Tensor k,
            Tensor v,
            Tensor dy,
            Tensor dq,
            Tensor dk,
            Tensor dv,
            int heads,
            float scale,
            boolean causal)
            implements MatrixOp {
        /** The gradients of attention to all keys. */
        public AttentionGrad(
                Tensor q, Tensor k, Tensor v, Tensor dy, Tensor dq, Tensor dk, Tensor dv, int heads, float scale) {
            this(q, k, v, dy, dq, dk, dv, heads, scale, false);
        }

        @Override
        public List<Tensor> reads() {
            return List.of(q, k, v, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dq, dk, dv);
        }
    }
}
