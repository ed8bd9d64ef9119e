package diffusion.backend;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** Compiled graphs and the memory of their tensors; used by one thread at a time. */
public interface Program extends AutoCloseable {
    /** Sets a tensor that is not an activation; {@code values} has its size. */
    void write(Tensor tensor, float[] values);

    /**
     * Sets a tensor that is not an activation from what {@code values} writes into the memory it is given: the tensor's
     * elements as floats in native order. Large weights need not lie in an array on the way; {@link diffusion.io.Elements} may be
     * kept in the type they fit.
     */
    default void fill(Tensor tensor, Consumer<MemorySegment> values) {
        float[] array = new float[tensor.size()];
        values.accept(MemorySegment.ofArray(array));
        write(tensor, array);
    }

    /** Copies out a tensor: an output of the graph that ran last, or one that is not an activation. */
    void read(Tensor tensor, float[] into);

    /** Runs one of the compiled graphs. */
    void run(Graph graph);

    /** Bytes of tensor memory held: parameters, states, inputs, outputs and activations. */
    long memoryBytes();

    /**
     * What a device cost besides computing, while {@link #measure} was on.
     *
     * @param compileNanos time to translate kernels for the device
     * @param bytesToDevice bytes copied to the device
     * @param bytesFromDevice bytes copied from it
     * @param transferNanos time of those copies
     */
    record Usage(long compileNanos, long bytesToDevice, long bytesFromDevice, long transferNanos) {
        /** Nothing. */
        public static final Usage NONE = new Usage(0, 0, 0, 0);

        /** What came after {@code earlier}. */
        public Usage since(Usage earlier) {
            return new Usage(
                    compileNanos - earlier.compileNanos,
                    bytesToDevice - earlier.bytesToDevice,
                    bytesFromDevice - earlier.bytesFromDevice,
                    transferNanos - earlier.transferNanos);
        }
    }

    /** Whether to keep account of what {@link #usage} tells, which may make runs slower; at first it is not kept. */
    default void measure(boolean on) {}

    /** The account so far; {@link Usage#NONE} on backends without a device. */
    default Usage usage() {
        return Usage.NONE;
    }

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
