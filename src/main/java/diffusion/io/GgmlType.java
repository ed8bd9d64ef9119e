package diffusion.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.jspecify.annotations.Nullable;

/**
 * Element types of GGUF files: plain numbers, and blocks of small integers with common scales, as ggml's ggml-common.h lays
 * them out.
 */
public enum GgmlType {
    F32(0, 1, 4),
    F16(1, 1, 2),
    Q4_0(2, 32, 18),
    Q4_1(3, 32, 20),
    Q5_0(6, 32, 22),
    Q5_1(7, 32, 24),
    Q8_0(8, 32, 34),
    Q2_K(10, 256, 84),
    Q3_K(11, 256, 110),
    Q4_K(12, 256, 144),
    Q5_K(13, 256, 176),
    Q6_K(14, 256, 210),
    BF16(30, 1, 2);

    private static final ValueLayout.OfFloat F32_LE =
            ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32_LE = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort I16_LE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final int HALF = 16; // nibbles of a small block: the low ones come first, then the high ones

    private final int id;
    private final int block;
    private final int bytes;

    GgmlType(int id, int block, int bytes) {
        this.id = id;
        this.block = block;
        this.bytes = bytes;
    }

    static @Nullable GgmlType find(int id) {
        for (GgmlType type : values()) {
            if (type.id == id) {
                return type;
            }
        }
        return null;
    }

    /** The number that stands for it in a file. */
    int id() {
        return id;
    }

    /** Elements that share scales. */
    public int block() {
        return block;
    }

    /** Bytes of a block. */
    public int bytes() {
        return bytes;
    }

    /** Reads the block at {@code at} into the first {@link #block} elements of {@code to}. */
    public void read(MemorySegment data, long at, float[] to) {
        switch (this) {
            case F32 -> to[0] = data.get(F32_LE, at);
            case F16 -> to[0] = half(data, at);
            case BF16 -> to[0] = DType.bfloat16ToFloat(data.get(I16_LE, at));
            case Q8_0 -> {
                float scale = half(data, at);
                for (int j = 0; j < block; j++) {
                    to[j] = scale * data.get(ValueLayout.JAVA_BYTE, at + 2 + j);
                }
            }
            case Q4_0 -> nibbles(data, at + 2, 0, half(data, at), -8 * half(data, at), to);
            case Q4_1 -> nibbles(data, at + 4, 0, half(data, at), half(data, at + 2), to);
            case Q5_0 -> nibbles(data, at + 6, data.get(I32_LE, at + 2), half(data, at), -16 * half(data, at), to);
            case Q5_1 -> nibbles(data, at + 8, data.get(I32_LE, at + 4), half(data, at), half(data, at + 2), to);
            case Q2_K -> twoBits(data, at, to);
            case Q3_K -> threeBits(data, at, to);
            case Q4_K -> fourOrFiveBits(data, at, at + 16, -1, to);
            case Q5_K -> fourOrFiveBits(data, at, at + 48, at + 16, to);
            case Q6_K -> sixBits(data, at, to);
        }
    }

    /** Whether this project writes it. */
    public boolean isWritten() {
        return switch (this) {
            case F32, F16, BF16, Q8_0, Q4_0 -> true;
            case Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K -> false;
        };
    }

    /** Appends a block, rounded as ggml's reference quantisers round. */
    public void write(float[] from, ByteBuffer to) {
        switch (this) {
            case F32 -> to.putFloat(from[0]);
            case F16 -> to.putShort(Float.floatToFloat16(from[0]));
            case BF16 -> to.putShort(DType.floatToBfloat16(from[0]));
            case Q8_0 -> {
                float largest = Math.abs(from[largest(from)]);
                float scale = largest / 127;
                float inverse = scale == 0 ? 0 : 1 / scale;
                to.putShort(Float.floatToFloat16(scale));
                for (float value : from) {
                    float quant = value * inverse; // rounded half away from zero
                    to.put((byte) (Math.signum(quant) * (float) Math.floor(Math.abs(quant) + 0.5f)));
                }
            }
            case Q4_0 -> {
                float scale = from[largest(from)] / -8;
                double inverse = scale == 0 ? 0 : 1 / scale;
                to.putShort(Float.floatToFloat16(scale));
                for (int j = 0; j < HALF; j++) {
                    int low = (int) Math.clamp((float) (from[j] * inverse + 8.5), 0, 15);
                    int high = (int) Math.clamp((float) (from[j + HALF] * inverse + 8.5), 0, 15);
                    to.put((byte) (low | high << 4));
                }
            }
            case Q4_1, Q5_0, Q5_1, Q2_K, Q3_K, Q4_K, Q5_K, Q6_K ->
                throw new DiffusionException(
                        "cannot write weights as " + this + "; expected F32, F16, BF16, Q8_0 or Q4_0");
        }
    }

    /** Where the first of the values of largest magnitude is. */
    private static int largest(float... values) {
        int at = 0;
        for (int i = 1; i < values.length; i++) {
            if (Math.abs(values[i]) > Math.abs(values[at])) {
                at = i;
            }
        }
        return at;
    }

    private static float half(MemorySegment data, long at) {
        return Float.float16ToFloat(data.get(I16_LE, at));
    }

    private static int unsigned(MemorySegment data, long at) {
        return data.get(ValueLayout.JAVA_BYTE, at) & 0xff;
    }

    /** Four bits an element, and a fifth from {@code high}. */
    private static void nibbles(MemorySegment data, long at, int high, float scale, float offset, float[] to) {
        for (int j = 0; j < HALF; j++) {
            int both = unsigned(data, at + j);
            to[j] = scale * (both & 15 | (high >>> j & 1) << 4) + offset;
            to[j + HALF] = scale * (both >> 4 | (high >>> (j + HALF) & 1) << 4) + offset;
        }
    }

    /** 16 bytes of scale and minimum, 64 of quants, two factors. */
    private static void twoBits(MemorySegment data, long at, float[] to) {
        float scale = half(data, at + 80);
        float minimum = half(data, at + 82);
        for (int i = 0; i < 256; i++) {
            int packed = unsigned(data, at + i / 16);
            int quant = unsigned(data, at + 16 + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
            to[i] = scale * (packed & 15) * quant - minimum * (packed >> 4);
        }
    }

    /** 32 bytes of third bits, 64 of quants, 12 of scales, a factor. */
    private static void threeBits(MemorySegment data, long at, float[] to) {
        float scale = half(data, at + 108);
        for (int i = 0; i < 256; i++) {
            int group = i / 16;
            int low = unsigned(data, at + 96 + group % 8) >> group / 8 * 4 & 15;
            int high = unsigned(data, at + 104 + group % 4) >> group / 4 * 2 & 3;
            int quant = unsigned(data, at + 32 + i / 128 * 32 + i % 32) >> i % 128 / 32 * 2 & 3;
            int third = unsigned(data, at + i % 32) >> i / 32 & 1;
            to[i] = scale * ((low | high << 4) - 32) * (quant - (1 - third) * 4);
        }
    }

    /** Two factors, 12 bytes of scales and minima of six bits, fifth bits at {@code fifth} unless negative, nibbles. */
    private static void fourOrFiveBits(MemorySegment data, long at, long nibbles, long fifth, float[] to) {
        float scale = half(data, at);
        float minimum = half(data, at + 2);
        for (int group = 0; group < 8; group++) {
            long scales = at + 4;
            int s;
            int m;
            if (group < 4) {
                s = unsigned(data, scales + group) & 63;
                m = unsigned(data, scales + group + 4) & 63;
            } else {
                int both = unsigned(data, scales + group + 4);
                s = both & 15 | unsigned(data, scales + group - 4) >> 6 << 4;
                m = both >> 4 | unsigned(data, scales + group) >> 6 << 4;
            }
            for (int j = 0; j < 32; j++) {
                int quant = unsigned(data, nibbles + group / 2 * 32 + j) >> group % 2 * 4 & 15;
                if (fifth >= 0) {
                    quant |= (unsigned(data, fifth + j) >> group & 1) << 4;
                }
                to[group * 32 + j] = scale * s * quant - minimum * m;
            }
        }
    }

    /** 128 bytes of low and 64 of high bits, 16 signed scales, a factor. */
    private static void sixBits(MemorySegment data, long at, float[] to) {
        float scale = half(data, at + 208);
        for (int i = 0; i < 256; i++) {
            int in = i % 128;
            int low = unsigned(data, at + i / 128 * 64 + in % 64) >> in / 64 * 4 & 15;
            int high = unsigned(data, at + 128 + i / 128 * 32 + i % 32) >> in / 32 * 2 & 3;
            int factor = data.get(ValueLayout.JAVA_BYTE, at + 192 + i / 16);
            to[i] = scale * factor * ((low | high << 4) - 32);
        }
    }
}
