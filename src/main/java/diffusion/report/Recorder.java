package diffusion.report;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;

/** Remembers what every graph was given when it ran first. */
final class Recorder implements ObservedBackend.Observer {
    private final Map<Graph, Map<Tensor, float[]>> inputs = new LinkedHashMap<>();

    /** The graphs that ran, with the values of all tensors but activations from before the first run. */
    Map<Graph, Map<Tensor, float[]>> inputs() {
        return inputs;
    }

    @Override
    public void before(Program program, Graph graph) {
        inputs.computeIfAbsent(graph, _ -> {
            Map<Tensor, float[]> values = new LinkedHashMap<>();
            for (Tensor tensor : graph.tensors()) {
                if (tensor.role() != Tensor.Role.ACTIVATION) {
                    values.put(tensor, program.read(tensor));
                }
            }
            return values;
        });
    }
}
