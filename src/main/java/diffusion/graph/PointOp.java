package diffusion.graph;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** Normalisation and pointwise ops. */
public sealed interface PointOp extends Op {

    /**
     * y[N,C,...] = gamma[C] * (x - mean) / sqrt(var + eps) + beta[C] with mean and (biased) variance over each of
     * {@code groups} groups of channels (Wu and He 2018), followed by SiLU if {@code silu}.
     */
    record GroupNorm(Tensor x, Tensor gamma, Tensor beta, Tensor y, int groups, float eps, boolean silu)
            implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, gamma, beta);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = and dGamma, dBeta += the gradients of {@link GroupNorm}; statistics are computed anew from x. */
    record GroupNormGrad(
            Tensor x,
            Tensor gamma,
            Tensor beta,
            Tensor dy,
            Tensor dx,
            Tensor dGamma,
            Tensor dBeta,
            int groups,
            float eps,
            boolean silu)
            implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, gamma, beta, dy, dGamma, dBeta);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx, dGamma, dBeta);
        }
    }

    /** Pointwise functions, as torch.nn.functional defines them. */
    enum Function {
        /** max(x, 0). */
        RELU,
        /** x * sigmoid(x), also called swish. */
        SILU,
        /** x * Phi(x) with the error function (not the tanh approximation). */
        GELU,
        /** x * sigmoid(1.702 x), OpenAI's approximation of GELU. */
        QUICK_GELU,
        /** x * tanh(softplus(x)). */
        MISH,
        /** The hyperbolic tangent. */
        TANH,
        /** 1 / x. */
        RECIPROCAL
    }

    /** y = f(x) elementwise. */
    record Activation(Tensor x, Tensor y, Function function) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = dy * f'(x) elementwise. */
    record ActivationGrad(Tensor x, Tensor dy, Tensor dx, Function function) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y[..., C] = a * f(b) with x[..., 2C] = [a, b]: gated linear units (Shazeer 2020); diffusers' GEGLU with f = GELU. */
    record Gate(Tensor x, Tensor y, Function function) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx[..., 2C] = the gradient of {@link Gate}: [dy * f(b), dy * a * f'(b)]. */
    record GateGrad(Tensor x, Tensor dy, Tensor dx, Function function) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y = alpha * a + beta * b elementwise; without b, y = alpha * a. */
    record Add(Tensor a, @Nullable Tensor b, Tensor y, float alpha, float beta) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return Op.list(a, b);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y[N,C,...] = x[N,C,...] + c[N,C]: one number per channel. */
    record AddChannel(Tensor x, Tensor c, Tensor y) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, c);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y[N,C] = the sum of x[N,C,...] over the positions of each channel; the gradient of {@link AddChannel} by c. */
    record SumChannel(Tensor x, Tensor y) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y[N,C,...] = x * (1 + s[N, c]) + s[N, C + c] with s[N, 2C]: diffusers' "scale_shift" time conditioning. */
    record Modulate(Tensor x, Tensor s, Tensor y) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, s);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx, ds = the gradients of {@link Modulate}. */
    record ModulateGrad(Tensor x, Tensor s, Tensor dy, Tensor dx, Tensor ds) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, s, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx, ds);
        }
    }

    /** y = the sum over i of c[i] * x_i, with coefficients c[k] for all samples or c[N, k] for each sample of axis 0. */
    record LinearCombination(List<Tensor> xs, Tensor c, Tensor y) implements PointOp {
        /** Copies the list. */
        public LinearCombination {
            xs = List.copyOf(xs);
        }

        @Override
        public List<Tensor> reads() {
            List<Tensor> all = new ArrayList<>(xs);
            all.add(c);
            return all;
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /**
     * y = x / (1 - p) where an element is kept, else 0; kept elements follow from {@link #keeps} of seed[1], a whole
     * number, the layer and the element's index, so every backend drops the same ones and the op is its own gradient.
     */
    record Dropout(Tensor x, Tensor seed, Tensor y, int layer, float p) implements PointOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, seed);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }

        /** Whether element {@code index} is kept: a 32-bit hash of seed, layer and index, compared with p. */
        public static boolean keeps(int seed, int layer, int index, float p) {
            int h = index * 0x9E3779B9 + (seed + 1) * 0x85EBCA6B + layer * 0xC2B2AE35;
            h = (h ^ (h >>> 16)) * 0x7FEB352D;
            h = (h ^ (h >>> 15)) * 0x846CA68B;
            h ^= h >>> 16;
            return (h >>> 8) * 0x1p-24f >= p;
        }
    }
}
