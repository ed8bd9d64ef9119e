package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** {@code sample --prompt} on a tiny pipeline. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class TextSampleCommandTest {
    private Path folder = Path.of(".");
    private Path model = folder;

    @BeforeAll
    void write(@TempDir Path temporary) {
        folder = temporary;
        model = folder.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
    }

    private Cli.Result sample(Object... more) {
        List<Object> words = new java.util.ArrayList<>(List.of("sample", "--model", model));
        words.addAll(List.of(more));
        if (!words.contains("--steps")) {
            words.addAll(List.of("--steps", 2));
        }
        return Cli.run(words.toArray());
    }

    @Test
    void makesPicturesThatDoNotDependOnTheBatch() throws IOException {
        Path many = folder.resolve("many");
        Cli.Result result = sample(
                "--prompt",
                "a (red:1.3) house",
                "--prompt",
                "the sea",
                "-n",
                3,
                "--seed",
                5,
                "--width",
                24,
                "--height",
                16,
                "--karras",
                "--out",
                many,
                "--json");
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Json.parse(result.out(), "output").path("files").size()).isEqualTo(3);
        assertThat(Json.parse(result.out(), "output")
                        .path("files")
                        .path(1)
                        .path("prompt")
                        .asText())
                .isEqualTo("the sea");
        Path one = folder.resolve("one.png");
        sample("--prompt", "the sea", "--seed", 6, "--width", 24, "--height", 16, "--karras", "--out", one);
        assertThat(Images.read(one, 3)).isEqualTo(Images.read(many.resolve("00001-seed6.png"), 3));
        assertThat(Files.size(one)).isPositive();
    }

    @Test
    void keepsDeepLevelsBetweenSteps() {
        Path plain = folder.resolve("plain.png");
        Path one = folder.resolve("one.png");
        Path cached = folder.resolve("cached.png");
        Path again = folder.resolve("cached-again.png");
        sample("--prompt", "a house", "--steps", 4, "--out", plain);
        sample("--prompt", "a house", "--steps", 4, "--cache", 1, "--out", one);
        Cli.Result result = sample("--prompt", "a house", "--steps", 4, "--cache", 2, "--out", cached);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Images.read(one, 3)).isEqualTo(Images.read(plain, 3));
        assertThat(Images.read(cached, 3)).isNotEqualTo(Images.read(plain, 3));
        Cli.run("sample", "--from", cached, "--out", again);
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(cached, 3));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--parallel=4:3",
                "--adaptive=0.2",
                "--corrector=1:0.1",
                "--stop=100",
                "--jumps=1:3",
                "--metropolis=1"
            })
    void spendsCallsOtherwiseAndFromSaysHow(String saving) {
        Path plain = folder.resolve("as-it-is.png");
        Path saved = folder.resolve("saved.png");
        Path again = folder.resolve("saved-again.png");
        String[] sampler = saving.startsWith("--adaptive") ? new String[0] : new String[] {"--scheduler", "ddim"};
        List<Object> words = new java.util.ArrayList<>(List.of("--prompt", "a house", "--steps", 4));
        words.addAll(List.of(sampler));
        words.addAll(List.of("--out", plain));
        sample(words.toArray());
        words.set(words.size() - 1, saved);
        words.add(saving);
        Cli.Result result = sample(words.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.err()).contains("model calls a picture");
        assertThat(Images.read(saved, 3)).isNotEqualTo(Images.read(plain, 3));
        result = Cli.run("sample", "--from", saved, "--out", again);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(saved, 3));
    }

    @Test
    void refusesSavingsThatDoNotGoWithTheRest() {
        Path made = folder.resolve("refused.png");
        sample("--prompt", "a house", "--adaptive", 0.1, "--scheduler", "ddim", "--out", made)
                .assertOneLine(2, "leave --scheduler out");
        sample("--prompt", "a house", "--stop", 0.1, "--refiner", model, "--out", made)
                .assertOneLine(1, "--refiner", "only --cache goes with it");
        sample("--prompt", "a house", "--out", made);
        Cli.run("img2img", "--model", model, "--input", made, "--prompt", "x", "--adaptive", 0.1)
                .assertOneLine(1, "only --cache and --jumps go with --input");
    }

    @Test
    void takesAnotherAutoencoder() throws IOException {
        Path tiny = folder.resolve("taesd");
        TinyStableDiffusion.write(tiny, Golden.read("text_to_image_taesd"));
        Path other = folder.resolve("other.png");
        Path swapped = folder.resolve("swapped.png");
        Cli.run("sample", "--model", tiny, "--steps", 2, "--prompt", "a house", "--out", other);
        // The two pipelines differ in nothing but the autoencoder, so the swap gives the picture of the other one.
        for (Path vae :
                List.of(tiny.resolve("vae"), tiny.resolve("vae").resolve("diffusion_pytorch_model.safetensors"))) {
            Cli.Result result = sample("--prompt", "a house", "--vae", vae, "--out", swapped);
            assertThat(result.status()).as(result.err()).isZero();
            assertThat(Images.read(swapped, 3)).isEqualTo(Images.read(other, 3));
        }
        sample("--prompt", "x", "--vae", folder).assertOneLine(1, "--vae", "config.json");
        Path vae = Files.createDirectories(folder.resolve("larger"));
        Json.write(
                vae.resolve("config.json"),
                Golden.read("vae_tiny_plain").facts().path("config"));
        sample("--prompt", "x", "--vae", vae).assertOneLine(1, "no weights");
        Files.write(vae.resolve("model.safetensors"), new byte[0]);
        sample("--prompt", "x", "--vae", vae).assertOneLine(1, "--vae", "2 pixels a latent", "found 4");
    }

    @Test
    void worksInTiles() {
        Path whole = folder.resolve("whole.png");
        Path tiled = folder.resolve("tiled.png");
        Object[] size = {"--prompt", "a house", "--width", 48, "--height", 32, "--out"};
        sample(Stream.concat(Stream.of(size), Stream.of(whole)).toArray());
        sample(Stream.concat(Stream.of(size), Stream.of(tiled, "--tiling")).toArray());
        assertThat(Images.read(tiled, 3)).isNotEqualTo(Images.read(whole, 3));
        // A picture of one tile is not cut.
        Object[] small = {"--prompt", "a house", "--width", 16, "--height", 16, "--out"};
        sample(Stream.concat(Stream.of(small), Stream.of(whole)).toArray());
        sample(Stream.concat(Stream.of(small), Stream.of(tiled, "--tiling")).toArray());
        assertThat(Images.read(tiled, 3)).isEqualTo(Images.read(whole, 3));

        Object[] edit = {"img2img", "--model", model, "--input", whole, "--prompt", "x", "--steps", 2, "--width", 48};
        Path changed = folder.resolve("changed.png");
        Cli.Result result =
                Cli.run(Stream.concat(Stream.of(edit), Stream.of("--height", 32, "--tiling", "--out", changed))
                        .toArray());
        assertThat(result.status()).as(result.err()).isZero();
        Cli.run(Stream.concat(Stream.of(edit), Stream.of("--height", 32, "--out", tiled))
                .toArray());
        assertThat(Images.read(changed, 3)).isNotEqualTo(Images.read(tiled, 3));
    }

    @Test
    void showsPicturesOnTheirWay() {
        Cli.Result result = Cli.run(
                "sample",
                "--model",
                model,
                "--prompt",
                "a house",
                "--steps",
                5,
                "--preview-every",
                2,
                "--seed",
                3,
                "--width",
                24,
                "--height",
                16,
                "--out",
                folder.resolve("way.png"),
                "--verbose");
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.err()).containsPattern("load .* s, first step .* s, process start to first step .* s");
        for (String step : List.of("0002", "0004")) {
            Picture preview = Images.read(folder.resolve("way-seed3-step" + step + ".png"), 3);
            assertThat(List.of(preview.width(), preview.height())).isEqualTo(List.of(12, 8));
        }
        assertThat(Cli.files(folder).stream().filter(file -> file.toString().contains("way-")))
                .hasSize(2);
        Path many = folder.resolve("way");
        result = Cli.run(
                "sample", "--steps", 3, "--class", 1, "--class", 7, "--batch", 1, "--preview-every", 2, "--out", many);
        assertThat(result.status()).as(result.err()).isZero();
        Picture first = Images.read(many.resolve("preview-seed0-step0002.png"), 1);
        assertThat(List.of(first.width(), first.height())).isEqualTo(List.of(28, 28));
        assertThat(first).isNotEqualTo(Images.read(many.resolve("preview-seed1-step0002.png"), 1));
        sample("--prompt", "x", "--preview-every", 0).assertOneLine(2, "--preview-every", "at least 1");
    }

    @Test
    void givesTimesAsJson() throws IOException {
        Cli.Result result = sample("--prompt", "x", "--json", "--out", folder.resolve("times.png"));
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode times = Json.parse(result.out(), "output").path("times");
        double parts = 0;
        for (String part : List.of("start", "text", "load", "first_step")) {
            assertThat(times.path(part).asDouble(-1)).as(part).isNotNegative();
            parts += times.path(part).doubleValue();
        }
        assertThat(times.path("process_start_to_first_step").doubleValue()).isCloseTo(parts, within(0.01));
        assertThat(times.has("decode")).isTrue();
    }

    @Test
    void rescalesGuidance() {
        Path plain = folder.resolve("full.png");
        Path rescaled = folder.resolve("rescaled.png");
        Path again = folder.resolve("rescaled-again.png");
        sample("--prompt", "a house", "--guidance", 9, "--out", plain);
        sample("--prompt", "a house", "--guidance", 9, "--guidance-rescale", 0.7, "--out", rescaled);
        assertThat(Images.read(rescaled, 3)).isNotEqualTo(Images.read(plain, 3));
        assertThat(Images.readText(rescaled).get("parameters")).contains("Guidance rescale: 0.7");
        Cli.run("sample", "--from", rescaled, "--out", again);
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(rescaled, 3));
        sample("--prompt", "x", "--guidance-rescale", 2).assertOneLine(1, "--guidance-rescale", "0 to 1");
        Cli.run("sample", "--guidance-rescale", 0.5).assertOneLine(2, "--guidance-rescale");
    }

    @Test
    void weightsChangeThePicture() {
        Path plain = folder.resolve("plain.png");
        Path weighted = folder.resolve("weighted.png");
        sample("--prompt", "a red house", "--out", plain);
        sample("--prompt", "a (red:1.5) house", "--out", weighted);
        assertThat(Images.read(plain, 3)).isNotEqualTo(Images.read(weighted, 3));
    }

    @Test
    void makesAPictureAgainFromItsFile() {
        Path first = folder.resolve("first.png");
        Path again = folder.resolve("again.png");
        sample(
                "--prompt",
                "a (red:1.3) house, by the sea: calm",
                "--negative",
                "blurry, dark",
                "--seed",
                77,
                "--width",
                24,
                "--height",
                16,
                "--scheduler",
                "DPM++ 2M Karras",
                "--guidance",
                4.5,
                "--clip-skip",
                1,
                "--out",
                first);
        Cli.Result result = Cli.run("sample", "--from", first, "--out", again);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(first, 3));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
        sample("--from", first, "--seed", 78, "--out", again);
        assertThat(Images.read(again, 3)).isNotEqualTo(Images.read(first, 3));
        Images.writePng(again, Images.read(first, 3), java.util.Map.of());
        Cli.run("sample", "--from", again).assertOneLine(1, "--from", "parameters");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--scheduler=DPM++ 2M SDE Exponential",
                "--karras",
                "--plain-prompt",
                "--prediction=v_prediction",
                "--weights-dtype=bf16",
                "--seed=-1",
                "--tiling",
                "--vae=taesd"
            })
    void aFileSaysWhatElseThePictureWasMadeWith(String option) {
        Path tiny = folder.resolve("taesd-model");
        TinyStableDiffusion.write(tiny, Golden.read("text_to_image_taesd"));
        Path plain = folder.resolve("without.png");
        Path first = folder.resolve("with.png");
        Path again = folder.resolve("with-again.png");
        Object[] words = {"--prompt", "a (red:1.5) house", "--width", 48, "--height", 32, "--steps", 4, "--out", plain};
        assertThat(sample(words).status()).isZero();
        words[words.length - 1] = first;
        String given = option.replace("taesd", tiny.resolve("vae").toString());
        Cli.Result result =
                sample(Stream.concat(Stream.of(words), Stream.of(given)).toArray());
        assertThat(result.status()).as(result.err()).isZero();
        result = Cli.run("sample", "--from", first, "--out", again);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.err()).doesNotContain("--from");
        assertThat(Images.read(first, 3)).isNotEqualTo(Images.read(plain, 3)).isEqualTo(Images.read(again, 3));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
    }

    @Test
    void makesAGridOfTextsAgain() {
        Path first = folder.resolve("grid.png");
        Path again = folder.resolve("grid-again.png");
        Object[] words = {"--prompt", "a house, \"red\"", "--prompt", "the sea: calm", "-n", 3, "--out", first};
        Cli.Result result = sample(words);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Cli.run("sample", "--from", first, "--out", again).status()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(first, 3));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
        sample("--from", first, "--prompt", "a house, \"red\"", "-n", 1, "--out", again);
        assertThat(Images.read(again, 3).width())
                .isLessThan(Images.read(first, 3).width());
    }

    @Test
    void saysWhatIsWrongInOneLine() throws IOException {
        sample("--prompt", "x", "--width", 23).assertOneLine(1, "multiple of 2", "23", "24");
        sample().assertOneLine(2, "--prompt");
        sample("--prompt", "x", "--clip-skip", -1).assertOneLine(2, "--clip-skip: expected 0 or more", "-1");
        sample("--prompt", "x", "--high-noise-fraction", 0.5).assertOneLine(2, "--high-noise-fraction", "--refiner");
        sample("--prompt", "x", "--class", 3).assertOneLine(2, "--class");
        Cli.run("sample", "--prompt", "x").assertOneLine(2, "--prompt", "digits");
        sample("--prompt", "x", "--scheduler", "nonsense").assertOneLine(1, "nonsense", "euler");
        Path other = folder.resolve("other");
        TinyStableDiffusion.write(other, Golden.read("text_to_image_sd"));
        Files.delete(other.resolve("vae").resolve("config.json"));
        Cli.run("sample", "--model", other, "--prompt", "x").assertOneLine(1, "vae", "config.json");
        Path mixed = folder.resolve("mixed");
        TinyStableDiffusion.write(mixed, Golden.read("text_to_image_sd"));
        Path config = mixed.resolve("text_encoder").resolve("config.json");
        ObjectNode changed = (ObjectNode) Json.read(config);
        Json.write(config, changed.put("vocab_size", 500));
        Cli.run("sample", "--model", mixed, "--prompt", "x").assertOneLine(1, "600", "500", "not of one model");
    }
}
