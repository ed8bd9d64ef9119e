package diffusion.tornado;

import diffusion.backend.BackendException;
import diffusion.backend.MemoryPlan;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import uk.ac.manchester.tornado.api.common.TornadoDevice;
import uk.ac.manchester.tornado.api.types.arrays.FloatArray;

/**
 * What the array of a program holds, in order: the tensors where the memory plan puts them, scratch that ops share, tables,
 * one float to spare.
 *
 * <p>How much scratch and how many tables there are is found by emitting all tasks once without running them.
 */
final class Places implements TaskEmitter.Scratch {
    private final MemoryPlan plan;
    private final long tableStart;
    private final Map<Integer, float[]> tables = new LinkedHashMap<>();
    private long scratchFloats;
    private long tableFloats;
    private long total;

    private Places(MemoryPlan plan, long scratchFloats) {
        this.plan = plan;
        tableStart = plan.totalFloats() + scratchFloats;
    }

    static Places measure(MemoryPlan plan, List<Graph> graphs) {
        FloatArray nothing = new FloatArray(1);
        Places trial = new Places(plan, 0);
        graphs.forEach(graph -> new TaskEmitter(nothing, trial::at, trial).emit(graph.ops()));
        Places places = new Places(plan, trial.scratchFloats);
        places.scratchFloats = trial.scratchFloats;
        places.tableFloats = trial.tableFloats;
        places.total = places.tableStart + trial.tableFloats + 1;
        places.tableFloats = 0;
        return places;
    }

    int at(Tensor tensor) {
        return (int) plan.offset(tensor);
    }

    @Override
    public int take(int floats) {
        scratchFloats = Math.max(scratchFloats, floats);
        return (int) plan.totalFloats();
    }

    @Override
    public int keep(float[] values) {
        int at = (int) (tableStart + tableFloats);
        tables.put(at, values);
        tableFloats += values.length;
        return at;
    }

    Map<Integer, float[]> tables() {
        return tables;
    }

    long floats() {
        return total;
    }

    void check(TornadoDevice device) {
        long bytes = total * Float.BYTES + 64;
        long most = Math.min(device.getMaxAllocMemory(), (long) Integer.MAX_VALUE * Float.BYTES);
        if (bytes > most) {
            throw new BackendException(
                    "the model needs %.1f MiB in one piece, but %s gives at most %.1f MiB; use a smaller --batch or --size, or --backend cpu"
                            .formatted(bytes / 0x1p20, Devices.describe(device), most / 0x1p20));
        }
    }
}
