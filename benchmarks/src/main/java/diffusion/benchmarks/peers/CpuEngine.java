package diffusion.benchmarks.peers;

import diffusion.backend.Program;
import diffusion.cpu.CpuBackend;
import diffusion.graph.Op;
import diffusion.model.WeightSource;
import diffusion.report.OpCost;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** This project's cpu backend. */
public final class CpuEngine implements Engine {
    /** Its name. */
    public static final String NAME = "ours";

    private @Nullable Recording recording;
    private @Nullable Program program;
    private int runs;

    @Override
    public String name() {
        return NAME;
    }

    @Override
    public boolean has(Row row) {
        return true;
    }

    @Override
    public Loaded load(Row row, int threads) {
        CpuBackend backend = new CpuBackend(threads);
        Map<String, Row.Values> inputs = row.inputValues();
        Recording made = Recording.of(row, inputs);
        Program compiled = backend.compile(List.of(made.graph()));
        recording = made;
        program = compiled;
        WeightSource.inFolder(row.folder()).load(made.parameters(), made.graph().tensors()::contains, compiled::fill);
        made.inputs().forEach((name, tensor) -> compiled.write(tensor, value(inputs, name)));
        double flops = 0;
        double bytes = 0;
        for (Op op : made.graph().ops()) {
            OpCost cost = OpCost.of(op);
            flops += cost.flops();
            bytes += cost.bytes();
        }
        return new Loaded("this project, " + backend.description(), flops, bytes);
    }

    private static float[] value(Map<String, Row.Values> inputs, String name) {
        return Objects.requireNonNull(inputs.get(name), name).data();
    }

    @Override
    public void run() {
        Recording made = Objects.requireNonNull(recording);
        Program compiled = Objects.requireNonNull(program);
        runs++;
        made.beforeRun().accept(compiled, runs);
        compiled.run(made.graph());
    }

    @Override
    public float[] output() {
        return Objects.requireNonNull(program)
                .read(Objects.requireNonNull(recording).output());
    }

    @Override
    public void close() {
        if (program != null) {
            program.close();
        }
    }
}
