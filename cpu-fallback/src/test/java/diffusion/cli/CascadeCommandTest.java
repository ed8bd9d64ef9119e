package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import diffusion.restore.Pictures;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** {@code cascade} on small models. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class CascadeCommandTest {
    private Path folder = Path.of(".");
    private Path pixels = folder; // 8x8, grey

    @BeforeAll
    void write(@TempDir Path temporary) throws IOException {
        folder = temporary;
        pixels = TinyProject.create(folder).model(folder, 3);
    }

    private static List<Path> stage(Path out, int number) {
        return Cli.files(out.resolve("stage-" + number)).stream().sorted().toList();
    }

    @Test
    void theBuiltInModelAddsDetailToSmallPictures() {
        Path out = folder.resolve("digits");
        Path show = folder.resolve("show.png");
        Cli.Result result = Cli.run(
                "cascade", "--model", pixels, "--size", 4, "--model", "digits", "-n", 2, "--steps", 10, "--seed", 5,
                "--out", out, "--show", show);
        assertThat(result.status()).as(result.err()).isZero();
        List<Path> small = stage(out, 1);
        List<Path> large = stage(out, 2);
        assertThat(small).hasSize(2);
        assertThat(large).hasSize(2);
        for (int i = 0; i < 2; i++) {
            Picture picture = Images.read(large.get(i), 1);
            assertThat(List.of(picture.width(), picture.height())).containsExactly(28, 28);
            // The means over squares are the small picture's, but for what was cut off at black and white.
            byte[] means = Pictures.of(List.of(picture))
                    .average(7)
                    .toPictures()
                    .getFirst()
                    .data();
            byte[] wanted = Images.read(small.get(i), 1).data();
            double off = 0;
            for (int k = 0; k < 16; k++) {
                off += Math.abs((means[k] & 0xff) - (wanted[k] & 0xff)) / 16.0;
            }
            assertThat(off).isLessThan(12);
            byte[] blocks = Pictures.of(List.of(Images.read(small.get(i), 1)))
                    .repeat(7)
                    .toPictures()
                    .getFirst()
                    .data();
            assertThat(picture.data()).isNotEqualTo(blocks);
        }
        assertThat(Images.read(large.get(0), 1)).isNotEqualTo(Images.read(large.get(1), 1));
        assertThat(Images.read(show, 3).width()).isEqualTo(8 + 2 * (4 * 28 + 8));
        Cli.run("cascade", "--model", pixels, "--size", 4, "--model", "digits", "--out", out)
                .assertOneLine(1, "--out", "stage-1");
    }

    @Test
    void modelsOfTextsFollowOneAnother() {
        Path base = folder.resolve("sd");
        Path upscaler = folder.resolve("upscaler");
        Path out = folder.resolve("texts");
        TinyStableDiffusion.write(base, Golden.read("edit_img2img_sd"));
        TinyStableDiffusion.write(upscaler, Golden.read("edit_upscale"));
        Cli.Result result = Cli.run(
                "cascade",
                "--model",
                base,
                "--size",
                32,
                "--model",
                upscaler,
                "--prompt",
                "a cat",
                "--steps",
                2,
                "--out",
                out);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Images.read(stage(out, 1).getFirst(), 3).width()).isEqualTo(32);
        assertThat(Images.read(stage(out, 2).getFirst(), 3).width()).isEqualTo(64);
        assertThat(Images.readText(stage(out, 2).getFirst()).get("parameters")).contains("a cat");
    }

    @Test
    void saysWhatIsWrongInOneLine() {
        Path out = folder.resolve("never");
        Cli.run("cascade", "--model", "digits", "--out", out).assertOneLine(2, "--model", "two");
        Cli.run("cascade", "--model", pixels, "--model", "digits", "--out", out)
                .assertOneLine(1, "8x8", "28x28", "--size");
        Cli.run("cascade", "--model", "digits", "--model", "digits", "--out", out)
                .assertOneLine(1, "28x28");
        assertThat(out).doesNotExist();
        Cli.run("cascade", "--model", pixels, "--size", 4, "--model", "digits", "--class=--json", "--out", out)
                .assertOneLine(2, "'--class'", "'diffusion sample --help'");
    }
}
