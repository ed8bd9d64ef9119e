package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class CompareCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @Test
    void backendsThatAgreePass() throws Exception {
        Path report = folder.resolve("equivalence.html");
        Cli.Result result =
                Cli.run("compare", "--backends", "reference,cpu", "--steps", "2", "--report", report.toString());
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.out()).contains("Conv2d", "Attention", "SamplerStep", "reference and cpu agree");
        assertThat(Files.readString(report))
                .contains("data:image/png;base64,", "down_blocks.0")
                .doesNotContain("class=\"bad\"");
    }

    @Test
    void aWrongKernelIsFoundAndNamed() throws Exception {
        Path report = folder.resolve("equivalence.json");
        Cli.Result result =
                Cli.run("compare", "--backends", "cpu,wrong", "--steps", "2", "--report", report.toString());
        assertThat(result.status()).isEqualTo(1);
        assertThat(result.out()).contains("DIFFER, first at sampling step").contains("(GroupNorm)");
        JsonNode json = Json.read(report);
        assertThat(json.path("agrees").booleanValue()).isFalse();
        for (JsonNode tensor : json.path("graphs").get(0).path("tensors")) {
            JsonNode alone = tensor.path("alone");
            boolean within =
                    alone.path("absolute").doubleValue() <= alone.path("bound").doubleValue();
            assertThat(within)
                    .as(tensor.toString())
                    .isEqualTo(!tensor.path("op").asText().equals("GroupNorm"));
        }
    }

    @Test
    void refusesWhatItCannotCompare() {
        Cli.run("compare", "--backends", "cpu").assertOneLine(2, "expected two names with a comma");
        Cli.run("compare", "--backends", "cpu,magic").assertOneLine(2, "found \"magic\"");
        Cli.run("compare", "--device", "first").assertOneLine(2, "expected backend:device");
    }
}
