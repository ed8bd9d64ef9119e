package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.Images;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sample --refiner}; its pictures are held to diffusers' in TextToImageParity. */
class RefinerTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** Five steps, of which the refiner does the last three. */
    private static Cli.Result refined(Path base, Path refiner, Object... more) {
        List<Object> words = new ArrayList<>(List.of("sample", "--model", base, "--refiner", refiner));
        words.addAll(List.of("--prompt", "a house", "--steps", 5, "--high-noise-fraction", 0.4));
        words.addAll(List.of(more));
        return Cli.run(words.toArray());
    }

    @Test
    void refinesWhatTheBaseModelBegan() {
        Path base = folder.resolve("base");
        Path refiner = folder.resolve("refiner");
        Path other = folder.resolve("other");
        TinyStableDiffusion.write(base, Golden.read("text_to_image_sdxl"));
        TinyStableDiffusion.write(refiner, Golden.read("refiner"));
        TinyStableDiffusion.write(other, Golden.read("text_to_image_sd"));
        Path out = folder.resolve("out.png");
        Path plain = folder.resolve("plain.png");
        Cli.Result result = refined(base, refiner, "--out", out);
        assertThat(result.status()).as(result.err()).isZero();
        Cli.run("sample", "--model", base, "--prompt", "a house", "--steps", 5, "--out", plain);
        assertThat(Images.read(out, 3)).isNotEqualTo(Images.read(plain, 3));
        assertThat(Images.readText(out).get("parameters")).contains("Refiner switch at: 0.4");

        Path again = folder.resolve("again.png");
        Cli.run("sample", "--from", out, "--out", again);
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(out, 3));

        Path many = folder.resolve("many");
        refined(base, refiner, "-n", 3, "--batch", 2, "--out", many);
        assertThat(Images.read(many.resolve("00000-seed0.png"), 3)).isEqualTo(Images.read(out, 3));
        refined(base, refiner, "--seed", 2, "--out", out);
        assertThat(Images.read(many.resolve("00002-seed2.png"), 3)).isEqualTo(Images.read(out, 3));

        Cli.run("sample", "--model", refiner, "--prompt", "x", "--out", out)
                .assertOneLine(1, "--refiner", "base model");
        Cli.run("sample", "--model", base, "--refiner", folder, "--prompt", "x").assertOneLine(1, "--refiner");
        Cli.run("sample", "--model", base, "--refiner", refiner, "--prompt", "x", "--steps", 1)
                .assertOneLine(1, "--high-noise-fraction", "--steps");
        Cli.run("sample", "--model", base, "--refiner", refiner, "--prompt", "x", "--high-noise-fraction", 1)
                .assertOneLine(1, "--high-noise-fraction");
    }
}
