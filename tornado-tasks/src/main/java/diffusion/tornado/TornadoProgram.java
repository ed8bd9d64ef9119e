package diffusion.tornado;

import diffusion.backend.BackendException;
import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.ImmutableTaskGraph;
import uk.ac.manchester.tornado.api.TaskGraph;
import uk.ac.manchester.tornado.api.TornadoExecutionPlan;
import uk.ac.manchester.tornado.api.TornadoExecutionResult;
import uk.ac.manchester.tornado.api.TornadoProfilerResult;
import uk.ac.manchester.tornado.api.common.TaskPackage;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.enums.DataTransferMode;
import uk.ac.manchester.tornado.api.enums.ProfilerMode;
import uk.ac.manchester.tornado.api.exceptions.TornadoExecutionPlanException;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * Graphs compiled for a device: one array of floats holds every tensor and stays there, task graphs of one execution plan
 * work on it.
 *
 * <p>What is written before the first run, such as the weights, travels with the array; later only what is written or read,
 * through {@link Stage}s.
 */
final class TornadoProgram implements Program {
    /** Tasks in one task graph; TornadoVM has buffers that overflow somewhat above. */
    private static final int TASKS = 48;

    private record Span(int first, int end) {}

    private final MemoryPlan plan;
    private final FloatArray mem;
    private final TornadoExecutionPlan executor;
    private final Map<Graph, Span> spans = new HashMap<>();
    private final List<Stage> stages;
    private final TornadoDevice device;
    private boolean onDevice;
    private boolean closed;
    private boolean measures;
    private Usage usage = Usage.NONE;

    TornadoProgram(TornadoDevice device, List<Graph> graphs) {
        this.device = device;
        plan = new MemoryPlan(graphs);
        Places places = Places.measure(plan, graphs);
        places.check(device);
        mem = new FloatArray((int) places.floats());
        List<ImmutableTaskGraph> all = new ArrayList<>();
        all.add(send());
        stages = Stage.of(mem, all);
        for (Graph graph : graphs) {
            int start = all.size();
            List<TaskPackage> tasks = new TaskEmitter(mem, places::at, places).emit(graph.ops());
            for (int i = 0; i < tasks.size(); i += TASKS) {
                TaskGraph chunk = new TaskGraph("g" + all.size()).consumeFromDevice(mem);
                tasks.subList(i, Math.min(i + TASKS, tasks.size())).forEach(chunk::addTask);
                all.add(chunk.persistOnDevice(mem).snapshot());
            }
            spans.put(graph, new Span(start, all.size()));
        }
        executor = new TornadoExecutionPlan(all.toArray(ImmutableTaskGraph[]::new));
        executor.withDevice(device);
        places.tables().forEach((at, values) -> copyIn(values, at));
        for (Graph graph : graphs) {
            graph.constants().forEach((tensor, values) -> {
                if (plan.contains(tensor)) {
                    write(tensor, values);
                }
            });
        }
    }

    /** Sends the whole array once; TornadoVM only sends what a task reads. */
    private ImmutableTaskGraph send() {
        int last = mem.getSize() - 1;
        return new TaskGraph("g0")
                .transferToDevice(DataTransferMode.FIRST_EXECUTION, mem)
                .task("touch", PointKernels::scale, mem, last, last, 1, 1f)
                .persistOnDevice(mem)
                .snapshot();
    }

    private void copyIn(float[] values, int at) {
        MemorySegment.copy(values, 0, mem.getSegment(), ValueLayout.JAVA_FLOAT, 4L * at, values.length);
    }

    @Override
    public void write(Tensor tensor, float[] values) {
        int at = check(tensor, values.length);
        if (tensor.role() == Tensor.Role.ACTIVATION) {
            throw new IllegalArgumentException(tensor + " is computed by the graph and cannot be written");
        }
        if (onDevice) {
            Stage.fitting(stages, values.length).upload(this::execute, at, values);
        } else {
            copyIn(values, at);
        }
    }

    @Override
    public void read(Tensor tensor, float[] into) {
        int at = check(tensor, into.length);
        if (onDevice) {
            Stage.fitting(stages, into.length).download(this::execute, at, into);
        } else {
            MemorySegment.copy(mem.getSegment(), ValueLayout.JAVA_FLOAT, 4L * at, into, 0, into.length);
        }
    }

    private int check(Tensor tensor, int length) {
        checkOpen();
        int at = (int) plan.offset(tensor);
        if (length != tensor.size()) {
            throw new IllegalArgumentException(tensor + " has " + tensor.size() + " elements, the array has " + length);
        }
        return at;
    }

    @Override
    public void run(Graph graph) {
        checkOpen();
        Span span = spans.get(graph);
        if (span == null) {
            throw new IllegalArgumentException("graph " + graph.name() + " was not compiled into this program");
        }
        if (!onDevice) {
            execute(0);
            stages.forEach(stage -> stage.compile(this::execute));
            onDevice = true;
        }
        for (int i = span.first; i < span.end; i++) {
            execute(i);
        }
    }

    private void execute(int graph) {
        TornadoExecutionResult result = executor.withGraph(graph).execute();
        if (measures) {
            TornadoProfilerResult profile = result.getProfilerResult();
            usage = new Usage(
                    usage.compileNanos() + profile.getCompileTime(),
                    usage.bytesToDevice() + profile.getTotalBytesCopyIn(),
                    usage.bytesFromDevice() + profile.getTotalBytesCopyOut(),
                    usage.transferNanos() + profile.getDataTransfersTime());
        }
    }

    /** Turns TornadoVM's own profiler on. */
    @Override
    public void measure(boolean on) {
        if (on) {
            executor.withProfiler(ProfilerMode.SILENT);
        } else {
            executor.withoutProfiler();
        }
        measures = on;
    }

    @Override
    public Usage usage() {
        return usage;
    }

    @Override
    public long memoryBytes() {
        return mem.getNumBytesOfSegmentWithHeader();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            executor.freeDeviceMemory();
            try {
                executor.close();
            } catch (TornadoExecutionPlanException e) {
                throw new BackendException(
                        "the memory of " + Devices.describe(device) + " could not be freed: " + e, e);
            }
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the program is closed");
        }
    }
}
