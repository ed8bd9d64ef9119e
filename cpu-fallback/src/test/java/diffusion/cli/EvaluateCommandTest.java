package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** Bright and dark pictures cannot be confused, so every figure that should be perfect is. */
    @Test
    void measuresSamplesOfATrainedModel() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path run = folder.resolve("run");
        assertThat(Cli.run("train", "--config", project.config(), "--data", project.data(), "--out", run)
                        .status())
                .isZero();
        Path data = folder.resolve("split");
        Random random = new Random(3);
        for (String part : new String[] {"train", "test"}) {
            for (String name : new String[] {"dark", "light"}) {
                Path files = Files.createDirectories(data.resolve(part).resolve(name));
                for (int i = 0; i < 80; i++) {
                    byte[] pixels = new byte[64];
                    for (int p = 0; p < pixels.length; p++) {
                        pixels[p] = (byte) (random.nextInt(100) + (name.equals("dark") ? 0 : 150));
                    }
                    Images.writePng(files.resolve(i + ".png"), new Picture(1, 8, 8, pixels), Map.of());
                }
            }
        }
        Path classifier = folder.resolve("classifier");
        Path report = folder.resolve("report.html");
        Cli.Result result = Cli.run(
                "evaluate",
                "--model",
                run.resolve("model"),
                "--data",
                data,
                "--retrain",
                "--epochs",
                20,
                "--classifier",
                classifier,
                "-n",
                40,
                "--steps",
                5,
                "--report",
                report);
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "output");
        assertThat(json.path("classifier_accuracy").doubleValue()).isEqualTo(1);
        assertThat(json.path("samples").intValue()).isEqualTo(40);
        double recognised = json.path("recognised").doubleValue();
        JsonNode each = json.path("recognised_per_class");
        assertThat(recognised)
                .isCloseTo((each.path("dark").doubleValue() + each.path("light").doubleValue()) / 2, within(1e-9));
        assertThat(json.path("frechet_ratio").doubleValue())
                .isCloseTo(
                        json.path("frechet_distance").doubleValue()
                                / json.path("frechet_floor_train_test").doubleValue(),
                        within(1.0));
        assertThat(Files.readString(report)).contains("Evaluation of", "data:image/png;base64,");

        Cli.Result again = Cli.run(
                "evaluate",
                "--model",
                run.resolve("model"),
                "--data",
                data,
                "--classifier",
                classifier,
                "-n",
                40,
                "--steps",
                5);
        assertThat(Json.parse(again.out(), "output").path("frechet_distance")).isEqualTo(json.path("frechet_distance"));
        Cli.run("evaluate", "--model", run.resolve("model"), "--data", data).assertOneLine(1, "--retrain");
    }

    @Test
    void comparesPicturesOfTheSameName() throws IOException {
        Path reference = Files.createDirectory(folder.resolve("reference"));
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        for (int i = 0; i < 2; i++) {
            Images.writePng(reference.resolve(i + ".png"), grey(100), Map.of());
            Images.writePng(pictures.resolve(i + ".png"), grey(110), Map.of());
        }
        Cli.Result result = Cli.run("evaluate", "--reference", reference, "--pictures", pictures);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Json.parse(result.out(), "output").path("psnr_db").doubleValue())
                .isCloseTo(20 * Math.log10(255.0 / 10), within(0.01));
    }

    /** Against the same pictures moved to other classes: every figure that two equal sets have. */
    @Test
    void comparesFoldersOfClasses() throws IOException {
        Path made = folder.resolve("made");
        assertThat(Cli.run("sample", "-n", 20, "--steps", 8, "--out", made + "/")
                        .status())
                .isZero();
        Path reference = folder.resolve("reference");
        Path samples = folder.resolve("samples");
        int i = 0;
        for (Path file : Cli.files(made).stream().sorted().toList()) {
            String name = i++ % 10 + "/" + file.getFileName();
            for (Path target : new Path[] {reference.resolve(name), samples.resolve(name)}) {
                Files.createDirectories(Objects.requireNonNull(target.getParent()));
                Files.copy(file, target);
            }
        }
        Path report = folder.resolve("folders.html");
        Cli.Result result = Cli.run("evaluate", "--reference", reference, "--samples", samples, "--report", report);
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "output");
        assertThat(json.path("pairs").intValue()).isEqualTo(20);
        assertThat(json.path("psnr_db").asText()).isEqualTo("infinite");
        assertThat(json.path("ssim").doubleValue()).isCloseTo(1, within(1e-9));
        assertThat(json.has("ms_ssim")).isFalse();
        assertThat(json.path("feature_distance").doubleValue()).isZero();
        assertThat(json.path("frechet_distance").doubleValue()).isCloseTo(0, within(1e-4));
        assertThat(json.path("precision").doubleValue()).isEqualTo(1);
        assertThat(json.path("features_of").asText()).contains("digits-classifier", "not Inception");
        assertThat(json.path("per_class").size()).isEqualTo(10);
        assertThat(json.path("per_class").path("3").path("samples").intValue()).isEqualTo(2);
        assertThat(Files.readString(report)).contains("By class");
    }

    @Test
    void refusesWhatItCannotMeasure() {
        Cli.run("evaluate").assertOneLine(2, "--data: expected a data set");
        Cli.run("evaluate", "--data", folder, "-n", 1).assertOneLine(2, "--count: expected at least 2");
        Cli.run("evaluate", "--data", folder.resolve("none")).assertOneLine(1, "none");
        Cli.run("evaluate", "--reference", folder.resolve("none"), "--pictures", folder)
                .assertOneLine(1, "none");
    }

    private static Picture grey(int value) {
        byte[] pixels = new byte[256];
        Arrays.fill(pixels, (byte) value);
        return new Picture(1, 16, 16, pixels);
    }
}
