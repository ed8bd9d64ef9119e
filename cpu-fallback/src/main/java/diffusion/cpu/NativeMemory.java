package diffusion.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;

/**
 * Large blocks of zeros from the C library, which takes their pages from the system only as they are touched.
 *
 * <p>{@link Arena#allocate} writes the zeros itself, one page after another on one thread; for the 3.4 GB of a large U-Net
 * that took 16 s here.
 */
final class NativeMemory {
    private static final long ALIGNMENT = 64;
    private static final MethodHandle CALLOC = function(
            "calloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
    private static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));

    private NativeMemory() {}

    private static MethodHandle function(String name, FunctionDescriptor type) {
        Linker linker = Linker.nativeLinker();
        return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
    }

    /** The address, a multiple of 64, of a block that lives as long as {@code arena}. */
    static long allocate(Arena arena, long bytes) {
        try {
            MemorySegment block = (MemorySegment) CALLOC.invokeExact(bytes + ALIGNMENT, 1L);
            if (block.address() == 0) {
                throw new OutOfMemoryError("the system has no " + (bytes >> 20) + " MB of memory left");
            }
            block.reinterpret(bytes + ALIGNMENT, arena, NativeMemory::free);
            return (block.address() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        } catch (OutOfMemoryError | RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static void free(MemorySegment block) {
        try {
            FREE.invokeExact(block);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
