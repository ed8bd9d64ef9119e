package diffusion.io;

import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/**
 * The elements of a weight on their way into a program, any of them as floats, and in how few bytes they fit without loss.
 *
 * <p>As a {@code Consumer} it writes all of them.
 */
public interface Elements extends Consumer<MemorySegment> {
    /** A type that holds every element exactly: F32, or F16 or BF16 of finite numbers, or Q8_0 or Q4_0. */
    GgmlType type();

    /** Writes elements as floats in native order, from number {@code first} on, as many as fit; on any thread. */
    void floats(long first, MemorySegment to);

    /** Writes whole blocks of {@link #type} as they lie in GGUF files, from that of element {@code first} on. */
    void blocks(long first, MemorySegment to);

    @Override
    default void accept(MemorySegment to) {
        floats(0, to);
    }
}
