package diffusion.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/** Elements of two bytes to floats, by way of arrays that fit the first cache: the compiler turns such loops into vectors. */
final class Widening {
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat NATIVE = ValueLayout.JAVA_FLOAT;
    private static final int RUN = 2048;

    private Widening() {}

    /** All of {@code to}, from as many elements at the start of {@code from}; {@code type} is F16 or BF16. */
    static void widen(DType type, MemorySegment from, MemorySegment to) {
        short[] bits = new short[RUN];
        float[] values = new float[RUN];
        long n = to.byteSize() / Float.BYTES;
        for (long i = 0; i < n; i += RUN) {
            int count = (int) Math.min(RUN, n - i);
            MemorySegment.copy(from, I16, i * Short.BYTES, bits, 0, count);
            if (type == DType.F16) {
                half(bits, values, count);
            } else {
                bfloat16(bits, values, count);
            }
            MemorySegment.copy(values, 0, to, NATIVE, i * Float.BYTES, count);
        }
    }

    private static void half(short[] bits, float[] values, int count) {
        for (int i = 0; i < count; i++) {
            values[i] = Float.float16ToFloat(bits[i]);
        }
    }

    private static void bfloat16(short[] bits, float[] values, int count) {
        for (int i = 0; i < count; i++) {
            values[i] = DType.bfloat16ToFloat(bits[i]);
        }
    }
}
