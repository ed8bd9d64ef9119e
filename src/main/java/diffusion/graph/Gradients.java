package diffusion.graph;

import diffusion.graph.LayoutOp.AvgPool;
import diffusion.graph.LayoutOp.AvgPoolGrad;
import diffusion.graph.LayoutOp.Concat;
import diffusion.graph.LayoutOp.Embedding;
import diffusion.graph.LayoutOp.EmbeddingGrad;
import diffusion.graph.LayoutOp.Reshape;
import diffusion.graph.LayoutOp.Slice;
import diffusion.graph.LayoutOp.SliceGrad;
import diffusion.graph.LayoutOp.Transpose;
import diffusion.graph.LayoutOp.Upsample;
import diffusion.graph.LayoutOp.UpsampleGrad;
import diffusion.graph.MatrixOp.Attention;
import diffusion.graph.MatrixOp.AttentionGrad;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Conv2dGradInput;
import diffusion.graph.MatrixOp.Conv2dGradWeight;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.LinearGradInput;
import diffusion.graph.MatrixOp.LinearGradWeight;
import diffusion.graph.PointOp.Activation;
import diffusion.graph.PointOp.ActivationGrad;
import diffusion.graph.PointOp.Add;
import diffusion.graph.PointOp.AddChannel;
import diffusion.graph.PointOp.Dropout;
import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.PointOp.GroupNormGrad;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.PointOp.Modulate;
import diffusion.graph.PointOp.ModulateGrad;
import diffusion.graph.PointOp.SumChannel;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.CrossEntropyGrad;
import diffusion.graph.TrainOp.Fill;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.LossGrad;
import diffusion.graph.TrainOp.VlbLoss;
import diffusion.graph.TrainOp.VlbLossGrad;
import java.util.Collection;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * Reverse-mode differentiation: appends the backward ops of a graph to the graph itself.
 *
 * <p>The gradient of a parameter is a STATE tensor that runs add to (see {@link Op}); the gradient of any other tensor is
 * an activation. Ops that no wanted tensor flows through get no backward op.
 */
public final class Gradients {
    private final Graph graph;
    private final Set<Tensor> active;
    private final Map<Tensor, Tensor> gradients = new HashMap<>();
    private final Map<Tensor, Tensor> parameterGradients = new LinkedHashMap<>();

    private Gradients(Graph graph, Set<Tensor> active) {
        this.graph = graph;
        this.active = active;
    }

    /**
     * Appends ops for the gradients of {@code loss} by each of {@code wanted} (parameters, inputs or activations).
     *
     * @param loss a tensor of one element
     * @return the gradient of each wanted tensor, of its shape
     * @throws IllegalArgumentException if the loss does not depend on a wanted tensor through differentiable ops
     */
    public static Map<Tensor, Tensor> append(Graph graph, Tensor loss, Collection<Tensor> wanted) {
        if (loss.size() != 1) {
            throw new ShapeException(loss.name(), "a loss of one element", loss.toString());
        }
        List<Op> forward = List.copyOf(graph.ops());
        Gradients gradients = new Gradients(graph, reachableFrom(wanted, forward));
        Tensor one = graph.activation("one", loss.shape());
        graph.append(new Fill(one, 1));
        gradients.gradients.put(loss, one);
        forward.reversed().forEach(gradients::backward);

        Map<Tensor, Tensor> result = new LinkedHashMap<>();
        for (Tensor tensor : wanted) {
            Tensor gradient =
                    isParameter(tensor) ? gradients.parameterGradients.get(tensor) : gradients.gradients.get(tensor);
            if (gradient == null) {
                throw new IllegalArgumentException(loss + " does not depend on " + tensor);
            }
            result.put(tensor, gradient);
        }
        return result;
    }

    private static Set<Tensor> reachableFrom(Collection<Tensor> wanted, List<Op> ops) {
        Set<Tensor> reached = new HashSet<>(wanted);
        for (Op op : ops) {
            if (op.reads().stream().anyMatch(reached::contains)) {
                reached.addAll(op.writes());
            }
        }
        return reached;
    }

    private static boolean isParameter(Tensor tensor) {
        return tensor.role() == Tensor.Role.PARAMETER;
    }

    private void backward(Op op) {
        Tensor y = op.writes().getFirst();
        Tensor dy = gradients.get(y);
        if (dy == null || !active.contains(y)) {
            return;
        }
        switch (op) {
            case MatrixOp matrix -> backward(matrix, dy);
            case PointOp point -> backward(point, dy);
            case LayoutOp layout -> backward(layout, dy);
            case TrainOp train -> backward(train, dy);
            case SamplerStep _ -> throw notDifferentiable(op);
        }
    }

    private void backward(MatrixOp op, Tensor dy) {
        switch (op) {
            case Conv2d(Tensor x, Tensor w, Tensor bias, Tensor _, MatrixOp.Window window) -> {
                if (active.contains(w) || isActive(bias)) {
                    graph.append(new Conv2dGradWeight(x, dy, parameterGradient(w), biasGradient(bias), window));
                }
                emit(x, dx -> new Conv2dGradInput(dy, w, dx, window));
            }
            case Linear(Tensor x, Tensor w, Tensor bias, Tensor _) -> {
                if (active.contains(w) || isActive(bias)) {
                    graph.append(new LinearGradWeight(x, dy, parameterGradient(w), biasGradient(bias)));
                }
                emit(x, dx -> new LinearGradInput(dy, w, dx));
            }
            case Attention(Tensor q, Tensor k, Tensor v, Tensor _, int heads, float scale, boolean causal) -> {
                Tensor dq = like(q);
                Tensor dk = like(k);
                Tensor dv = like(v);
                graph.append(new AttentionGrad(q, k, v, dy, dq, dk, dv, heads, scale, causal));
                contribute(q, dq);
                contribute(k, dk);
                contribute(v, dv);
            }
            case Conv2dGradInput _, Conv2dGradWeight _, LinearGradInput _, LinearGradWeight _, AttentionGrad _ ->
                throw notDifferentiable(op);
        }
    }

    private void backward(PointOp op, Tensor dy) {
        switch (op) {
            case GroupNorm(Tensor x, Tensor gamma, Tensor beta, Tensor _, int groups, float eps, boolean silu) -> {
                Tensor dx = like(x);
                graph.append(new GroupNormGrad(
                        x,
                        gamma,
                        beta,
                        dy,
                        dx,
                        affineGradient(op, gamma),
                        affineGradient(op, beta),
                        groups,
                        eps,
                        silu));
                contribute(x, dx);
            }
            case Activation(Tensor x, Tensor _, PointOp.Function function) ->
                emit(x, dx -> new ActivationGrad(x, dy, dx, function));
            case PointOp.Gate(Tensor x, Tensor _, PointOp.Function function) ->
                emit(x, dx -> new PointOp.GateGrad(x, dy, dx, function));
            case Add(Tensor a, Tensor b, Tensor _, float alpha, float beta) -> {
                contributeScaled(a, dy, alpha);
                if (b != null) {
                    contributeScaled(b, dy, beta);
                }
            }
            case AddChannel(Tensor x, Tensor c, Tensor _) -> {
                contribute(x, dy);
                emit(c, dc -> new SumChannel(dy, dc));
            }
            case Modulate(Tensor x, Tensor s, Tensor _) -> {
                Tensor dx = like(x);
                Tensor ds = like(s);
                graph.append(new ModulateGrad(x, s, dy, dx, ds));
                contribute(x, dx);
                contribute(s, ds);
            }
            case LinearCombination(List<Tensor> xs, Tensor c, Tensor _) -> {
                refuseIfActive(op, c);
                for (int i = 0; i < xs.size(); i++) {
                    Tensor ci = coefficient(c, i);
                    emit(xs.get(i), dx -> new LinearCombination(List.of(dy), ci, dx));
                }
            }
            case Dropout(Tensor x, Tensor seed, Tensor _, int layer, float p) ->
                emit(x, dx -> new Dropout(dy, seed, dx, layer, p));
            case GroupNormGrad _, ActivationGrad _, PointOp.GateGrad _, SumChannel _, ModulateGrad _ ->
                throw notDifferentiable(op);
        }
    }

    private void backward(LayoutOp op, Tensor dy) {
        switch (op) {
            case Reshape(Tensor x, Tensor _) -> emit(x, dx -> new Reshape(dy, dx));
            case Transpose(Tensor x, Tensor _) -> emit(x, dx -> new Transpose(dy, dx));
            case Concat(List<Tensor> xs, Tensor _, int axis) -> {
                int start = 0;
                for (Tensor x : xs) {
                    int from = start;
                    emit(x, dx -> new Slice(dy, dx, axis, from));
                    start += x.dim(axis);
                }
            }
            case Slice(Tensor x, Tensor _, int axis, int start) -> emit(x, dx -> new SliceGrad(dy, dx, axis, start));
            case Upsample(Tensor x, Tensor _) -> emit(x, dx -> new UpsampleGrad(dy, dx));
            case AvgPool(Tensor x, Tensor _, int f, int g) -> emit(x, dx -> new AvgPoolGrad(dy, dx, f, g));
            case Embedding(Tensor index, Tensor table, Tensor _) ->
                graph.append(new EmbeddingGrad(index, dy, parameterGradient(table)));
            case LayoutOp.SinusoidalEmbedding _, SliceGrad _, UpsampleGrad _, AvgPoolGrad _, EmbeddingGrad _ ->
                throw notDifferentiable(op);
        }
    }

    private void backward(TrainOp op, Tensor dy) {
        switch (op) {
            case Loss(Tensor x, Tensor target, Tensor weight, Tensor _, TrainOp.Distance distance, float delta) -> {
                refuseIfActive(op, target, weight);
                emit(x, dx -> new LossGrad(x, target, weight, dy, dx, distance, delta));
            }
            case CrossEntropy(Tensor x, Tensor label, Tensor _) ->
                emit(x, dx -> new CrossEntropyGrad(x, label, dy, dx));
            case VlbLoss(Tensor v, Tensor trueMean, Tensor mean, Tensor x0, Tensor c, Tensor _) ->
                emit(v, dv -> new VlbLossGrad(v, trueMean, mean, x0, c, dy, dv));
            case Fill _,
                    LossGrad _,
                    CrossEntropyGrad _,
                    VlbLossGrad _,
                    TrainOp.GlobalNorm _,
                    TrainOp.OptimizerStep _,
                    TrainOp.Ema _ -> throw notDifferentiable(op);
        }
    }

    /** Column {@code i} of c[k] or c[N, k] as the coefficients of a combination of one term. */
    private Tensor coefficient(Tensor c, int i) {
        int[] shape = c.shape();
        if (shape[shape.length - 1] == 1) {
            return c;
        }
        shape[shape.length - 1] = 1;
        Tensor ci = graph.activation("coefficient", shape);
        graph.append(new Slice(c, ci, c.rank() - 1, i));
        return ci;
    }

    private Tensor like(Tensor tensor) {
        return graph.activation("d(" + tensor.name() + ")", tensor.shape());
    }

    /** Appends the op that computes a contribution to the gradient of x, if x is wanted at all. */
    private void emit(Tensor x, java.util.function.Function<Tensor, Op> op) {
        if (active.contains(x)) {
            Tensor dx = like(x);
            graph.append(op.apply(dx));
            contribute(x, dx);
        }
    }

    private void contributeScaled(Tensor x, Tensor dy, float factor) {
        if (factor == 1) {
            contribute(x, dy);
        } else {
            emit(x, dx -> new Add(dy, null, dx, factor, 0));
        }
    }

    private void contribute(Tensor x, Tensor dx) {
        if (active.contains(x)) {
            gradients.merge(x, dx, (old, more) -> {
                Tensor sum = like(x);
                graph.append(new Add(old, more, sum, 1, 1));
                return sum;
            });
        }
    }

    private Tensor parameterGradient(Tensor parameter) {
        if (!isParameter(parameter)) {
            throw new IllegalArgumentException(parameter + " takes the place of a weight but is not a parameter");
        }
        return parameterGradients.computeIfAbsent(parameter, p -> graph.state("grad." + p.name(), p.shape()));
    }

    /** What a normalisation adds the gradient of its scale or shift to; nobody reads it where that is no weight. */
    private Tensor affineGradient(Op op, Tensor affine) {
        if (isParameter(affine)) {
            return parameterGradient(affine);
        }
        refuseIfActive(op, affine);
        return graph.state("grad." + affine.name(), affine.shape());
    }

    private @Nullable Tensor biasGradient(@Nullable Tensor bias) {
        return bias == null ? null : parameterGradient(bias);
    }

    private boolean isActive(@Nullable Tensor tensor) {
        return tensor != null && active.contains(tensor);
    }

    /** Operands no gradient is defined by; losing it silently would train a wrong model. */
    private void refuseIfActive(Op op, Tensor... operands) {
        for (Tensor operand : operands) {
            if (active.contains(operand)) {
                throw notDifferentiable(op);
            }
        }
    }

    private static IllegalArgumentException notDifferentiable(Op op) {
        return new IllegalArgumentException("no gradient is defined through "
                + op.getClass().getSimpleName() + " to " + op.writes().getFirst());
    }
}
