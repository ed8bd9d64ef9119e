package diffusion.io;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.function.Consumer;

/** Elements rounded to a type as ggml's reference quantisers round, a piece at a time. */
public final class RoundedElements implements Elements {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private final String name;
    private final Elements exact;
    private final GgmlType type;

    /**
     * Rounds a weight.
     *
     * @param values what writes its elements; if that is not {@link Elements}, all are written at once
     * @param size its number of elements, whole blocks of {@code type}
     */
    public RoundedElements(String name, Consumer<MemorySegment> values, int size, GgmlType type) {
        this.name = name;
        this.type = type;
        exact = values instanceof Elements elements ? elements : new Floats(values, size);
    }

    /** Floats in an array. */
    private record Floats(MemorySegment all) implements Elements {
        Floats(Consumer<MemorySegment> values, int size) {
            this(MemorySegment.ofArray(new float[size]));
            values.accept(all);
        }

        @Override
        public GgmlType type() {
            return GgmlType.F32;
        }

        @Override
        public void floats(long first, MemorySegment to) {
            blocks(first, to);
        }

        @Override
        public void blocks(long first, MemorySegment to) {
            to.copyFrom(all.asSlice(first * Float.BYTES, to.byteSize()));
        }
    }

    @Override
    public GgmlType type() {
        return type;
    }

    @Override
    public void floats(long first, MemorySegment to) {
        long start = first / type.block() * type.block();
        long skip = first - start;
        int count = (int) (to.byteSize() / Float.BYTES);
        int blocks = (int) ((skip + count + type.block() - 1) / type.block());
        MemorySegment stored = MemorySegment.ofArray(new byte[blocks * type.bytes()]);
        blocks(start, stored);
        float[] block = new float[type.block()];
        float[] values = new float[blocks * block.length];
        for (int i = 0; i < blocks; i++) {
            type.read(stored, (long) i * type.bytes(), block);
            System.arraycopy(block, 0, values, i * block.length, block.length);
        }
        MemorySegment.copy(values, (int) skip, to, FLOAT, 0, count);
    }

    /** {@inheritDoc} Throws a DiffusionException for numbers beyond the type's. */
    @Override
    public void blocks(long first, MemorySegment to) {
        int blocks = (int) (to.byteSize() / type.bytes());
        float[] values = new float[blocks * type.block()];
        exact.floats(first, MemorySegment.ofArray(values));
        ByteBuffer stored = ByteBuffer.allocate(blocks * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        float[] block = new float[type.block()];
        float largest = 0;
        for (int i = 0; i < values.length; i += block.length) {
            System.arraycopy(values, i, block, 0, block.length);
            type.write(block, stored);
            for (float value : block) {
                largest = Math.max(largest, Math.abs(value));
            }
        }
        requireRange(largest);
        to.copyFrom(MemorySegment.ofArray(stored.array()));
    }

    /** Blocks' scales are 16-bit floats. */
    private void requireRange(float largest) {
        float held = switch (type) {
            case F16 -> largest;
            case Q8_0 -> largest / 127;
            case Q4_0 -> largest / 8;
            default -> 0;
        };
        if (Float.isInfinite(Float.float16ToFloat(Float.floatToFloat16(held)))) {
            throw new DiffusionException("cannot keep " + name + " as " + type
                    + ": expected magnitudes of at most 65504," + " found " + largest + "; take bf16 or fp32");
        }
    }
}
