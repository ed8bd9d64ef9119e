package diffusion.cpu;

import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Consumer;

/** Graphs compiled for the CPU: one slab for their tensors, a list of steps each. */
final class CpuProgram implements Program {
    private final Arena arena = Arena.ofShared();
    private final Crew crew;
    private final MemoryPlan plan;
    private final Weights weights;
    private final Map<Graph, List<Crew.Step>> steps = new HashMap<>();
    private final long slab;
    private final long bytes;
    private boolean closed;

    CpuProgram(Crew crew, List<Graph> graphs) {
        this(crew, graphs, Weights.LARGE);
    }

    /** A program that keeps weights narrow if they would be {@code large} bytes of floats. */
    CpuProgram(Crew crew, List<Graph> graphs, long large) {
        this.crew = crew;
        Set<Tensor> packedOnly = Weights.packedOnly(graphs);
        plan = new MemoryPlan(graphs, packedOnly);
        weights = new Weights(crew, packedOnly, arena, large);
        // Room behind the slab: tiles read past the end of a tensor, never write there.
        long slabBytes = plan.totalFloats() * Float.BYTES + 4096;
        slab = NativeMemory.allocate(arena, slabBytes);
        Scratch scratch = new Scratch(crew.size());
        for (Graph graph : graphs) {
            CpuEmitter emitter = new CpuEmitter(this::address, weights, scratch);
            graph.ops().forEach(emitter::emit);
            steps.put(graph, emitter.steps());
        }
        weights.place();
        long scratchBytes = scratch.bytes();
        scratch.place(NativeMemory.allocate(arena, scratchBytes));
        bytes = slabBytes + scratchBytes;
        for (Graph graph : graphs) {
            graph.constants().forEach((tensor, values) -> {
                if (plan.contains(tensor)) {
                    Memory.copy(values, address(tensor));
                }
            });
        }
    }

    private long address(Tensor tensor) {
        return slab + plan.offset(tensor) * Float.BYTES;
    }

    @Override
    public void write(Tensor tensor, float[] values) {
        check(tensor, values.length);
        fill(tensor, to -> MemorySegment.copy(values, 0, to, ValueLayout.JAVA_FLOAT, 0, values.length));
    }

    @Override
    public void fill(Tensor tensor, Consumer<MemorySegment> values) {
        checkOpen();
        if (tensor.role() == Tensor.Role.ACTIVATION) {
            throw new IllegalArgumentException(tensor + " is computed by the graph and cannot be written");
        }
        if (weights.isPackedOnly(tensor)) {
            weights.fill(tensor, values);
        } else {
            values.accept(Memory.ALL.asSlice(address(tensor), (long) tensor.size() * Float.BYTES));
            weights.changed(tensor);
        }
    }

    @Override
    public void read(Tensor tensor, float[] into) {
        check(tensor, into.length);
        if (weights.isPackedOnly(tensor)) {
            weights.read(tensor, into);
        } else {
            Memory.copy(address(tensor), into);
        }
    }

    private void check(Tensor tensor, int length) {
        checkOpen();
        if (length != tensor.size()) {
            throw new IllegalArgumentException(tensor + " has " + tensor.size() + " elements, the array has " + length);
        }
    }

    @Override
    public void run(Graph graph) {
        checkOpen();
        List<Crew.Step> list = steps.get(graph);
        if (list == null) {
            throw new IllegalArgumentException("graph " + graph.name() + " was not compiled into this program");
        }
        WarmUp.end();
        weights.settle();
        for (Crew.Step step : list) {
            crew.run(step);
        }
    }

    @Override
    public long memoryBytes() {
        return bytes + weights.bytes();
    }

    @Override
    public void close() {
        if (!closed) {
            closed = true;
            weights.release();
            arena.close();
        }
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the program is closed");
        }
    }
}
