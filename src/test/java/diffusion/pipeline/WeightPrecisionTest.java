package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.graph.Tensor;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class WeightPrecisionTest {
    private static final Tensor MATRIX = weight("to_q.weight", 6, 64);

    @ParameterizedTest
    @CsvSource({"FP16, 4.9e-4", "BF16, 3.92e-3", "Q8_0, 4.5e-3", "Q4_0, 0.126"})
    void elementsDifferByLessThanTheTypeResolves(WeightPrecision precision, double ofTheLargest) {
        float[] exact = values(MATRIX.size());
        float[] rounded = read(precision.apply("unet", MATRIX, of(exact)), 0, exact.length);
        assertThat(rounded).isNotEqualTo(exact);
        for (int block = 0; block < exact.length; block += 32) {
            float largest = 0;
            for (int i = block; i < block + 32; i++) {
                largest = Math.max(largest, Math.abs(exact[i]));
            }
            for (int i = block; i < block + 32; i++) {
                assertThat(Math.abs(rounded[i] - exact[i])).isLessThanOrEqualTo((float) (ofTheLargest * largest));
            }
        }
        // A piece from the middle of a block is that piece of the whole.
        float[] piece = read(precision.apply("unet", MATRIX, of(exact)), 37, 70);
        for (int i = 0; i < piece.length; i++) {
            assertThat(piece[i]).isEqualTo(rounded[37 + i]);
        }
    }

    @Test
    void sixteenBitsRoundToTheNearest() {
        float[] exact = values(MATRIX.size());
        float[] half = read(WeightPrecision.FP16.apply("unet", MATRIX, of(exact)), 0, exact.length);
        float[] bfloat = read(WeightPrecision.BF16.apply("unet", MATRIX, of(exact)), 0, exact.length);
        for (int i = 0; i < exact.length; i++) {
            assertThat(half[i]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(exact[i])));
            assertThat(bfloat[i]).isEqualTo(DType.bfloat16ToFloat(DType.floatToBfloat16(exact[i])));
        }
    }

    @Test
    void whatHasNoWholeBlocksBecomesFp16AndTablesAndVectorsStay() {
        assertThat(type(WeightPrecision.Q8_0, weight("conv.weight", 32, 32, 3, 3)))
                .isEqualTo(GgmlType.F16);
        assertThat(type(WeightPrecision.Q8_0, weight("proj_in.weight", 32, 32, 1, 1)))
                .isEqualTo(GgmlType.Q8_0);
        assertThat(type(WeightPrecision.Q4_0, weight("odd.weight", 32, 33))).isEqualTo(GgmlType.F16);
        assertThat(type(WeightPrecision.BF16, weight("conv.weight", 32, 32, 3, 3)))
                .isEqualTo(GgmlType.BF16);
        assertThat(type(WeightPrecision.Q4_0, weight("token_embedding.weight", 32, 32)))
                .isNull();
        assertThat(type(WeightPrecision.FP16, weight("norm.weight", 32))).isNull();
        assertThat(type(WeightPrecision.FP32, MATRIX)).isNull();
    }

    @Test
    void whatIsStoredInAsFewBitsIsLeftAlone() {
        Elements q4 = (Elements) WeightPrecision.Q4_0.apply("unet", MATRIX, of(values(MATRIX.size())));
        assertThat(WeightPrecision.Q8_0.apply("unet", MATRIX, q4)).isSameAs(q4);
        assertThat(WeightPrecision.FP32.apply("unet", MATRIX, q4)).isNotInstanceOf(Elements.class);
    }

    @Test
    void largeNumbersAreRefusedWithTheRemedy() {
        float[] large = values(MATRIX.size());
        large[5] = 7e4f;
        Consumer<MemorySegment> rounded = WeightPrecision.FP16.apply("unet", MATRIX, of(large));
        assertThatThrownBy(() -> read(rounded, 0, large.length))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("to_q.weight")
                .hasMessageContaining("found 70000")
                .hasMessageContaining("take bf16 or fp32");
    }

    @Test
    void anotherChangeComesFirst() {
        WeightAdjustment twice = (_, _, values) -> to -> {
            values.accept(to);
            float[] floats = to.toArray(java.lang.foreign.ValueLayout.JAVA_FLOAT);
            for (int i = 0; i < floats.length; i++) {
                floats[i] *= 2;
            }
            to.copyFrom(MemorySegment.ofArray(floats));
        };
        float[] exact = values(MATRIX.size());
        float[] changed = read(
                WeightPrecision.after(twice, WeightPrecision.FP16).apply("unet", MATRIX, of(exact)), 0, exact.length);
        for (int i = 0; i < exact.length; i++) {
            assertThat(changed[i]).isEqualTo(Float.float16ToFloat(Float.floatToFloat16(2 * exact[i])));
        }
        assertThat(WeightPrecision.after(twice, null)).isSameAs(twice);
    }

    @Test
    void aBuiltInModelsMatricesAreRounded() {
        List<GgmlType> types = new ArrayList<>();
        LoadedModel.open("digits").withWeights(WeightPrecision.Q8_0).load((_, values) -> {
            if (values instanceof Elements elements) {
                types.add(elements.type());
            }
        });
        assertThat(types).contains(GgmlType.Q8_0, GgmlType.F16);
    }

    private static Tensor weight(String name, int... shape) {
        return new Tensor(name, Tensor.Role.PARAMETER, shape);
    }

    private static @Nullable GgmlType type(WeightPrecision precision, Tensor weight) {
        Consumer<MemorySegment> made = precision.apply("unet", weight, of(values(weight.size())));
        return made instanceof Elements elements ? elements.type() : null;
    }

    private static Consumer<MemorySegment> of(float... values) {
        return to -> to.copyFrom(MemorySegment.ofArray(values));
    }

    private static float[] read(Consumer<MemorySegment> values, int first, int count) {
        float[] into = new float[count];
        ((Elements) values).floats(first, MemorySegment.ofArray(into));
        return into;
    }

    private static float[] values(int size) {
        Random random = new Random(3);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
