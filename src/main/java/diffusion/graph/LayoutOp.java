package diffusion.graph;

import java.util.List;

/** Ops that move, repeat, pool or look up data. */
public sealed interface LayoutOp extends Op {

    /** y = the same elements as x in another shape; a backend may give both the same memory. */
    record Reshape(Tensor x, Tensor y) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y[B,K,R] = x[B,R,K] with the last two axes exchanged. */
    record Transpose(Tensor x, Tensor y) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y = xs joined along {@code axis}. */
    record Concat(List<Tensor> xs, Tensor y, int axis) implements LayoutOp {
        /** Copies the list. */
        public Concat {
            xs = List.copyOf(xs);
        }

        @Override
        public List<Tensor> reads() {
            return xs;
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** y = x from {@code start} on along {@code axis}, as long as y. */
    record Slice(Tensor x, Tensor y, int axis, int start) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = dy at its place along {@code axis} and zero elsewhere: the gradient of {@link Slice}. */
    record SliceGrad(Tensor dy, Tensor dx, int axis, int start) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y[N,C,fH,gW] = every pixel of x[N,C,H,W] repeated f times down and g times across (nearest neighbour). */
    record Upsample(Tensor x, Tensor y) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = the sum of dy over the pixels that came from one: the gradient of {@link Upsample}. */
    record UpsampleGrad(Tensor dy, Tensor dx) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y[N,C,H/f,W/g] = the mean of each f x g window of x[N,C,H,W]; rows and columns left over are ignored. */
    record AvgPool(Tensor x, Tensor y, int f, int g) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = the gradient of {@link AvgPool}. */
    record AvgPoolGrad(Tensor dy, Tensor dx, int f, int g) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y[N,D] = rows of table[V,D] chosen by index[N], whole numbers held as floats. */
    record Embedding(Tensor index, Tensor table, Tensor y) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(index, table);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dTable[V,D] += dy[N,D] at the rows chosen by index[N]. */
    record EmbeddingGrad(Tensor index, Tensor dy, Tensor dTable) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(index, dy, dTable);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dTable);
        }
    }

    /**
     * y[N,D] = sines and cosines of angles t[N] * f[D/2]: [sin, cos], or [cos, sin] if {@code flip}, with a zero column
     * added when D is odd (diffusers' Timesteps and GaussianFourierProjection; f is what differs). If {@code log}, the
     * logarithm of t takes its place.
     */
    record SinusoidalEmbedding(Tensor t, Tensor f, Tensor y, boolean flip, boolean log) implements LayoutOp {
        @Override
        public List<Tensor> reads() {
            return List.of(t, f);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }
}
