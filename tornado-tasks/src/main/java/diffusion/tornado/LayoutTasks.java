package diffusion.tornado;

import diffusion.graph.LayoutOp;
import diffusion.graph.LayoutOp.AvgPool;
import diffusion.graph.LayoutOp.AvgPoolGrad;
import diffusion.graph.LayoutOp.Concat;
import diffusion.graph.LayoutOp.Embedding;
import diffusion.graph.LayoutOp.EmbeddingGrad;
import diffusion.graph.LayoutOp.Reshape;
import diffusion.graph.LayoutOp.SinusoidalEmbedding;
import diffusion.graph.LayoutOp.Slice;
import diffusion.graph.LayoutOp.SliceGrad;
import diffusion.graph.LayoutOp.Transpose;
import diffusion.graph.LayoutOp.Upsample;
import diffusion.graph.LayoutOp.UpsampleGrad;
import diffusion.graph.Tensor;
import uk.ac.manchester.tornado.api.common.TaskPackage;

/** Tasks of {@link LayoutOp}s. */
final class LayoutTasks {
    private LayoutTasks() {}

    static void emit(TaskEmitter out, LayoutOp layout) {
        switch (layout) {
            case Reshape _ -> {} // the memory plan gives both the same place
            case Transpose(var x, var y) ->
                out.add(new TaskPackage(
                        out.id("transpose"),
                        LayoutKernels::transpose,
                        out.mem,
                        out.at(x),
                        out.at(y),
                        x.dim(0),
                        x.dim(1),
                        x.dim(2)));
            case Concat(var xs, var y, int axis) -> {
                int start = 0;
                for (Tensor x : xs) {
                    band(out, "concat", x, y, axis, start);
                    start += x.dim(axis);
                }
            }
            case Slice(var x, var y, int axis, int start) -> {
                int inner = x.sizeFrom(axis + 1);
                copy(
                        out,
                        "slice",
                        out.at(x) + start * inner,
                        out.at(y),
                        y.size() / y.sizeFrom(axis),
                        y.sizeFrom(axis),
                        x.sizeFrom(axis),
                        y.sizeFrom(axis));
            }
            case SliceGrad(var dy, var dx, int axis, int start) -> {
                out.add(new TaskPackage(out.id("clear"), LayoutKernels::fill, out.mem, out.at(dx), dx.size(), 0f));
                band(out, "sliceGrad", dy, dx, axis, start);
            }
            case Upsample(var x, var y) ->
                out.add(new TaskPackage(
                        out.id("upsample"),
                        LayoutKernels::repeatPixels,
                        out.mem,
                        out.at(x),
                        out.at(y),
                        planes(x),
                        x.dim(2),
                        x.dim(3),
                        y.dim(2) / x.dim(2),
                        y.dim(3) / x.dim(3)));
            case UpsampleGrad(var dy, var dx) ->
                windows(out, "upsampleGrad", dy, dx, dy.dim(2) / dx.dim(2), dy.dim(3) / dx.dim(3), 1);
            case AvgPool(var x, var y, int f, int g) -> windows(out, "avgPool", x, y, f, g, 1f / (f * g));
            case AvgPoolGrad(var dy, var dx, int f, int g) ->
                out.add(new TaskPackage(
                        out.id("avgPoolGrad"),
                        LayoutKernels::averageGrad,
                        out.mem,
                        out.at(dy),
                        out.at(dx),
                        planes(dx),
                        dx.dim(2),
                        dx.dim(3),
                        dy.dim(2),
                        dy.dim(3),
                        f,
                        g));
            case Embedding(var index, var table, var y) ->
                out.add(new TaskPackage(
                        out.id("embedding"),
                        LayoutKernels::embedding,
                        out.mem,
                        out.at(index),
                        out.at(table),
                        out.at(y),
                        index.size(),
                        table.dim(0),
                        table.dim(1)));
            case EmbeddingGrad(var index, var dy, var dTable) ->
                out.add(new TaskPackage(
                        out.id("embeddingGrad"),
                        LayoutKernels::embeddingGrad,
                        out.mem,
                        out.at(index),
                        out.at(dy),
                        out.at(dTable),
                        index.size(),
                        dTable.dim(0),
                        dTable.dim(1)));
            case SinusoidalEmbedding op ->
                out.add(new TaskPackage(
                        out.id("sinusoidal"),
                        LayoutKernels::sinusoidal,
                        out.mem,
                        out.at(op.t()),
                        out.at(op.f()),
                        out.at(op.y()),
                        op.t().size(),
                        op.y().dim(1),
                        op.f().size(),
                        op.flip() ? 1 : 0,
                        op.log() ? 1 : 0));
        }
    }

    private static int planes(Tensor x) {
        return x.dim(0) * x.dim(1);
    }

    private static void copy(
            TaskEmitter out, String name, int from, int to, int outer, int length, int fromStride, int toStride) {
        out.add(new TaskPackage(
                out.id(name), LayoutKernels::copy, out.mem, from, to, outer, length, fromStride, toStride));
    }

    /** Copies a tensor to its place along an axis of a wider one. */
    private static void band(TaskEmitter out, String name, Tensor x, Tensor wide, int axis, int start) {
        int length = x.sizeFrom(axis);
        int to = out.at(wide) + start * wide.sizeFrom(axis + 1);
        copy(out, name, out.at(x), to, x.size() / length, length, length, wide.sizeFrom(axis));
    }

    private static void windows(TaskEmitter out, String name, Tensor large, Tensor small, int f, int g, float factor) {
        out.add(new TaskPackage(
                out.id(name),
                LayoutKernels::sumWindows,
                out.mem,
                out.at(large),
                out.at(small),
                planes(large),
                large.dim(2),
                large.dim(3),
                small.dim(2),
                small.dim(3),
                f,
                g,
                factor));
    }
}
