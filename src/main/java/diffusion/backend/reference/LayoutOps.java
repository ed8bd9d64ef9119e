package diffusion.backend.reference;

import diffusion.backend.reference.ReferenceProgram.Data;
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
import java.util.Arrays;

/** What {@link LayoutOp}s mean. */
final class LayoutOps {
    private LayoutOps() {}

    static void run(LayoutOp layout, Data data) {
        switch (layout) {
            case Reshape(var x, var y) -> System.arraycopy(data.of(x), 0, data.of(y), 0, x.size());
            case Transpose(var x, var y) -> {
                int rows = x.dim(1);
                int columns = x.dim(2);
                for (int i = 0; i < x.size(); i++) {
                    int n = i / columns / rows;
                    data.of(y)[(n * columns + i % columns) * rows + i / columns % rows] = data.of(x)[i];
                }
            }
            case Concat(var xs, var y, int axis) -> {
                int start = 0;
                for (Tensor x : xs) {
                    band(data.of(x), x, data.of(y), y, axis, start, false);
                    start += x.dim(axis);
                }
            }
            case Slice(var x, var y, int axis, int start) -> band(data.of(y), y, data.of(x), x, axis, start, true);
            case SliceGrad(var dy, var dx, int axis, int start) -> {
                Arrays.fill(data.of(dx), 0);
                band(data.of(dy), dy, data.of(dx), dx, axis, start, false);
            }
            case Upsample(var x, var y) -> {
                for (int i = 0; i < y.size(); i++) {
                    data.of(y)[i] = data.of(x)[origin(i, y, x, y.dim(2) / x.dim(2), y.dim(3) / x.dim(3))];
                }
            }
            case UpsampleGrad(var dy, var dx) ->
                sumWindows(data.of(dy), dy, data.of(dx), dx, dy.dim(2) / dx.dim(2), dy.dim(3) / dx.dim(3), 1);
            case AvgPool(var x, var y, int f, int g) -> sumWindows(data.of(x), x, data.of(y), y, f, g, 1.0 / (f * g));
            case AvgPoolGrad(var dy, var dx, int f, int g) -> {
                for (int i = 0; i < dx.size(); i++) {
                    int from = origin(i, dx, dy, f, g);
                    data.of(dx)[i] = from < 0 ? 0 : data.of(dy)[from] / (f * g);
                }
            }
            case Embedding(var index, var table, var y) -> {
                int size = table.dim(1);
                for (int i = 0; i < y.size(); i++) {
                    data.of(y)[i] = data.of(table)[row(data.of(index)[i / size], table) * size + i % size];
                }
            }
            case EmbeddingGrad(var index, var dy, var dTable) -> {
                int size = dTable.dim(1);
                for (int i = 0; i < dy.size(); i++) {
                    data.of(dTable)[row(data.of(index)[i / size], dTable) * size + i % size] += data.of(dy)[i];
                }
            }
            case SinusoidalEmbedding op -> sinusoidal(op, data);
        }
    }

    private static int row(float index, Tensor table) {
        if (!(index >= 0 && index < table.dim(0))) {
            throw new IllegalArgumentException("index " + index + " is not in 0.." + (table.dim(0) - 1));
        }
        return (int) index;
    }

    /** Copies a tensor to its place along an axis of a wider one, or back. */
    private static void band(
            float[] narrow, Tensor narrowShape, float[] wide, Tensor wideShape, int axis, int start, boolean back) {
        int inner = wideShape.sizeFrom(axis + 1);
        int length = narrowShape.dim(axis);
        for (int i = 0; i < narrow.length; i++) {
            int outer = i / inner / length;
            int along = i / inner % length;
            int w = (outer * wideShape.dim(axis) + start + along) * inner + i % inner;
            if (back) {
                narrow[i] = wide[w];
            } else {
                wide[w] = narrow[i];
            }
        }
    }

    /** Index in the small picture of the pixel whose f x g window holds pixel i of the large one; -1 for none. */
    private static int origin(int i, Tensor large, Tensor small, int f, int g) {
        int column = i % large.dim(3) / g;
        int row = i / large.dim(3) % large.dim(2) / f;
        int plane = i / large.dim(3) / large.dim(2);
        boolean inside = row < small.dim(2) && column < small.dim(3);
        return inside ? (plane * small.dim(2) + row) * small.dim(3) + column : -1;
    }

    private static void sumWindows(
            float[] large, Tensor largeShape, float[] small, Tensor smallShape, int f, int g, double factor) {
        double[] sums = new double[small.length];
        for (int i = 0; i < large.length; i++) {
            int to = origin(i, largeShape, smallShape, f, g);
            if (to >= 0) {
                sums[to] += large[i] * factor;
            }
        }
        MatrixOps.round(sums, small);
    }

    /** Angles are rounded to float first, as the published models were trained. */
    private static void sinusoidal(SinusoidalEmbedding op, Data data) {
        int half = op.f().size();
        int size = op.y().dim(1);
        float[] y = data.of(op.y());
        for (int n = 0; n < op.t().size(); n++) {
            float t = data.of(op.t())[n];
            float time = op.log() ? (float) Math.log(t) : t;
            y[n * size + size - 1] = 0;
            for (int i = 0; i < half; i++) {
                float angle = time * data.of(op.f())[i];
                y[n * size + (op.flip() ? half : 0) + i] = (float) Math.sin(angle);
                y[n * size + (op.flip() ? 0 : half) + i] = (float) Math.cos(angle);
            }
        }
    }
}
