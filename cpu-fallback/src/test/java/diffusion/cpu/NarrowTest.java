package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.DType;
import diffusion.io.GgmlType;
import java.lang.foreign.Arena;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Narrow floats widen to what they were, at every width of vectors that this runs with. */
class NarrowTest {
    private static final int ALL = 1 << 16;

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16"})
    void everyFiniteNumberOfTwoBytes(GgmlType type) {
        float[] expected = new float[ALL];
        for (int i = 0; i < ALL; i++) {
            float value = type == GgmlType.F16 ? Float.float16ToFloat((short) i) : DType.bfloat16ToFloat((short) i);
            expected[i] = Float.isFinite(value) ? value : 0;
        }
        try (Arena arena = Arena.ofConfined()) {
            long from = at(arena, expected);
            long narrow = NativeMemory.allocate(arena, 2L * ALL + 1024);
            long to = NativeMemory.allocate(arena, 4L * ALL + 1024);
            Narrow.narrow(type, narrow, from, ALL);
            Narrow.widen(type, to, narrow, ALL);
            assertThat(Narrow.vectors(type, ALL) * Memory.VECTOR).isEqualTo(2L * ALL);
            requireBits(to, expected);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"Q8_0", "Q4_0"})
    void integersTimesTheScalesOfTheirBlocks(GgmlType type) {
        int blocks = 3;
        Random random = new Random(1);
        for (int width : new int[] {Tile.ROWS, Tile.COLUMNS}) {
            float[] integers = new float[blocks * Narrow.BLOCK * width];
            float[] scales = new float[blocks * width];
            float[] expected = new float[integers.length];
            int largest = type == GgmlType.Q8_0 ? 128 : 8;
            for (int i = 0; i < scales.length; i++) {
                scales[i] = random.nextFloat() - 0.5f;
            }
            for (int i = 0; i < integers.length; i++) {
                integers[i] = random.nextInt(-largest, largest);
                expected[i] = integers[i] * scales[i / width / Narrow.BLOCK * width + i % width]
                        + (type == GgmlType.Q4_0 ? 0f : -0f);
            }
            try (Arena arena = Arena.ofConfined()) {
                long narrow = NativeMemory.allocate(arena, 4L * integers.length + 1024);
                long to = NativeMemory.allocate(arena, 4L * (integers.length + Narrow.spare()) + 1024);
                Narrow.narrow(type, narrow, at(arena, integers), integers.length);
                long spread = to + 4L * integers.length;
                Narrow.widen(type, to, narrow, at(arena, scales), blocks, width, spread);
                requireBits(to, expected);
            }
        }
    }

    @Test
    void sixteenBitsTakeHalfAndNibblesAnEighth() {
        assertThat(Narrow.vectors(GgmlType.F16, 1024) * Memory.VECTOR).isEqualTo(2048);
        assertThat(Narrow.vectors(GgmlType.Q8_0, 1024) * Memory.VECTOR).isEqualTo(1024);
        assertThat(Narrow.vectors(GgmlType.Q4_0, 1024) * Memory.VECTOR).isEqualTo(512);
    }

    private static long at(Arena arena, float... values) {
        long address = NativeMemory.allocate(arena, 4L * values.length + 1024);
        Memory.copy(values, address);
        return address;
    }

    private static void requireBits(long address, float... expected) {
        for (int i = 0; i < expected.length; i++) {
            float found = Memory.get(address + 4L * i);
            if (Float.floatToRawIntBits(found) != Float.floatToRawIntBits(expected[i])) {
                assertThat(found).as("element " + i).isEqualTo(expected[i]);
                throw new AssertionError("element " + i + " lost its sign");
            }
        }
    }
}
