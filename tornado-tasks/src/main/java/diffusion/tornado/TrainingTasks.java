package diffusion.tornado;

import diffusion.graph.Op;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.CrossEntropyGrad;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Ema;
import diffusion.graph.TrainOp.Fill;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.LossGrad;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.graph.TrainOp.VlbLoss;
import diffusion.graph.TrainOp.VlbLossGrad;
import java.util.List;
import uk.ac.manchester.tornado.api.common.TaskPackage;

/** Tasks of {@link TrainOp}s. */
final class TrainingTasks {
    private TrainingTasks() {}

    static void emit(TaskEmitter out, TrainOp train) {
        switch (train) {
            case Fill(var y, float value) ->
                out.add(new TaskPackage(out.id("fill"), LayoutKernels::fill, out.mem, out.at(y), y.size(), value));
            case Loss op -> loss(out, op);
            case LossGrad op ->
                out.add(new TaskPackage(
                        out.id("lossGrad"),
                        TrainingKernels::lossGrad,
                        out.mem,
                        out.at(op.x()),
                        out.at(op.target()),
                        out.at(op.weight()),
                        out.at(op.dy()),
                        out.at(op.dx()),
                        op.x().dim(0),
                        op.x().sizeFrom(1),
                        code(op.distance()),
                        op.delta()));
            case CrossEntropy(var x, var label, var y) -> {
                int sums = out.scratch().take(x.dim(0));
                out.add(new TaskPackage(
                        out.id("crossEntropy"),
                        TrainingKernels::crossEntropy,
                        out.mem,
                        out.at(x),
                        out.at(label),
                        sums,
                        x.dim(0),
                        x.dim(1)));
                total(out, sums, y, x.dim(0), 1.0 / x.dim(0));
            }
            case CrossEntropyGrad(var x, var label, var dy, var dx) ->
                out.add(new TaskPackage(
                        out.id("crossEntropyGrad"),
                        TrainingKernels::crossEntropyGrad,
                        out.mem,
                        out.at(x),
                        out.at(label),
                        out.at(dy),
                        out.at(dx),
                        x.dim(0),
                        x.dim(1)));
            case VlbLoss op -> vlbLoss(out, op);
            case VlbLossGrad op ->
                out.add(new TaskPackage(
                        out.id("vlbGrad"),
                        VariationalKernels::gradient,
                        out.mem,
                        out.at(op.v()),
                        out.at(op.trueMean()),
                        out.at(op.mean()),
                        out.at(op.x0()),
                        out.at(op.c()),
                        out.at(op.dy()),
                        out.at(op.dv()),
                        op.v().dim(0),
                        op.v().sizeFrom(1),
                        (float) (1 / (op.v().size() * Math.log(2)))));
            case GlobalNorm(var xs, var y) -> globalNorm(out, xs, y);
            case OptimizerStep op -> table(out, List.of(op));
            case Ema op -> table(out, List.of(op));
        }
    }

    private static int code(Distance distance) {
        return switch (distance) {
            case L2 -> TrainingKernels.L2;
            case L1 -> TrainingKernels.L1;
            case HUBER -> 2;
        };
    }

    private static int code(Optimizer rule) {
        return switch (rule) {
            case ADAM -> TrainingKernels.ADAM;
            case ADAMW -> TrainingKernels.ADAMW;
            case RMSPROP -> TrainingKernels.RMSPROP;
            case SGD, SGD_NESTEROV -> TrainingKernels.SGD;
        };
    }

    private static void total(TaskEmitter out, int sums, Tensor y, int n, double factor) {
        out.add(new TaskPackage(out.id("total"), TrainingKernels::total, out.mem, sums, out.at(y), n, (float) factor));
    }

    private static void loss(TaskEmitter out, Loss op) {
        int n = op.x().dim(0);
        int sums = out.scratch().take(n);
        out.add(new TaskPackage(
                out.id("loss"),
                TrainingKernels::loss,
                out.mem,
                out.at(op.x()),
                out.at(op.target()),
                out.at(op.weight()),
                sums,
                n,
                op.x().sizeFrom(1),
                code(op.distance()),
                op.delta()));
        total(out, sums, op.y(), n, 1.0 / op.x().size());
    }

    private static void vlbLoss(TaskEmitter out, VlbLoss op) {
        int n = op.v().dim(0);
        int sums = out.scratch().take(n);
        out.add(new TaskPackage(
                out.id("vlb"),
                VariationalKernels::loss,
                out.mem,
                out.at(op.v()),
                out.at(op.trueMean()),
                out.at(op.mean()),
                out.at(op.x0()),
                out.at(op.c()),
                sums,
                n,
                op.v().sizeFrom(1)));
        total(out, sums, op.y(), n, 1 / (op.v().size() * Math.log(2)));
    }

    private static void globalNorm(TaskEmitter out, List<Tensor> xs, Tensor y) {
        float[] table = new float[4 * xs.size()];
        for (int i = 0; i < xs.size(); i++) {
            put(table, 2 * i, xs.get(i).size());
            put(table, 2 * i + 1, out.at(xs.get(i)));
        }
        int partial = out.scratch().take(xs.size() * TrainingKernels.LANES);
        out.add(new TaskPackage(
                out.id("squares"),
                TrainingKernels::squares,
                out.mem,
                out.scratch().keep(table),
                partial,
                xs.size()));
        out.add(new TaskPackage(
                out.id("norm"), TrainingKernels::norm, out.mem, partial, out.at(y), xs.size() * TrainingKernels.LANES));
    }

    private static void put(float[] table, int entry, int number) {
        table[2 * entry] = number / 65536;
        table[2 * entry + 1] = number % 65536;
    }

    /** Whether two ops that update one weight each can be rows of one table. */
    static boolean sameTable(Op first, Op next) {
        return switch (first) {
            case OptimizerStep a ->
                next instanceof OptimizerStep b
                        && a.rule() == b.rule()
                        && a.norm() == b.norm()
                        && a.hyper() == b.hyper();
            case Ema a -> next instanceof Ema b && a.decay() == b.decay();
            default -> false;
        };
    }

    /** One task for ops of the {@link #sameTable}. */
    static void table(TaskEmitter out, List<? extends Op> ops) {
        switch (ops.getFirst()) {
            case OptimizerStep first -> {
                float[] table = new float[10 * ops.size()];
                for (int i = 0; i < ops.size(); i++) {
                    OptimizerStep op = (OptimizerStep) ops.get(i);
                    put(table, 5 * i, op.w().size());
                    put(table, 5 * i + 1, out.at(op.w()));
                    put(table, 5 * i + 2, out.at(op.grad()));
                    put(table, 5 * i + 3, out.at(op.m()));
                    put(table, 5 * i + 4, out.at(op.v()));
                }
                out.add(new TaskPackage(
                        out.id("optimizer"),
                        TrainingKernels::optimizer,
                        out.mem,
                        out.scratch().keep(table),
                        out.at(first.norm()),
                        out.at(first.hyper()),
                        ops.size(),
                        code(first.rule()),
                        first.rule() == Optimizer.SGD_NESTEROV ? 1 : 0));
            }
            case Ema first -> {
                float[] table = new float[6 * ops.size()];
                for (int i = 0; i < ops.size(); i++) {
                    Ema op = (Ema) ops.get(i);
                    put(table, 3 * i, op.w().size());
                    put(table, 3 * i + 1, out.at(op.w()));
                    put(table, 3 * i + 2, out.at(op.ema()));
                }
                out.add(new TaskPackage(
                        out.id("ema"),
                        TrainingKernels::ema,
                        out.mem,
                        out.scratch().keep(table),
                        out.at(first.decay()),
                        ops.size()));
            }
            default -> throw new IllegalArgumentException("no table for " + ops.getFirst());
        }
    }
}
