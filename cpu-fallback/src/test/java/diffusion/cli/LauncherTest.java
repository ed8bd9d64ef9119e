package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class LauncherTest {
    @Test
    void startsTornadoVmOnlyForCommandsThatMayUseIt() {
        assertThat(Launcher.wantsTornado("sample")).isTrue();
        assertThat(Launcher.wantsTornado("sample", "--steps", "3", "--backend", "tornado"))
                .isTrue();
        assertThat(Launcher.wantsTornado("compare", "--backends=cpu,tornado")).isTrue();
        assertThat(Launcher.wantsTornado("train", "--backend=auto")).isTrue();
        assertThat(Launcher.wantsTornado("info")).isTrue();
        assertThat(Launcher.wantsTornado("sample", "--backend", "cpu")).isFalse();
        assertThat(Launcher.wantsTornado("compare", "--backends", "reference,cpu"))
                .isFalse();
        assertThat(Launcher.wantsTornado("toy")).isFalse();
        assertThat(Launcher.wantsTornado("--version")).isFalse();
        assertThat(Launcher.wantsTornado()).isFalse();
    }

    @Test
    void saysWhatIsMissingForTornadoVm(@TempDir Path folder) throws IOException {
        assertThat(TornadoHome.missing(Map.of("SDKMAN_DIR", folder.toString())).orElseThrow())
                .contains("TORNADOVM_HOME is not set", "sdk install tornadovm");
        assertThat(TornadoHome.missing(Map.of("TORNADOVM_HOME", folder + "/none"))
                        .orElseThrow())
                .contains("/none, which is no folder");
        assertThat(TornadoHome.missing(Map.of("TORNADOVM_HOME", folder.toString()))
                        .orElseThrow())
                .contains("no tornado-argfile", "--generate-argfile");
        Files.createFile(folder.resolve("tornado-argfile"));
        assertThat(TornadoHome.missing(Map.of("TORNADOVM_HOME", folder.toString()))
                        .orElseThrow())
                .contains("built without TornadoVM");
        Path current = Files.createDirectories(folder.resolve("candidates/tornadovm/current"));
        assertThat(TornadoHome.find(Map.of("SDKMAN_DIR", folder.toString()))).contains(current);
    }

    @Test
    void refusesTornadoVmWhereThereIsNone() {
        Cli.run("sample", "--backend", "tornado").assertOneLine(2, "--backend tornado: ", "TornadoVM");
    }
}
