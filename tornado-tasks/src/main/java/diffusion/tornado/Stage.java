package diffusion.tornado;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;
import uk.ac.manchester.tornado.api.types.arrays.IntArray;

/** A small array that travels between host and device, with the task graphs that copy it from and to the large one. */
final class Stage {
    private static final int[] CAPACITIES = {1 << 8, 1 << 12, 1 << 16, 1 << 20};

    private final FloatArray values;
    private final IntArray span = new IntArray(2);
    private final int uploadGraph;
    private final int downloadGraph;

    private Stage(FloatArray mem, int capacity, List<ImmutableTaskGraph> graphs) {
        values = new FloatArray(capacity);
        uploadGraph = graphs.size();
        graphs.add(new TaskGraph("g" + uploadGraph)
                .consumeFromDevice(mem)
                .transferToDevice(DataTransferMode.EVERY_EXECUTION, values, span)
                .task("upload", TransferKernels::upload, mem, values, span, capacity)
                .persistOnDevice(mem)
                .snapshot());
        downloadGraph = graphs.size();
        graphs.add(new TaskGraph("g" + downloadGraph)
                .consumeFromDevice(mem)
                .transferToDevice(DataTransferMode.EVERY_EXECUTION, span)
                .task("download", TransferKernels::download, mem, values, span, capacity)
                .transferToHost(DataTransferMode.EVERY_EXECUTION, values)
                .persistOnDevice(mem)
                .snapshot());
    }

    /** Stages of growing size; their task graphs are appended to {@code graphs}. */
    static List<Stage> of(FloatArray mem, List<ImmutableTaskGraph> graphs) {
        List<Stage> stages = new ArrayList<>();
        for (int capacity : CAPACITIES) {
            if (stages.isEmpty() || stages.getLast().values.getSize() < mem.getSize()) {
                stages.add(new Stage(mem, capacity, graphs));
            }
        }
        return stages;
    }

    /** The smallest stage that holds so many floats, else the largest. */
    static Stage fitting(List<Stage> stages, int floats) {
        return stages.stream()
                .filter(stage -> stage.values.getSize() >= floats)
                .findFirst()
                .orElse(stages.getLast());
    }

    /** Uploads nothing, so that no later run has to compile. */
    void compile(IntConsumer execute) {
        move(0, 0);
        execute.accept(uploadGraph);
    }

    void upload(IntConsumer execute, int at, float[] from) {
        for (int done = 0; done < from.length; done += values.getSize()) {
            int count = Math.min(values.getSize(), from.length - done);
            MemorySegment.copy(from, done, values.getSegment(), ValueLayout.JAVA_FLOAT, 0, count);
            move(at + done, count);
            execute.accept(uploadGraph);
        }
    }

    void download(IntConsumer execute, int at, float[] into) {
        for (int done = 0; done < into.length; done += values.getSize()) {
            int count = Math.min(values.getSize(), into.length - done);
            move(at + done, count);
            execute.accept(downloadGraph);
            MemorySegment.copy(values.getSegment(), ValueLayout.JAVA_FLOAT, 0, into, done, count);
        }
    }

    private void move(int at, int count) {
        span.set(0, at);
        span.set(1, count);
    }
}
