package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafeTensorsTest {
    @TempDir
    Path folder;

    @Test
    void writtenFilesReadBack() {
        Path path = folder.resolve("a.safetensors");
        float[] values = {1f, -2.5f, 3e-5f, 65504f, 0f, -0f};
        SafeTensors.write(
                path,
                Map.of(
                        "w", TensorData.of(new int[] {2, 3}, values),
                        "b", TensorData.lazy(new int[] {1}, () -> new float[] {7}),
                        "step", TensorData.of(new int[] {}, new long[] {1L << 40})),
                Map.of("format", "pt"),
                DType.F32);
        try (SafeTensors st = SafeTensors.open(path)) {
            assertThat(st.names()).containsExactly("step", "b", "w");
            assertThat(st.metadata()).containsExactly(Map.entry("format", "pt"));
            assertThat(st.dtype("w")).isEqualTo(DType.F32);
            assertThat(st.shape("w")).containsExactly(2, 3);
            assertThat(st.floats("w")).isEqualTo(values);
            assertThat(st.floats("b")).containsExactly(7);
            assertThat(st.longs("step")).containsExactly(1L << 40);
            assertThat(st.shape("step")).isEmpty();
            assertThat(st.data("w").byteSize()).isEqualTo(24);
            assertThatThrownBy(() -> st.floats("nope"))
                    .isInstanceOf(DiffusionException.class)
                    .hasMessageContaining("no tensor nope");
        }
    }

    @Test
    void bytesAreThoseOfTheReferenceWriter() throws Exception {
        Path path = folder.resolve("a.safetensors");
        SafeTensors.write(
                path, Map.of("x", TensorData.of(new int[] {1}, new float[] {1})), Map.of("format", "pt"), DType.F32);
        // The bytes that safetensors.torch.save_file writes for {"x": torch.ones(1)}.
        String json = "{\"__metadata__\":{\"format\":\"pt\"},"
                + "\"x\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}";
        String padded = json + " ".repeat((8 - json.length() % 8) % 8);
        ByteBuffer expected = ByteBuffer.allocate(8 + padded.length() + 4).order(ByteOrder.LITTLE_ENDIAN);
        expected.putLong(padded.length())
                .put(padded.getBytes(StandardCharsets.UTF_8))
                .putFloat(1);
        assertThat(Files.readAllBytes(path)).isEqualTo(expected.array());
    }

    @ParameterizedTest
    @CsvSource({
        // Ties go to the even neighbour; one half of the smallest subnormal goes to zero.
        "F16, 2049, 2048", "F16, 2051, 2052", "F16, 65519, 65504", "F16, 65520, Infinity", "F16, 2.9802322E-8, 0",
        "F16, 3.0E-8, 5.9604645E-8", "BF16, 257, 256", "BF16, 259, 260", "BF16, 258, 258",
                "BF16, 3.4028235E38, Infinity",
        "BF16, NaN, NaN", "F16, NaN, NaN", "BF16, -257, -256",
    })
    void halfPrecisionRoundsToNearestEven(DType dtype, float value, float expected) {
        Path path = folder.resolve("h.safetensors");
        SafeTensors.write(path, Map.of("x", TensorData.of(new int[] {1}, new float[] {value})), Map.of(), dtype);
        try (SafeTensors st = SafeTensors.open(path)) {
            assertThat(st.dtype("x")).isEqualTo(dtype);
            assertThat(st.floats("x")[0]).isEqualTo(Float.valueOf(expected));
        }
    }
}
