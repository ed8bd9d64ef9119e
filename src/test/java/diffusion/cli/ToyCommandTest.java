package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.DiffusionException;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import javax.imageio.ImageIO;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

class ToyCommandTest {
    @TempDir
    private Path folder = Path.of("");

    private @Nullable Exception failure;

    private int run(String... args) {
        return new CommandLine(new ToyCommand())
                .setExecutionExceptionHandler((e, line, parsed) -> {
                    failure = e;
                    return 1;
                })
                .execute(args);
    }

    @ParameterizedTest
    @ValueSource(strings = {"moons", "1d"})
    void drawsEveryProcess(String kind) throws IOException {
        Path out = folder.resolve("toy.png");
        assertThat(run("--kind", kind, "--steps", "10", "--seed", "3", "--out", out.toString()))
                .isZero();
        BufferedImage image = ImageIO.read(out.toFile());
        assertThat(image.getWidth()).isEqualTo(6 * 260);
        assertThat(image.getHeight()).isEqualTo(3 * 260);
        assertThat(coloured(image, 260, true)).isGreaterThan(500);
        assertThat(coloured(image, 520, false)).isGreaterThan(500);
        byte[] first = Files.readAllBytes(out);
        run("--kind", kind, "--steps", "10", "--seed", "3", "--out", out.toString());
        assertThat(Files.readAllBytes(out)).isEqualTo(first);
    }

    /** Pixels of a row of panels that are rather blue, or rather red. */
    private static int coloured(BufferedImage image, int top, boolean blue) {
        int count = 0;
        for (int y = top; y < top + 260; y++) {
            for (int x = 0; x < image.getWidth(); x++) {
                int rgb = image.getRGB(x, y);
                int difference = (rgb & 0xFF) - (rgb >> 16 & 0xFF);
                count += (blue ? difference : -difference) > 60 ? 1 : 0;
            }
        }
        return count;
    }

    @Test
    void refusesBadArguments() {
        assertThat(run("--kind", "torus")).isEqualTo(1);
        assertThat(failure).isInstanceOf(DiffusionException.class).hasMessageContaining("torus");
        assertThat(run("--steps", "2")).isEqualTo(1);
        assertThat(failure).hasMessageContaining("--steps 2");
        assertThat(run("--steps", "many")).isEqualTo(2);
    }
}
