package diffusion.backend;

import diffusion.graph.Graph;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/** Runs single ops on given values and keeps what they write. */
public final class OpRunner {
    private final Backend backend;
    private final Map<Tensor, float[]> values = new HashMap<>();

    /** Runs on that backend. */
    public OpRunner(Backend backend) {
        this.backend = backend;
    }

    /** An input of that shape. */
    public Tensor in(int[] shape, float... data) {
        return holding(new Tensor("in", Tensor.Role.INPUT, shape), data);
    }

    /** An input of one dimension. */
    public Tensor in(float... data) {
        return in(new int[] {data.length}, data);
    }

    /** A state of that shape: something the op updates. */
    public Tensor state(int[] shape, float... data) {
        return holding(new Tensor("state", Tensor.Role.STATE, shape), data);
    }

    /** A result. */
    public Tensor out(int... shape) {
        return new Tensor("out", Tensor.Role.ACTIVATION, shape);
    }

    private Tensor holding(Tensor tensor, float[] data) {
        values.put(tensor, data.clone());
        return tensor;
    }

    /** Gives an input or a state another value. */
    public void set(Tensor tensor, float... data) {
        values.put(tensor, data.clone());
    }

    /** Runs the op once; states go on from here. */
    public OpRunner run(Op op) {
        Graph graph = new Graph("op");
        graph.append(op);
        op.writes().forEach(graph::output);
        try (Program program = backend.compile(List.of(graph))) {
            for (Tensor tensor : graph.tensors()) {
                if (tensor.role() != Tensor.Role.ACTIVATION && values.containsKey(tensor)) {
                    program.write(tensor, values.get(tensor));
                }
            }
            program.run(graph);
            op.writes().forEach(tensor -> values.put(tensor, program.read(tensor)));
        }
        return this;
    }

    /** What the tensor holds. */
    public float[] get(Tensor tensor) {
        float[] data = values.get(tensor);
        if (data == null) {
            throw new IllegalStateException(tensor + " was never written");
        }
        return data;
    }
}
