package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.Images;
import diffusion.model.Golden;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.TinyStableDiffusion;
import diffusion.scheduler.SchedulerConfig;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code convert} on the command line; what it writes is tested beside PipelineWriter. */
class ConvertCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @Test
    void keepsAnUpscalersSecondScheduler() {
        Path model = folder.resolve("upscaler");
        TinyStableDiffusion.write(model, Golden.read("edit_upscale"));
        Path out = folder.resolve("out");
        Cli.Result result = Cli.run("convert", "--model", model, "--out", out);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(lowResScheduler(out).toJson())
                .isEqualTo(lowResScheduler(model).toJson());
    }

    private static SchedulerConfig lowResScheduler(Path model) {
        return Objects.requireNonNull(
                StableDiffusionComponents.open("tiny", model).lowResScheduler());
    }

    @Test
    void writesAFolderThatSamples() {
        Path model = folder.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
        Path out = folder.resolve("out");
        Cli.Result result = Cli.run("convert", "--model", model, "--out", out, "--dtype", "fp32");
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.out()).contains(out.toString());
        Path before = folder.resolve("before.png");
        Path after = folder.resolve("after.png");
        Cli.run("sample", "--model", model, "--prompt", "a house", "--steps", 2, "--out", before);
        Cli.run("sample", "--model", out, "--prompt", "a house", "--steps", 2, "--out", after);
        assertThat(Images.read(after, 3)).isEqualTo(Images.read(before, 3));

        Cli.run("convert", "--model", model, "--out", out).assertOneLine(1, out.toString(), "new folder");
        Path file = folder.resolve("out.safetensors");
        Cli.run("convert", "--model", model, "--out", file).assertOneLine(1, "block_out_channels");
        Cli.run("convert", "--model", model, "--out", file, "--dtype", "fp8").assertOneLine(2, "--dtype", "fp8");
        Cli.run("convert", "--model", model, "--out", file, "--dtype", "q8_0").assertOneLine(2, "--dtype", ".gguf");
        Cli.run("convert", "--model", model, "--out", folder.resolve("out.gguf"), "--dtype", "bf16")
                .assertOneLine(2, "--dtype", "q8_0");
        Cli.run("convert", "--model", "digits", "--out", file).assertOneLine(1, "--model", "digits");
        assertThat(Files.exists(file)).isFalse();
    }
}
