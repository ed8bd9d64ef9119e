package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class JsonTest {
    @TempDir
    Path folder;

    private static JsonFields fields(String json) {
        return new JsonFields(Json.parse(json, "config.json"), "config.json");
    }

    @Test
    void fieldsReadByType() {
        JsonFields f = fields("{\"n\":3,\"x\":1e-4,\"b\":true,\"s\":\"a\",\"l\":[1,2],\"z\":null,\"_v\":\"1\"}");
        assertThat(f.integer("n", 0)).isEqualTo(3);
        assertThat(f.number("x", 0)).isEqualTo(1e-4);
        assertThat(f.flag("b", false)).isTrue();
        assertThat(f.text("s", "")).isEqualTo("a");
        assertThat(f.integers("l", List.of())).containsExactly(1, 2);
        assertThat(f.numbers("l", List.of())).containsExactly(1.0, 2.0);
        assertThat(f.integer("z", 7)).isEqualTo(7);
        assertThat(f.objectOrNull("o")).isNull();
        f.requireNoOthers();
    }

    @Test
    void wrongFieldsAreNamed() {
        JsonFields f = fields("{\"n\":2.5,\"s\":3,\"l\":[1,\"x\"],\"big\":4294967297,\"inf\":1e999}");
        assertThatThrownBy(() -> f.integer("n", 0)).hasMessageContaining("whole number");
        assertThatThrownBy(() -> f.integer("big", 0)).hasMessageContaining("whole number");
        assertThatThrownBy(() -> f.number("inf", 0)).hasMessageContaining("a number");
        assertThatThrownBy(() -> f.text("s", "")).hasMessageContaining("a string");
        assertThatThrownBy(() -> f.integers("l", List.of())).hasMessageContaining("whole numbers");
        assertThatThrownBy(() -> fields("{\"a\":1}").requireNoOthers()).hasMessageContaining("unknown key \"a\"");
        assertThatThrownBy(() -> fields("[]")).hasMessageContaining("JSON object");
    }

    @ParameterizedTest
    @ValueSource(strings = {"", "hello", "{\"a\":1,\"a\":2}", "{\"a\":1} x", "{\"a\":", "[1,]", "{'a':1}"})
    void badJsonIsOneLine(String text) throws Exception {
        Path path = Files.writeString(folder.resolve("config.json"), text);
        assertThatThrownBy(() -> Json.read(path))
                .isInstanceOf(DiffusionException.class)
                .message()
                .contains("config.json")
                .doesNotContain("\n");
    }

    @Test
    void writtenJsonReadsBack() {
        Path path = folder.resolve("a.json");
        var node = Json.object().put("a", 1);
        node.putArray("b").add(2).add(3);
        Json.write(path, node);
        assertThat(Json.read(path)).isEqualTo(node);
        assertThat(path).content().startsWith("{\n  \"a\": 1,\n  \"b\": [").endsWith("}\n");
    }
}
