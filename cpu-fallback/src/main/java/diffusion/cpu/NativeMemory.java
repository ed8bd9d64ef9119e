package diffusion.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import org.jspecify.annotations.Nullable;

/**
 * Large blocks of zeros from the C library, which takes their pages from the system only as they are touched.
 *
 * <p>{@link Arena#allocate} writes the zeros itself, one page after another on one thread; for the 3.4 GB of a large U-Net
 * that took 16 s here. Where the system has pages of 2 MB (Linux), large blocks ask for them: there are 500 times fewer to take.
 */
final class NativeMemory {
    private static final long ALIGNMENT = 64;
    private static final long LARGE = 4 << 20;
    private static final long SMALL = 1 << 20;
    private static final int HUGE_PAGES = 14; // MADV_HUGEPAGE
    private static final long HUGE_PAGE = 2 << 20;

    private NativeMemory() {}

    /** Functions of the C library, looked for when the first large block is wanted: that takes longer than a small block. */
    private static final class Library {
        static final MethodHandle CALLOC = function(
                "calloc", FunctionDescriptor.of(ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_LONG));
        static final MethodHandle FREE = function("free", FunctionDescriptor.ofVoid(ValueLayout.ADDRESS));
        static final @Nullable MethodHandle ADVISE = System.getProperty("os.name")
                        .equals("Linux")
                ? function(
                        "madvise",
                        FunctionDescriptor.of(
                                ValueLayout.JAVA_INT, ValueLayout.ADDRESS, ValueLayout.JAVA_LONG, ValueLayout.JAVA_INT))
                : null;

        private static MethodHandle function(String name, FunctionDescriptor type) {
            Linker linker = Linker.nativeLinker();
            return linker.downcallHandle(linker.defaultLookup().findOrThrow(name), type);
        }
    }

    /** The address, a multiple of 64, of a block that lives as long as {@code arena}. */
    static long allocate(Arena arena, long bytes) {
        if (bytes < SMALL) {
            return arena.allocate(bytes, ALIGNMENT).address();
        }
        try {
            MemorySegment block = (MemorySegment) Library.CALLOC.invokeExact(bytes + ALIGNMENT, 1L);
            if (block.address() == 0) {
                throw new OutOfMemoryError("the system has no " + (bytes >> 20) + " MB of memory left");
            }
            block.reinterpret(bytes + ALIGNMENT, arena, NativeMemory::free);
            long first = (block.address() + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
            long whole = (block.address() + bytes - first) / HUGE_PAGE * HUGE_PAGE;
            if (Library.ADVISE != null && whole >= LARGE) {
                // An advice; where it is not taken, nothing is lost.
                int _ = (int) Library.ADVISE.invokeExact(MemorySegment.ofAddress(first), whole, HUGE_PAGES);
            }
            return (block.address() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        } catch (OutOfMemoryError | RuntimeException e) {
            throw e;
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }

    private static void free(MemorySegment block) {
        try {
            Library.FREE.invokeExact(block);
        } catch (Throwable e) {
            throw new IllegalStateException(e);
        }
    }
}
