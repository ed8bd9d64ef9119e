package diffusion.backend.reference;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Interprets graphs op by op, with an array for every tensor. */
final class ReferenceProgram implements Program {
    private final List<Graph> graphs;
    private final Map<Tensor, float[]> arrays = new HashMap<>();
    private boolean closed;

    ReferenceProgram(List<Graph> graphs) {
        this.graphs = List.copyOf(graphs);
        for (Graph graph : graphs) {
            graph.tensors().forEach(tensor -> arrays.computeIfAbsent(tensor, t -> new float[t.size()]));
            graph.constants().forEach((tensor, values) -> {
                if (arrays.containsKey(tensor)) {
                    write(tensor, values);
                }
            });
        }
    }

    @Override
    public void write(Tensor tensor, float[] values) {
        if (tensor.role() == Tensor.Role.ACTIVATION) {
            throw new IllegalArgumentException(tensor + " is computed by the graph and cannot be written");
        }
        System.arraycopy(values, 0, array(tensor, values.length), 0, values.length);
    }

    @Override
    public void read(Tensor tensor, float[] into) {
        System.arraycopy(array(tensor, into.length), 0, into, 0, into.length);
    }

    private float[] array(Tensor tensor, int length) {
        checkOpen();
        float[] array = arrays.get(tensor);
        if (array == null) {
            throw new IllegalArgumentException(tensor + " is not part of the compiled graphs");
        }
        if (array.length != length) {
            throw new IllegalArgumentException(tensor + " has " + array.length + " elements, the array has " + length);
        }
        return array;
    }

    @Override
    public void run(Graph graph) {
        checkOpen();
        if (!graphs.contains(graph)) {
            throw new IllegalArgumentException("graph " + graph.name() + " was not compiled into this program");
        }
        // An op that reads what was never written in this run shows as NaN.
        for (Op op : graph.ops()) {
            for (Tensor tensor : op.writes()) {
                if (tensor.role() == Tensor.Role.ACTIVATION) {
                    Arrays.fill(data(tensor), Float.NaN);
                }
            }
        }
        graph.ops().forEach(this::run);
    }

    private void run(Op op) {
        switch (op) {
            case MatrixOp matrix -> MatrixOps.run(matrix, this::data);
            case PointOp point -> PointOps.run(point, this::data);
            case LayoutOp layout -> LayoutOps.run(layout, this::data);
            case TrainOp train -> TrainOps.run(train, this::data);
            case SamplerStep step -> SamplerSteps.run(step, this::data);
        }
    }

    private float[] data(Tensor tensor) {
        float[] array = arrays.get(tensor);
        if (array == null) {
            throw new IllegalStateException(tensor + " has no memory");
        }
        return array;
    }

    @Override
    public long memoryBytes() {
        return arrays.values().stream()
                .mapToLong(a -> (long) a.length * Float.BYTES)
                .sum();
    }

    @Override
    public void close() {
        closed = true;
        arrays.clear();
    }

    private void checkOpen() {
        if (closed) {
            throw new IllegalStateException("the program is closed");
        }
    }

    /** Where an op finds the elements of its tensors. */
    @FunctionalInterface
    interface Data {
        float[] of(Tensor tensor);
    }
}
