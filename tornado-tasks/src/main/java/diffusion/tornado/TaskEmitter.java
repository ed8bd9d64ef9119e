package diffusion.tornado;

import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import java.util.ArrayList;
import java.util.List;
import java.util.function.ToIntFunction;
import org.jspecify.annotations.Nullable;
import uk.ac.manchester.tornado.api.common.TaskPackage;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Turns the ops of one graph into tasks: calls of kernels with their places and sizes, which TornadoVM compiles and plain
 * Java can run as well.
 */
final class TaskEmitter {
    final FloatArray mem;
    private final ToIntFunction<Tensor> places;
    private final Scratch scratch;
    private final List<TaskPackage> tasks = new ArrayList<>();
    private String prefix = "";

    /** A stretch of {@code mem} behind the tensors, for what lasts no longer than one op, and tables that last. */
    interface Scratch {
        /** The place of {@code floats} that only the current op uses; ops share it. */
        int take(int floats);

        /** The place of values that stay for ever. */
        int keep(float[] values);
    }

    TaskEmitter(FloatArray mem, ToIntFunction<Tensor> places, Scratch scratch) {
        this.mem = mem;
        this.places = places;
        this.scratch = scratch;
    }

    /** Emits all ops; neighbours that update one weight each become one task over a table. */
    List<TaskPackage> emit(List<Op> ops) {
        for (int i = 0; i < ops.size(); i++) {
            Op op = ops.get(i);
            prefix = "op" + i;
            if (op instanceof TrainOp.OptimizerStep || op instanceof TrainOp.Ema) {
                int end = i + 1;
                while (end < ops.size() && TrainingTasks.sameTable(op, ops.get(end))) {
                    end++;
                }
                TrainingTasks.table(this, ops.subList(i, end));
                i = end - 1;
            } else {
                emit(op);
            }
        }
        return List.copyOf(tasks);
    }

    int at(Tensor tensor) {
        return places.applyAsInt(tensor);
    }

    /** The place, or -1 for none. */
    int atOrNone(@Nullable Tensor tensor) {
        return tensor == null ? -1 : at(tensor);
    }

    Scratch scratch() {
        return scratch;
    }

    /** A name for the next task of the op at hand. */
    String id(String kernel) {
        return prefix + "_" + tasks.size() + "_" + kernel;
    }

    void add(TaskPackage task) {
        tasks.add(task);
    }

    private void emit(Op op) {
        switch (op) {
            case MatrixOp matrix -> MatrixTasks.emit(this, matrix);
            case PointOp point -> PointTasks.emit(this, point);
            case LayoutOp layout -> LayoutTasks.emit(this, layout);
            case TrainOp train -> TrainingTasks.emit(this, train);
            case SamplerStep sampler -> SamplerTasks.emit(this, sampler);
        }
    }
}
