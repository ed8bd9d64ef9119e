package diffusion.backend;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;

/** Compiled graphs and the memory of their tensors; used by one thread at a time. */
public interface Program extends AutoCloseable {
    /** Sets a tensor that is not an activation; {@code values} has its size. */
    void write(Tensor tensor, float[] values);

    /** Copies out a tensor: an output of the graph that ran last, or one that is not an activation. */
    void read(Tensor tensor, float[] into);

    /** Runs one of the compiled graphs. */
    void run(Graph graph);

    /** Bytes of tensor memory held: parameters, states, inputs, outputs and activations. */
    long memoryBytes();

    /** Frees the memory; using the program afterwards is an error. */
    @Override
    void close();

    /** {@link #read(Tensor, float[])} into a new array. */
    default float[] read(Tensor tensor) {
        float[] values = new float[tensor.size()];
        read(tensor, values);
        return values;
    }
}
