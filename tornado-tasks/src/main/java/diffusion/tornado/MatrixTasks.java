package diffusion.tornado;

import diffusion.graph.MatrixOp;
import diffusion.graph.MatrixOp.Attention;
import diffusion.graph.MatrixOp.AttentionGrad;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Conv2dGradInput;
import diffusion.graph.MatrixOp.Conv2dGradWeight;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.LinearGradInput;
import diffusion.graph.MatrixOp.LinearGradWeight;
import diffusion.graph.Tensor;
import uk.ac.manchester.tornado.api.common.TaskPackage;

/** Tasks of {@link MatrixOp}s. */
final class MatrixTasks {
    private MatrixTasks() {}

    static void emit(TaskEmitter out, MatrixOp matrix) {
        switch (matrix) {
            case Conv2d op -> conv2d(out, op);
            case Conv2dGradInput op -> conv2dGradInput(out, op);
            case Conv2dGradWeight op -> conv2dGradWeight(out, op);
            case Linear op ->
                out.add(new TaskPackage(
                        out.id("linear"),
                        LinearKernels::forward,
                        out.mem,
                        out.at(op.x()),
                        out.at(op.w()),
                        out.atOrNone(op.bias()),
                        out.at(op.y()),
                        rows(op.x()),
                        op.w().dim(1),
                        op.w().dim(0)));
            case LinearGradInput op ->
                out.add(new TaskPackage(
                        out.id("linearGradInput"),
                        LinearKernels::gradInput,
                        out.mem,
                        out.at(op.dy()),
                        out.at(op.w()),
                        out.at(op.dx()),
                        rows(op.dy()),
                        op.w().dim(1),
                        op.w().dim(0)));
            case LinearGradWeight op -> linearGradWeight(out, op);
            case Attention op -> attention(out, op);
            case AttentionGrad op -> attentionGrad(out, op);
        }
    }

    private static int rows(Tensor tensor) {
        return tensor.size() / tensor.dim(-1);
    }

    private static void conv2d(TaskEmitter out, Conv2d op) {
        Tensor x = op.x();
        Tensor w = op.w();
        out.add(new TaskPackage(
                out.id("conv2d"),
                ConvolutionKernels::forward,
                out.mem,
                out.at(x),
                out.at(w),
                out.atOrNone(op.bias()),
                out.at(op.y()),
                x.dim(0),
                x.dim(1),
                x.dim(2),
                x.dim(3),
                w.dim(0),
                w.dim(2),
                w.dim(3),
                op.window().stride(),
                op.window().top(),
                op.window().left(),
                op.y().dim(2),
                op.y().dim(3)));
    }

    private static void conv2dGradInput(TaskEmitter out, Conv2dGradInput op) {
        Tensor dx = op.dx();
        Tensor w = op.w();
        out.add(new TaskPackage(
                out.id("conv2dGradInput"),
                ConvolutionKernels::gradInput,
                out.mem,
                out.at(op.dy()),
                out.at(w),
                out.at(dx),
                dx.dim(0),
                dx.dim(1),
                dx.dim(2),
                dx.dim(3),
                w.dim(0),
                w.dim(2),
                w.dim(3),
                op.window().stride(),
                op.window().top(),
                op.window().left(),
                op.dy().dim(2),
                op.dy().dim(3)));
    }

    private static void conv2dGradWeight(TaskEmitter out, Conv2dGradWeight op) {
        Tensor x = op.x();
        Tensor dw = op.dw();
        out.add(new TaskPackage(
                out.id("conv2dGradWeight"),
                ConvolutionKernels::gradWeight,
                out.mem,
                out.at(x),
                out.at(op.dy()),
                out.at(dw),
                x.dim(0),
                x.dim(1),
                x.dim(2),
                x.dim(3),
                dw.dim(0),
                dw.dim(2),
                dw.dim(3),
                op.window().stride(),
                op.window().top(),
                op.window().left(),
                op.dy().dim(2),
                op.dy().dim(3)));
        if (op.dBias() != null) {
            out.add(new TaskPackage(
                    out.id("conv2dGradBias"),
                    ConvolutionKernels::gradBias,
                    out.mem,
                    out.at(op.dy()),
                    out.at(op.dBias()),
                    op.dy().dim(0),
                    op.dy().dim(1),
                    op.dy().sizeFrom(2)));
        }
    }

    private static void linearGradWeight(TaskEmitter out, LinearGradWeight op) {
        int rows = rows(op.x());
        int in = op.dw().dim(1);
        int width = op.dw().dim(0);
        out.add(new TaskPackage(
                out.id("linearGradWeight"),
                LinearKernels::gradWeight,
                out.mem,
                out.at(op.x()),
                out.at(op.dy()),
                out.at(op.dw()),
                rows,
                in,
                width));
        if (op.dBias() != null) {
            out.add(new TaskPackage(
                    out.id("linearGradBias"),
                    LinearKernels::gradBias,
                    out.mem,
                    out.at(op.dy()),
                    out.at(op.dBias()),
                    rows,
                    width));
        }
    }

    private static void denominators(
            TaskEmitter out, Tensor q, Tensor k, int lse, int heads, float scale, boolean causal) {
        out.add(new TaskPackage(
                out.id("attentionDenominators"),
                AttentionKernels::denominators,
                out.mem,
                out.at(q),
                out.at(k),
                lse,
                q.dim(0),
                heads,
                q.dim(1),
                k.dim(1),
                q.dim(2) / heads,
                scale,
                causal ? 1 : 0));
    }

    private static void attention(TaskEmitter out, Attention op) {
        Tensor q = op.q();
        int lse = out.scratch().take(q.dim(0) * op.heads() * q.dim(1));
        denominators(out, q, op.k(), lse, op.heads(), op.scale(), op.causal());
        out.add(new TaskPackage(
                out.id("attention"),
                AttentionKernels::forward,
                out.mem,
                out.at(q),
                out.at(op.k()),
                out.at(op.v()),
                out.at(op.y()),
                lse,
                q.dim(0),
                op.heads(),
                q.dim(1),
                op.k().dim(1),
                q.dim(2) / op.heads(),
                op.scale(),
                op.causal() ? 1 : 0));
    }

    private static void attentionGrad(TaskEmitter out, AttentionGrad op) {
        Tensor q = op.q();
        int rows = q.dim(0) * op.heads() * q.dim(1);
        int lse = out.scratch().take(2 * rows);
        int delta = lse + rows;
        denominators(out, q, op.k(), lse, op.heads(), op.scale(), op.causal());
        out.add(new TaskPackage(
                out.id("attentionGradQuery"),
                AttentionKernels::gradQuery,
                out.mem,
                out.at(q),
                out.at(op.k()),
                out.at(op.v()),
                out.at(op.dy()),
                out.at(op.dq()),
                lse,
                delta,
                q.dim(0),
                op.heads(),
                q.dim(1),
                op.k().dim(1),
                q.dim(2) / op.heads(),
                op.scale(),
                op.causal() ? 1 : 0));
        out.add(new TaskPackage(
                out.id("attentionGradKeyValue"),
                AttentionKernels::gradKeyValue,
                out.mem,
                out.at(q),
                out.at(op.k()),
                out.at(op.v()),
                out.at(op.dy()),
                out.at(op.dk()),
                out.at(op.dv()),
                lse,
                delta,
                q.dim(0),
                op.heads(),
                q.dim(1),
                op.k().dim(1),
                q.dim(2) / op.heads(),
                op.scale(),
                op.causal() ? 1 : 0));
    }
}
