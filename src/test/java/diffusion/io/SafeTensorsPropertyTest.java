package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import net.jqwik.api.ForAll;
import net.jqwik.api.Property;
import net.jqwik.api.constraints.Size;
import net.jqwik.api.lifecycle.AfterContainer;
import net.jqwik.api.lifecycle.BeforeContainer;

class SafeTensorsPropertyTest {
    private static Path path = Path.of("unset");
    private static byte[] valid = {};

    @BeforeContainer
    static void writeValidFile() throws IOException {
        path = Files.createTempFile("property", ".safetensors");
        SafeTensors.write(
                path,
                Map.of(
                        "conv.weight", TensorData.of(new int[] {2, 3, 1}, new float[] {1, 2, 3, 4, 5, 6}),
                        "conv.bias", TensorData.of(new int[] {2}, new float[] {7, 8}),
                        "empty", TensorData.of(new int[] {0, 4}, new float[0]),
                        "step", TensorData.of(new int[] {}, new long[] {9})),
                Map.of("format", "pt"),
                DType.F32);
        valid = Files.readAllBytes(path);
    }

    @AfterContainer
    static void deleteFile() throws IOException {
        Files.deleteIfExists(path);
    }

    @Property(tries = 10_000)
    void anyMutationLoadsOrFailsWithOneLine(@ForAll long seed) throws IOException {
        Random random = new Random(seed);
        byte[] bytes = valid;
        for (int i = random.nextInt(3); i >= 0; i--) {
            bytes = mutate(bytes, random);
        }
        Files.write(path, bytes);
        try (SafeTensors st = SafeTensors.open(path)) {
            for (String name : st.names()) {
                long elements = 1;
                for (int size : st.shape(name)) {
                    elements *= size;
                }
                assertThat(st.data(name).byteSize())
                        .isEqualTo(elements * st.dtype(name).bytes());
                readAll(st, name);
            }
        } catch (DiffusionException e) {
            assertThat(e.getMessage()).hasSizeLessThan(700).doesNotContain("\n");
        }
    }

    private static void readAll(SafeTensors st, String name) {
        switch (st.dtype(name)) {
            case U64, F8_E4M3, F8_E5M2 -> assertThat(st.data(name)).isNotNull();
            default -> assertThat(st.floats(name)).isNotNull();
        }
    }

    private static byte[] mutate(byte[] bytes, Random random) {
        if (bytes.length < 16) {
            return bytes;
        }
        int at = random.nextInt(bytes.length);
        return switch (random.nextInt(7)) {
            case 0 -> {
                byte[] flipped = bytes.clone();
                flipped[at] ^= (byte) (1 << random.nextInt(8));
                yield flipped;
            }
            case 1 -> java.util.Arrays.copyOf(bytes, at);
            case 2 -> splice(bytes, at, 0, random.nextInt(20), random);
            case 3 -> splice(bytes, at, random.nextInt(20), 0, random);
            case 4 -> {
                byte[] length = bytes.clone();
                long[] odd = {0, 1, 2, -1, Long.MAX_VALUE, Long.MIN_VALUE, 99_999_999, bytes.length, bytes.length - 8};
                ByteBuffer.wrap(length).order(ByteOrder.LITTLE_ENDIAN).putLong(0, odd[random.nextInt(odd.length)]);
                yield length;
            }
            default -> editHeader(bytes, random);
        };
    }

    /** Random bytes in the place of others. */
    private static byte[] splice(byte[] bytes, int at, int removed, int added, Random random) {
        int end = Math.min(bytes.length, at + removed);
        byte[] insert = new byte[added];
        random.nextBytes(insert);
        return ByteBuffer.allocate(bytes.length - (end - at) + added)
                .put(bytes, 0, at)
                .put(insert)
                .put(bytes, end, bytes.length - end)
                .array();
    }

    /** A change that leaves the JSON readable for the most part, with a length that fits it. */
    private static byte[] editHeader(byte[] bytes, Random random) {
        long length = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).getLong(0);
        if (length < 2 || length > bytes.length - 8) {
            return bytes;
        }
        String json = new String(bytes, 8, (int) length, StandardCharsets.UTF_8);
        String[][] edits = {
            {"F32", "F16"},
            {"F32", "F99"},
            {"I64", "U64"},
            {"[2]", "[-2]"},
            {"[2]", "[9223372036854775807,9223372036854775807]"},
            {"[2]", "[2.5]"},
            {"[2]", "[99999999999999999999999]"},
            {"[2]", "[[2]]"},
            {"conv.bias", "conv.weight"},
            {"conv.bias", "__metadata__"},
            {"conv.bias", "line\\nbreak"},
            {"\"format\":\"pt\"", "\"format\":3"},
            {"[0,", "[8,"},
            {"data_offsets\":[", "data_offsets\":[9223372036854775807,"},
            {"dtype", "type"},
            {"{", "["},
            {"}", "},"},
            {"[", "[".repeat(5000)},
        };
        String[] edit = edits[random.nextInt(edits.length)];
        byte[] edited = json.replace(edit[0], edit[1]).getBytes(StandardCharsets.UTF_8);
        int rest = bytes.length - 8 - (int) length;
        return ByteBuffer.allocate(8 + edited.length + rest)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(edited.length)
                .put(edited)
                .put(bytes, 8 + (int) length, rest)
                .array();
    }

    @Property(tries = 300)
    void whatIsWrittenReadsBack(@ForAll @Size(max = 40) float[] values, @ForAll boolean half) throws IOException {
        DType dtype = half ? DType.F16 : DType.F32;
        SafeTensors.write(path, Map.of("x", TensorData.of(new int[] {values.length}, values)), Map.of(), dtype);
        assertThat((Files.size(path) - (long) values.length * dtype.bytes()) % 8)
                .isZero();
        try (SafeTensors st = SafeTensors.open(path)) {
            float[] read = st.floats("x");
            assertThat(read).hasSize(values.length);
            for (int i = 0; i < read.length; i++) {
                float expected = half ? Float.float16ToFloat(Float.floatToFloat16(values[i])) : values[i];
                assertThat(read[i]).isEqualTo(Float.valueOf(expected));
            }
        }
    }

    @Property(tries = 2000)
    void bfloat16IsTheNearest(@ForAll float value) {
        float rounded = DType.bfloat16ToFloat(DType.floatToBfloat16(value));
        if (Float.isFinite(rounded)) {
            // Eight significant bits: off by at most half of the last one.
            double ulp = Math.ulp(value) * 65536.0;
            assertThat((double) rounded).isCloseTo(value, within(ulp / 2));
        }
    }
}
