package diffusion.tornado;

import diffusion.graph.PointOp;
import diffusion.graph.PointOp.Activation;
import diffusion.graph.PointOp.ActivationGrad;
import diffusion.graph.PointOp.Add;
import diffusion.graph.PointOp.AddChannel;
import diffusion.graph.PointOp.Dropout;
import diffusion.graph.PointOp.Function;
import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.PointOp.GroupNormGrad;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.PointOp.Modulate;
import diffusion.graph.PointOp.ModulateGrad;
import diffusion.graph.PointOp.SumChannel;
import diffusion.graph.Tensor;
import uk.ac.manchester.tornado.api.common.TaskPackage;

/** Tasks of {@link PointOp}s. */
final class PointTasks {
    private PointTasks() {}

    static void emit(TaskEmitter out, PointOp point) {
        switch (point) {
            case GroupNorm op -> groupNorm(out, op);
            case GroupNormGrad op -> groupNormGrad(out, op);
            case Activation(var x, var y, var f) ->
                out.add(new TaskPackage(
                        out.id("activation"),
                        PointKernels::activation,
                        out.mem,
                        out.at(x),
                        out.at(y),
                        x.size(),
                        code(f)));
            case ActivationGrad(var x, var dy, var dx, var f) ->
                out.add(new TaskPackage(
                        out.id("activationGrad"),
                        PointKernels::activationGrad,
                        out.mem,
                        out.at(x),
                        out.at(dy),
                        out.at(dx),
                        x.size(),
                        code(f)));
            case PointOp.Gate(var x, var y, var f) ->
                out.add(new TaskPackage(
                        out.id("gate"),
                        PointKernels::gate,
                        out.mem,
                        out.at(x),
                        out.at(y),
                        y.size(),
                        y.dim(-1),
                        code(f)));
            case PointOp.GateGrad(var x, var dy, var dx, var f) ->
                out.add(new TaskPackage(
                        out.id("gateGrad"),
                        PointKernels::gateGrad,
                        out.mem,
                        out.at(x),
                        out.at(dy),
                        out.at(dx),
                        dy.size(),
                        dy.dim(-1),
                        code(f)));
            case Add op -> add(out, op);
            case AddChannel(var x, var c, var y) ->
                out.add(new TaskPackage(
                        out.id("addChannel"),
                        PointKernels::addChannel,
                        out.mem,
                        out.at(x),
                        out.at(c),
                        out.at(y),
                        x.dim(0) * x.dim(1),
                        x.sizeFrom(2)));
            case SumChannel(var x, var y) ->
                out.add(new TaskPackage(
                        out.id("sumChannel"),
                        PointKernels::sumChannel,
                        out.mem,
                        out.at(x),
                        out.at(y),
                        x.dim(0) * x.dim(1),
                        x.sizeFrom(2)));
            case Modulate(var x, var s, var y) ->
                out.add(new TaskPackage(
                        out.id("modulate"),
                        PointKernels::modulate,
                        out.mem,
                        out.at(x),
                        out.at(s),
                        out.at(y),
                        x.dim(0),
                        x.dim(1),
                        x.sizeFrom(2)));
            case ModulateGrad op -> modulateGrad(out, op);
            case LinearCombination op -> linearCombination(out, op);
            case Dropout(var x, var seed, var y, int layer, float p) ->
                out.add(new TaskPackage(
                        out.id("dropout"),
                        PointKernels::dropout,
                        out.mem,
                        out.at(x),
                        out.at(seed),
                        out.at(y),
                        x.size(),
                        layer,
                        p));
        }
    }

    private static int code(Function function) {
        return switch (function) {
            case RELU -> Functions.RELU;
            case SILU -> Functions.SILU;
            case GELU -> Functions.GELU;
            case MISH -> Functions.MISH;
            case RECIPROCAL -> Functions.RECIPROCAL;
            case QUICK_GELU -> Functions.QUICK_GELU;
            case TANH -> Functions.TANH;
        };
    }

    private static int moments(TaskEmitter out, Tensor x, int groups, float eps, int room) {
        int rows = x.dim(0) * groups;
        int moments = out.scratch().take(2 * rows + room);
        out.add(new TaskPackage(
                out.id("moments"),
                NormalizationKernels::moments,
                out.mem,
                out.at(x),
                moments,
                rows,
                x.size() / rows,
                eps));
        return moments;
    }

    private static void groupNorm(TaskEmitter out, GroupNorm op) {
        Tensor x = op.x();
        int moments = moments(out, x, op.groups(), op.eps(), 0);
        out.add(new TaskPackage(
                out.id("groupNorm"),
                NormalizationKernels::apply,
                out.mem,
                out.at(x),
                out.at(op.gamma()),
                out.at(op.beta()),
                out.at(op.y()),
                moments,
                x.dim(0),
                x.dim(1),
                x.dim(1) / op.groups(),
                x.sizeFrom(2),
                op.silu() ? 1 : 0));
    }

    private static void groupNormGrad(TaskEmitter out, GroupNormGrad op) {
        Tensor x = op.x();
        int n = x.dim(0);
        int channels = x.dim(1);
        int width = channels / op.groups();
        int pixels = x.sizeFrom(2);
        int silu = op.silu() ? 1 : 0;
        int moments = moments(out, x, op.groups(), op.eps(), 2 * n * channels);
        int sums = moments + 2 * n * op.groups();
        out.add(new TaskPackage(
                out.id("groupNormGradSums"),
                NormalizationKernels::gradSums,
                out.mem,
                out.at(x),
                out.at(op.gamma()),
                out.at(op.beta()),
                out.at(op.dy()),
                moments,
                sums,
                n,
                channels,
                width,
                pixels,
                silu));
        out.add(new TaskPackage(
                out.id("groupNormGradParameters"),
                NormalizationKernels::gradParameters,
                out.mem,
                sums,
                out.at(op.dGamma()),
                out.at(op.dBeta()),
                n,
                channels));
        out.add(new TaskPackage(
                out.id("groupNormGradInput"),
                NormalizationKernels::gradInput,
                out.mem,
                out.at(x),
                out.at(op.gamma()),
                out.at(op.beta()),
                out.at(op.dy()),
                out.at(op.dx()),
                moments,
                sums,
                n,
                channels,
                width,
                pixels,
                silu));
    }

    private static void add(TaskEmitter out, Add op) {
        int size = op.a().size();
        if (op.b() == null) {
            out.add(new TaskPackage(
                    out.id("scale"), PointKernels::scale, out.mem, out.at(op.a()), out.at(op.y()), size, op.alpha()));
        } else {
            out.add(new TaskPackage(
                    out.id("add"),
                    PointKernels::add,
                    out.mem,
                    out.at(op.a()),
                    out.at(op.b()),
                    out.at(op.y()),
                    size,
                    op.alpha(),
                    op.beta()));
        }
    }

    private static void modulateGrad(TaskEmitter out, ModulateGrad op) {
        Tensor x = op.x();
        out.add(new TaskPackage(
                out.id("modulateGradInput"),
                PointKernels::modulateGradInput,
                out.mem,
                out.at(op.s()),
                out.at(op.dy()),
                out.at(op.dx()),
                x.dim(0),
                x.dim(1),
                x.sizeFrom(2)));
        out.add(new TaskPackage(
                out.id("modulateGradScale"),
                PointKernels::modulateGradScale,
                out.mem,
                out.at(x),
                out.at(op.dy()),
                out.at(op.ds()),
                x.dim(0),
                x.dim(1),
                x.sizeFrom(2)));
    }

    private static void linearCombination(TaskEmitter out, LinearCombination op) {
        boolean shared = op.c().rank() == 1;
        for (int term = 0; term < op.xs().size(); term++) {
            out.add(new TaskPackage(
                    out.id("linearTerm"),
                    PointKernels::linearTerm,
                    out.mem,
                    out.at(op.xs().get(term)),
                    out.at(op.c()),
                    out.at(op.y()),
                    term,
                    shared ? 0 : op.xs().size(),
                    shared ? 1 : op.y().dim(0),
                    shared ? op.y().size() : op.y().sizeFrom(1),
                    term == 0 ? 1 : 0));
        }
    }
}
