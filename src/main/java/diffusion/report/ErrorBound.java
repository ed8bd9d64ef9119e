package diffusion.report;

import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import org.jspecify.annotations.Nullable;

/**
 * How far two correct float32 implementations of an op may be apart.
 *
 * <p>The rounding errors of a sum of n terms grow with the root of n if they are independent (Higham, Accuracy and Stability
 * of Numerical Algorithms, section 4.5); each is at most half a unit in the last place of the largest value. {@link #FACTOR}
 * is room for unlucky orders and for functions such as exp, which are right to a few units only.
 */
public final class ErrorBound {
    /** Units in the last place for a sum of one term, before the root. */
    public static final int FACTOR = 16;

    private ErrorBound() {}

    /** Relative to the largest value of the result: FACTOR ulp(1) (1 + sqrt(terms)). */
    public static double relative(Op op) {
        return FACTOR * (double) Math.ulp(1f) * (1 + Math.sqrt(terms(op)));
    }

    /**
     * The tensor whose values, times the root of {@link #terms}, a result is as large as before its terms cancel; null if
     * the result itself says how large its terms are.
     *
     * <p>The gradient of a key's bias, for one, is a sum of large numbers that is zero in theory.
     */
    static @Nullable Tensor summed(Op op, Tensor result) {
        return switch (op) {
            case MatrixOp.Conv2dGradWeight grad when result.equals(grad.dBias()) -> grad.dy();
            case MatrixOp.LinearGradWeight grad when result.equals(grad.dBias()) -> grad.dy();
            default -> null;
        };
    }

    /** The length of the longest sum that an element of the op's results is made of. */
    public static long terms(Op op) {
        return switch (op) {
            case MatrixOp.Conv2d conv -> conv.w().sizeFrom(1);
            case MatrixOp.Conv2dGradInput grad -> grad.w().size() / grad.w().dim(1);
            case MatrixOp.Conv2dGradWeight grad ->
                (long) grad.dy().dim(0) * grad.dy().sizeFrom(2);
            case MatrixOp.Linear linear -> linear.w().dim(1);
            case MatrixOp.LinearGradInput grad -> grad.w().dim(0);
            case MatrixOp.LinearGradWeight grad -> grad.dy().size() / grad.dy().dim(-1);
            case MatrixOp.Attention attention ->
                attention.q().dim(-1) / attention.heads() + attention.k().dim(1);
            case MatrixOp.AttentionGrad grad ->
                2L * grad.q().dim(-1) / grad.heads() + 2L * grad.k().dim(1);
            case PointOp.GroupNorm norm -> 2L * group(norm.x(), norm.groups());
            case PointOp.GroupNormGrad norm -> 3L * Math.max(group(norm.x(), norm.groups()), channel(norm.x()));
            case PointOp.SumChannel sum -> sum.x().sizeFrom(2);
            case PointOp.ModulateGrad grad -> grad.x().sizeFrom(2);
            case PointOp.LinearCombination sum -> sum.xs().size();
            case PointOp _ -> 1;
            case LayoutOp.UpsampleGrad grad -> grad.dy().size() / grad.dx().size();
            case LayoutOp.AvgPool pool -> (long) pool.f() * pool.g();
            case LayoutOp.EmbeddingGrad grad -> grad.index().size();
            case LayoutOp _ -> 1;
            case TrainOp.Loss loss -> loss.x().size();
            case TrainOp.CrossEntropy loss -> loss.x().size();
            case TrainOp.CrossEntropyGrad grad -> grad.x().dim(-1);
            case TrainOp.VlbLoss loss -> loss.v().size();
            case TrainOp.GlobalNorm norm ->
                norm.xs().stream().mapToLong(Tensor::size).sum();
            case TrainOp _ -> 1;
            case SamplerStep step -> 4 + step.history().size();
        };
    }

    private static long group(Tensor x, int groups) {
        return (long) x.dim(1) / groups * x.sizeFrom(2);
    }

    private static long channel(Tensor x) {
        return (long) x.dim(0) * x.sizeFrom(2);
    }
}
