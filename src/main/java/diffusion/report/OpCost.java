package diffusion.report;

import diffusion.graph.MatrixOp;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.util.stream.Stream;

/**
 * What an op costs at least.
 *
 * @param flops multiplications and additions of a matrix op, else 0: the other ops are bound by memory
 * @param bytes float32 values read and written, each once
 */
public record OpCost(double flops, double bytes) {
    /** The cost of an op. */
    public static OpCost of(Op op) {
        double values = Stream.concat(op.reads().stream(), op.writes().stream())
                .mapToDouble(Tensor::size)
                .sum();
        return new OpCost(op instanceof MatrixOp matrix ? flops(matrix) : 0, Float.BYTES * values);
    }

    private static double flops(MatrixOp op) {
        return switch (op) {
            case MatrixOp.Conv2d conv -> 2.0 * conv.y().size() * conv.w().sizeFrom(1);
            case MatrixOp.Conv2dGradInput grad ->
                2.0 * grad.dy().size() * grad.w().sizeFrom(1);
            case MatrixOp.Conv2dGradWeight grad ->
                2.0 * grad.dy().size() * grad.dw().sizeFrom(1);
            case MatrixOp.Linear linear -> 2.0 * linear.y().size() * linear.w().dim(1);
            case MatrixOp.LinearGradInput grad ->
                2.0 * grad.dy().size() * grad.w().dim(1);
            case MatrixOp.LinearGradWeight grad ->
                2.0 * grad.dy().size() * grad.dw().dim(1);
            case MatrixOp.Attention attention ->
                4.0 * attention.q().size() * attention.k().dim(1);
            case MatrixOp.AttentionGrad grad ->
                10.0 * grad.q().size() * grad.k().dim(1);
        };
    }
}
