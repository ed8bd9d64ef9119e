package diffusion.graph;

import java.util.List;

/** Losses, optimisers and averages. */
public sealed interface TrainOp extends Op {

    /** y = value everywhere. */
    record Fill(Tensor y, float value) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of();
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** Pointwise losses of d = prediction - target, as torch.nn.functional defines them. */
    enum Distance {
        /** d^2. */
        L2,
        /** |d|. */
        L1,
        /** d^2 / 2 for |d| up to delta, delta * (|d| - delta / 2) beyond. */
        HUBER
    }

    /** y[1] = the mean over all elements of weight[n] * distance(x - target), with weight[N] per sample of axis 0. */
    record Loss(Tensor x, Tensor target, Tensor weight, Tensor y, Distance distance, float delta) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, target, weight);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = the gradient of {@link Loss} by x, times dy[1]. */
    record LossGrad(Tensor x, Tensor target, Tensor weight, Tensor dy, Tensor dx, Distance distance, float delta)
            implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, target, weight, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /** y[1] = the mean over N of -log softmax(x[N,K])[label[N]], labels being whole numbers held as floats. */
    record CrossEntropy(Tensor x, Tensor label, Tensor y) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, label);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dx = the gradient of {@link CrossEntropy} by x, times dy[1]. */
    record CrossEntropyGrad(Tensor x, Tensor label, Tensor dy, Tensor dx) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(x, label, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dx);
        }
    }

    /**
     * y[1] = the mean over all elements, in bits, of the variational bound's term for a learned variance (Nichol and
     * Dhariwal 2021, section 3.1 and equation 15): with log variance l = min + (max - min) (v + 1) / 2, the divergence
     * KL(q || p) of two Gaussians, or at t = 0 the negative log-likelihood of the picture's 8-bit levels.
     *
     * <p>v[N,...] is the model's variance output; trueMean[N,...] the posterior mean of q; mean[N,...] the model's mean,
     * through which no gradient flows; x0[N,...] the clean picture in [-1, 1]; c[N,4] = (log variance of q, min, max, 1
     * at t = 0 else 0).
     */
    record VlbLoss(Tensor v, Tensor trueMean, Tensor mean, Tensor x0, Tensor c, Tensor y) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(v, trueMean, mean, x0, c);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(y);
        }
    }

    /** dv = the gradient of {@link VlbLoss} by v, times dy[1]. */
    record VlbLossGrad(Tensor v, Tensor trueMean, Tensor mean, Tensor x0, Tensor c, Tensor dy, Tensor dv)
            implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(v, trueMean, mean, x0, c, dy);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(dv);
        }
    }

    /** y[1] = the square root of the sum of squares of all elements of xs. */
    record GlobalNorm(List<Tensor> xs, Tensor y) implements TrainOp {
        /** Copies the list. */
        public GlobalNorm {
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

    /** Update rules as torch.optim defines them. */
    enum Optimizer {
        /** Adam with the decay added to the gradient (Kingma and Ba 2015). */
        ADAM,
        /** Adam with decoupled decay (Loshchilov and Hutter 2019). */
        ADAMW,
        /** RMSprop: the mean square in state v (beta2 is torch's alpha), momentum beta1 in state m. */
        RMSPROP,
        /** Gradient descent with momentum beta1 in state m. */
        SGD,
        /** Gradient descent with Nesterov's momentum. */
        SGD_NESTEROV
    }

    /**
     * Updates the weight w by its gradient and then clears the gradient; m and v are the rule's states, of w's shape.
     *
     * <p>The gradient is first multiplied by GRAD_SCALE and then, as torch's clip_grad_norm_ does, by min(1, MAX_NORM /
     * (norm + 1e-6)), where norm is GRAD_SCALE * norm[1]; MAX_NORM 0 means no clipping. The hyperparameters are a tensor
     * because they change from step to step.
     */
    record OptimizerStep(Tensor w, Tensor grad, Tensor m, Tensor v, Tensor norm, Tensor hyper, Optimizer rule)
            implements TrainOp {
        /** Indices into {@code hyper}. */
        public static final int LR = 0;

        /** Adam's first beta; the momentum of the others. */
        public static final int BETA1 = 1;

        /** Adam's second beta; RMSprop's alpha. */
        public static final int BETA2 = 2;

        /** Added to the denominator. */
        public static final int EPS = 3;

        /** Weight decay. */
        public static final int DECAY = 4;

        /** 1 - beta1^step. */
        public static final int CORRECTION1 = 5;

        /** 1 - beta2^step. */
        public static final int CORRECTION2 = 6;

        /** Multiplies the gradient: 1 / number of accumulated micro-batches. */
        public static final int GRAD_SCALE = 7;

        /** Largest norm of all gradients together; 0 for none. */
        public static final int MAX_NORM = 8;

        /** Length of {@code hyper}. */
        public static final int HYPER_SIZE = 9;

        @Override
        public List<Tensor> reads() {
            return List.of(w, grad, m, v, norm, hyper);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(w, grad, m, v);
        }
    }

    /** ema = decay[0] * ema + (1 - decay[0]) * w, the moving average of a weight. */
    record Ema(Tensor w, Tensor ema, Tensor decay) implements TrainOp {
        @Override
        public List<Tensor> reads() {
            return List.of(w, ema, decay);
        }

        @Override
        public List<Tensor> writes() {
            return List.of(ema);
        }
    }
}
