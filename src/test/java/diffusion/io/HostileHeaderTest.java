package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
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

class HostileHeaderTest {
    @TempDir
    Path folder;

    private Path file(long length, String header, int dataBytes) throws IOException {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        ByteBuffer bytes = ByteBuffer.allocate(8 + json.length + dataBytes).order(ByteOrder.LITTLE_ENDIAN);
        bytes.putLong(length).put(json);
        return Files.write(folder.resolve("a.safetensors"), bytes.array());
    }

    private static void fails(Path path, String part) {
        assertThatThrownBy(() -> SafeTensors.open(path))
                .isInstanceOf(DiffusionException.class)
                .message()
                .contains(part, path.getFileName().toString())
                .doesNotContain("\n");
    }

    @ParameterizedTest
    @CsvSource(delimiter = '|', textBlock = """
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}                                | not valid JSON
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}}                        | Duplicate field
                    {"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}}                   | Duplicate field
                    {"a":{"dtype":"F31","shape":[2],"data_offsets":[0,8]}}                               | expected one of F64, F32
                    {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}                               | has 8 bytes, expected 12
                    {"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}}                              | holds -2
                    {"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}           | larger than any file
                    {"a":{"dtype":"F32","shape":[2147483647,2147483647,4],"data_offsets":[0,8]}}         | larger than any file
                    {"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,8]}}            | holds 99999999999999999999
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}}                               | begin <= end
                    {"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}                              | truncated
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}                               | leaves a hole
                    {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}                               | expected 4
                    {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}} | overlaps
                    {"a":{"dtype":"F32","shape":[2]}}                                                    | lacks one of
                    {"a":7}                                                                              | expected an object
                    {"__metadata__":{"a":1}}                                                             | expected a string
                    []                                                                                   | expected an object
                    {} {}                                                                                | goes on after
                    """)
    void everyInconsistencyIsNamed(String header, String expected) throws IOException {
        fails(file(header.length(), header, 8), expected);
    }

    @Test
    void hugeHeadersAreRefusedBeforeAnythingIsAllocated() throws IOException {
        for (long length : new long[] {-1, Long.MAX_VALUE, Long.MIN_VALUE, 100_000_001, 99_999_999, 3}) {
            fails(file(length, "{}", 0), "expected 2 to 2");
        }
        fails(file(0, "{}", 0), "expected 2 to 2");
    }

    @Test
    void otherFilesAreRecognised() throws IOException {
        Path path = folder.resolve("a.safetensors");
        fails(Files.writeString(path, "These are the weights of my model."), "text file");
        fails(Files.writeString(path, "version https://git-lfs"), "Git LFS");
        fails(Files.writeString(path, "PK\003\004\000\000\000\000zip"), "zip archive");
        fails(Files.writeString(path, ""), "0 bytes");
        fails(Files.write(path, new byte[7]), "7 bytes");
        fails(folder.resolve("none.safetensors"), "no such file");
        Path directory = Files.createDirectory(folder.resolve("d.safetensors"));
        fails(directory, "folder");
    }

    @Test
    void shardsAreReadThroughTheirIndex() throws IOException {
        Path index = folder.resolve("m.safetensors.index.json");
        for (String name : new String[] {"a", "b"}) {
            SafeTensors.write(
                    folder.resolve(name + ".safetensors"),
                    Map.of(name, TensorData.of(new int[] {1}, new float[] {name.charAt(0)})),
                    Map.of(),
                    DType.F32);
        }
        Files.writeString(index, "{\"weight_map\":{\"a\":\"a.safetensors\",\"b\":\"b.safetensors\"}}");
        try (SafeTensors st = SafeTensors.open(index)) {
            assertThat(st.names()).containsExactly("a", "b");
            assertThat(st.floats("b")).containsExactly('b');
        }
        Files.writeString(index, "{\"weight_map\":{\"c\":\"a.safetensors\"}}");
        assertThatThrownBy(() -> SafeTensors.open(index)).hasMessageContaining("lacks 1 tensors");
        Files.writeString(index, "{\"weight_map\":{\"a\":\"../a.safetensors\"}}");
        assertThatThrownBy(() -> SafeTensors.open(index)).hasMessageContaining("beside the index");
        Files.writeString(index, "{}");
        assertThatThrownBy(() -> SafeTensors.open(index)).hasMessageContaining("weight_map");
        Files.writeString(index, "{\"weight_map\":{\"a\":\"none.safetensors\"}}");
        assertThatThrownBy(() -> SafeTensors.open(index)).hasMessageContaining("no such file");
    }
}
