package diffusion.io;

import java.io.IOException;
import java.io.InputStream;
import java.lang.foreign.MemorySegment;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;

/** A file of named weights, of which nothing is read before it is asked for. */
public sealed interface TensorFile extends AutoCloseable permits SafeTensors, Gguf {
    /** What every GGUF file begins with. */
    String GGUF_MAGIC = "GGUF";

    /** Opens a safetensors file, the index of several, or a GGUF file, told apart by content; throws a DiffusionException. */
    static TensorFile open(Path path) {
        return isGguf(path) ? Gguf.open(path) : SafeTensors.open(path);
    }

    /** Whether a path is a file that begins as GGUF files do. */
    static boolean isGguf(Path path) {
        if (!Files.isRegularFile(path)) {
            return false;
        }
        try (InputStream in = Files.newInputStream(path)) {
            return Arrays.equals(in.readNBytes(4), GGUF_MAGIC.getBytes(StandardCharsets.US_ASCII));
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check the file's mode", e);
        }
    }

    /** Tensor names in the order of the file. */
    Set<String> names();

    /** Whether a tensor of that name is here. */
    boolean contains(String name);

    /** Shape of a tensor, the slowest axis first; a scalar has none. */
    int[] shape(String name);

    /** How a tensor's elements are stored, such as F16 or Q8_0. */
    String precision(String name);

    /**
     * Writes a tensor as floats in native order.
     *
     * @param to memory of the tensor's elements times four bytes
     */
    default void fill(String name, MemorySegment to) {
        fill(name, 0, to);
    }

    /** Writes elements of a tensor as floats in native order: from number {@code first} on, as many as fit. */
    void fill(String name, long first, MemorySegment to);

    /** The type that a tensor's elements fit without loss: its own if that is one of F16, BF16, Q8_0 and Q4_0, else F32. */
    default GgmlType type(String name) {
        return switch (precision(name)) {
            case "F16" -> GgmlType.F16;
            case "BF16" -> GgmlType.BF16;
            case "Q8_0" -> GgmlType.Q8_0;
            case "Q4_0" -> GgmlType.Q4_0;
            default -> GgmlType.F32;
        };
    }

    /** Copies whole blocks of a tensor's {@link #type} as they are stored, from that of element {@code first} on. */
    void blocks(String name, long first, MemorySegment to);

    /** What the file says of itself. */
    Map<String, String> metadata();

    @Override
    void close();
}
