package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.net.URISyntaxException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A file that the gguf package wrote, with what it reads from it; scripts/golden/gguf_file.py made both. */
class GgufTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private static Path golden(String name) {
        try {
            return Path.of(Objects.requireNonNull(GgufTest.class.getResource("/golden/" + name))
                    .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static float[] floats(TensorFile file, String name) {
        float[] values = new float[Arrays.stream(file.shape(name)).reduce(1, (a, b) -> a * b)];
        file.fill(name, MemorySegment.ofArray(values));
        return values;
    }

    @Test
    void everyTypeReadsAsInTheReference() {
        try (TensorFile file = TensorFile.open(golden("types.gguf"));
                SafeTensors expected = SafeTensors.open(golden("types.gguf.safetensors"))) {
            assertThat(file.names())
                    .hasSize(GgmlType.values().length + 1)
                    .containsExactlyInAnyOrderElementsOf(expected.names());
            for (String name : file.names()) {
                assertThat(name).isIn("source", "tensor." + file.precision(name));
                assertThat(file.shape(name)).isEqualTo(expected.shape(name));
                float[] want = expected.floats(name);
                float[] found = floats(file, name);
                for (int i = 0; i < want.length; i++) {
                    assertThat(found[i])
                            .as("%s[%d]", name, i)
                            .isEqualTo(want[i], within(2e-6f * (1 + Math.abs(want[i]))));
                }
            }
            assertThat(file.metadata())
                    .containsEntry("general.name", "Grüße")
                    .containsEntry("test.count", "4000000000")
                    .containsEntry("test.share", "0.25")
                    .containsEntry("test.words", "3 values");
        }
    }

    /** As a stack is deep: a file of a megabyte could end the program. */
    @Test
    void arraysOfArraysEndSomewhere() throws IOException {
        int depth = 80_000;
        ByteBuffer bytes = ByteBuffer.allocate(40 + 12 * depth).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put("GGUF".getBytes(StandardCharsets.US_ASCII));
        bytes.putInt(3).putLong(0).putLong(1).putLong(1).put((byte) 'a').putInt(9);
        for (int i = 0; i < depth; i++) {
            bytes.putInt(9).putLong(1);
        }
        Path file = Files.write(folder.resolve("deep.gguf"), bytes.array());
        assertThatThrownBy(() -> Gguf.open(file))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("deep.gguf: found metadata arrays nested deeper than 4");
    }

    @Test
    void anyRunOfATensorIsThatPartOfIt() {
        try (TensorFile file = TensorFile.open(golden("types.gguf"));
                TensorFile plain = TensorFile.open(golden("types.gguf.safetensors"))) {
            for (TensorFile each : new TensorFile[] {file, plain}) {
                for (String name : each.names()) {
                    float[] all = floats(each, name);
                    for (int first : new int[] {0, 1, 31, all.length / 2 + 3, all.length - 1}) {
                        float[] some = new float[Math.min(all.length - first, 300)];
                        each.fill(name, first, MemorySegment.ofArray(some));
                        assertThat(some).as(name).isEqualTo(Arrays.copyOfRange(all, first, first + some.length));
                    }
                }
            }
        }
    }

    @Test
    void quantisesAsTheReferenceDoes() {
        try (TensorFile file = TensorFile.open(golden("types.gguf"))) {
            for (GgmlType type : new GgmlType[] {GgmlType.Q8_0, GgmlType.Q4_0}) {
                float[] source = floats(file, "source");
                Path path = folder.resolve("again.gguf");
                Map<String, TensorData> tensors = new LinkedHashMap<>();
                tensors.put("bias", TensorData.of(new int[] {3}, new float[] {1, 2, 3}));
                tensors.put("odd", TensorData.of(new int[] {1, 3}, new float[] {0.5f, -1, 2}));
                tensors.put("w", TensorData.of(file.shape("source"), source));
                Gguf.write(path, tensors, Map.of("made.by", "diffusion"), type);
                try (TensorFile again = TensorFile.open(path)) {
                    assertThat(again.precision("w")).isEqualTo(type.name());
                    assertThat(again.precision("odd")).isEqualTo("F16");
                    assertThat(floats(again, "bias")).containsExactly(1, 2, 3);
                    assertThat(floats(again, "odd")).containsExactly(0.5f, -1, 2);
                    assertThat(again.metadata()).containsEntry("made.by", "diffusion");
                    assertThat(floats(again, "w")).containsExactly(floats(file, "tensor." + type));
                }
            }
        }
    }

    @Test
    void aDamagedFileIsRefusedOrReadNeverWorse() throws IOException {
        byte[] good = Files.readAllBytes(golden("types.gguf"));
        Random random = new Random(3);
        Path path = folder.resolve("damaged.gguf");
        for (int i = 0; i < 400; i++) {
            byte[] bad = random.nextInt(4) == 0 ? Arrays.copyOf(good, 4 + random.nextInt(1500)) : good.clone();
            for (int k = 0; k < 3; k++) {
                bad[4 + random.nextInt(Math.min(bad.length, 1200) - 4)] = (byte) random.nextInt();
            }
            Files.write(path, bad);
            try (TensorFile file = TensorFile.open(path)) {
                for (String name : file.names()) {
                    floats(file, name);
                }
            } catch (DiffusionException e) {
                assertThat(e.getMessage()).contains("damaged.gguf").doesNotContain("\n");
            }
        }
    }

    @Test
    void refusesOtherVersions() throws IOException {
        Path path = folder.resolve("old.gguf");
        Files.write(path, new byte[] {'G', 'G', 'U', 'F', 1, 0, 0, 0, 0, 0, 0, 0});
        assertThatThrownBy(() -> TensorFile.open(path))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("version 1, expected 2 or 3");
    }
}
