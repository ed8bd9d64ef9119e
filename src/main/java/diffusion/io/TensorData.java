package diffusion.io;

import java.lang.foreign.MemorySegment;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A tensor to be written: its type, its shape and, when its turn comes, its bytes.
 *
 * <p>F32 tensors are converted to the type the file is written in; tensors of any other type are written as they are.
 */
public final class TensorData {
    private final DType dtype;
    private final int[] shape;
    private final Supplier<MemorySegment> data;
    private final @Nullable DType written;

    private TensorData(DType dtype, int[] shape, Supplier<MemorySegment> data) {
        this(dtype, shape, data, null);
    }

    private TensorData(DType dtype, int[] shape, Supplier<MemorySegment> data, @Nullable DType written) {
        this.dtype = dtype;
        this.shape = shape.clone();
        this.data = data;
        this.written = written;
    }

    /** A float tensor on the heap; not copied. */
    public static TensorData of(int[] shape, float[] values) {
        return new TensorData(DType.F32, shape, () -> MemorySegment.ofArray(values));
    }

    /** A tensor of 64-bit integers, such as counters and generator states; not copied. */
    public static TensorData of(int[] shape, long[] values) {
        return new TensorData(DType.I64, shape, () -> MemorySegment.ofArray(values));
    }

    /** A tensor of bytes (U8); not copied. */
    public static TensorData of(int[] shape, byte[] values) {
        return new TensorData(DType.U8, shape, () -> MemorySegment.ofArray(values));
    }

    /** A tensor of any type in little-endian memory; not copied. */
    public static TensorData of(DType dtype, int[] shape, MemorySegment data) {
        return new TensorData(dtype, shape, () -> data);
    }

    /** A float tensor fetched only while it is written, so that a large model is never held twice. */
    public static TensorData lazy(int[] shape, Supplier<float[]> values) {
        return new TensorData(DType.F32, shape, () -> MemorySegment.ofArray(values.get()));
    }

    /** A float tensor fetched only while it is written, and written as {@code dtype}: F32, F16 or BF16. */
    public static TensorData lazy(DType dtype, int[] shape, Supplier<float[]> values) {
        return new TensorData(DType.F32, shape, () -> MemorySegment.ofArray(values.get()), dtype);
    }

    /** The type to write: its own, or {@code fallback} for floats that do not say. */
    DType writtenAs(DType fallback) {
        return written != null ? written : dtype == DType.F32 ? fallback : dtype;
    }

    DType dtype() {
        return dtype;
    }

    int[] shape() {
        return shape.clone();
    }

    long elements() {
        long product = 1;
        for (int size : shape) {
            product = Math.multiplyExact(product, size);
        }
        return product;
    }

    /** The bytes; fails when their number does not fit the shape. */
    MemorySegment bytes(String name) {
        MemorySegment segment = data.get();
        long expected = elements() * dtype.bytes();
        if (segment.byteSize() != expected) {
            throw new DiffusionException("tensor " + name + ": found " + segment.byteSize() + " bytes, expected "
                    + expected + " for " + dtype + java.util.Arrays.toString(shape));
        }
        return segment;
    }
}
