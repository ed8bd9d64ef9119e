package diffusion.scheduler;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The steps of a run by the op {@link SamplerStep} on a backend. */
public final class BackendStepper implements PublishedRows.Stepper {
    private final Graph graph = new Graph("step");
    private final List<Tensor> history = new ArrayList<>();
    private final Tensor x;
    private final Tensor m;
    private final Tensor z;
    private final Tensor c;
    private final Program program;

    /** For so many samples of so many elements. */
    public BackendStepper(Backend backend, int samples, int elements, int historySize) {
        int[] shape = {samples, 3, elements / 3};
        x = graph.state("x", shape);
        m = graph.input("m", shape);
        z = graph.input("z", shape);
        c = graph.input("c", SamplerStep.H + historySize);
        for (int i = 0; i < historySize; i++) {
            history.add(graph.state("history." + i, shape));
        }
        graph.append(new SamplerStep(x, m, z, history, c, null));
        program = backend.compile(List.of(graph));
    }

    @Override
    public double[] step(Step step, double[] before, double[] output, double @Nullable [] noise) {
        program.write(x, narrow(before));
        program.write(m, narrow(output));
        if (noise != null) {
            program.write(z, narrow(noise));
        }
        program.write(c, step.toFloats(history.size()));
        program.run(graph);
        float[] after = program.read(x);
        double[] wide = new double[after.length];
        for (int i = 0; i < wide.length; i++) {
            wide[i] = after[i];
        }
        return wide;
    }

    private static float[] narrow(double[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < floats.length; i++) {
            floats[i] = (float) values[i];
        }
        return floats;
    }

    @Override
    public void close() {
        program.close();
    }
}
