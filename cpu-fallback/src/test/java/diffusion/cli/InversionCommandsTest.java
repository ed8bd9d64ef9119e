package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.cpu.CpuBackend;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.ImageSimilarity;
import diffusion.pipeline.LoadedModel;
import java.io.IOException;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import javax.imageio.stream.ImageInputStream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code img2img --invert} and {@code interpolate} on digits of the built-in model. */
class InversionCommandsTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static Path three = Path.of(".");

    @BeforeAll
    static void make() {
        three = folder.resolve("three.png");
        run("sample", "--class", 3, "--steps", 20, "--seed", 4, "--out", three);
    }

    private static void run(Object... args) {
        Cli.Result result = Cli.run(args);
        assertThat(result.status()).as(result.err()).isZero();
    }

    private static List<Path> sorted(Path pictures) {
        return Cli.files(pictures).stream().sorted().toList();
    }

    private static double psnrOfRoundTrip(int steps) {
        Path back = folder.resolve("back.png");
        run("img2img", "--invert", "--input", three, "--steps", steps, "--out", back);
        return ImageSimilarity.psnr(
                Images.read(three, 1).toUnit(), Images.read(back, 1).toUnit());
    }

    @Test
    void withoutAChangeOfClassThePictureComesBackTheBetterTheMoreSteps() {
        double few = psnrOfRoundTrip(10);
        double more = psnrOfRoundTrip(50);
        assertThat(few).isGreaterThan(24);
        assertThat(more).isGreaterThan(36).isGreaterThan(few + 6);
    }

    @Test
    void anotherClassKeepsTheHand() {
        Path eights = folder.resolve("eights");
        Path others = folder.resolve("others");
        run("img2img", "--invert", "--source", 3, "--class", 8, "--input", three, "--steps", 25, "--out", eights + "/");
        run("sample", "--class", 8, "-n", 8, "--seed", 20, "--steps", 25, "--out", others + "/");
        Picture edited = Images.read(sorted(eights).getFirst(), 1);
        try (FeatureExtractor classifier = new FeatureExtractor(
                LoadedModel.extract("digits-classifier", List.of("config.json", "model.safetensors")),
                new CpuBackend(2))) {
            assertThat(classifier.of(List.of(edited.toModel())).classes()).containsExactly(8);
        }
        float[] before = Images.read(three, 1).toUnit();
        double near = ImageSimilarity.mse(before, edited.toUnit());
        double usual = sorted(others).stream()
                .mapToDouble(other ->
                        ImageSimilarity.mse(before, Images.read(other, 1).toUnit()))
                .average()
                .orElseThrow();
        assertThat(near).isLessThan(0.8 * usual);
    }

    @Test
    void aStripLeadsFromOneSeedToAnother() throws IOException {
        Path strip = folder.resolve("strip");
        Path gif = folder.resolve("strip.gif");
        run(
                "interpolate",
                "--seed",
                3,
                "--to-seed",
                8,
                "--class",
                7,
                "-n",
                4,
                "--steps",
                5,
                "--animate",
                gif,
                "--out",
                strip + "/");
        List<Path> files = sorted(strip);
        assertThat(files).hasSize(4);
        for (int end = 0; end < 2; end++) {
            Path alone = folder.resolve("alone.png");
            run("sample", "--class", 7, "-n", 1, "--seed", end == 0 ? 3 : 8, "--steps", 5, "--out", alone);
            assertThat(Images.read(files.get(3 * end), 1)).isEqualTo(Images.read(alone, 1));
        }
        ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
        try (ImageInputStream stream = ImageIO.createImageInputStream(gif.toFile())) {
            reader.setInput(stream);
            assertThat(reader.getNumImages(true)).isEqualTo(6); // there and back
        }
    }

    @Test
    void aStripLeadsFromOnePictureToAnother() {
        Path last = folder.resolve("last.png");
        Path strip = folder.resolve("pictures.png");
        run("sample", "--class", 5, "--steps", 20, "--seed", 9, "--out", last);
        run(
                "interpolate",
                "--input",
                three,
                "--to",
                last,
                "-n",
                3,
                "--steps",
                50,
                "--out",
                folder.resolve("between") + "/");
        List<Path> files = sorted(folder.resolve("between"));
        float[] first = Images.read(three, 1).toUnit();
        float[] second = Images.read(last, 1).toUnit();
        assertThat(ImageSimilarity.psnr(first, Images.read(files.get(0), 1).toUnit()))
                .isGreaterThan(30);
        assertThat(ImageSimilarity.psnr(second, Images.read(files.get(2), 1).toUnit()))
                .isGreaterThan(30);
        assertThat(ImageSimilarity.psnr(first, Images.read(files.get(1), 1).toUnit()))
                .isLessThan(25);
        run("interpolate", "--input", three, "--to", last, "-n", 5, "--steps", 2, "--out", strip);
        assertThat(Images.read(strip, 3).width()).isEqualTo(8 + 5 * (4 * 28 + 8)); // in one row
        assertThat(Images.readText(strip).get("parameters"))
                .contains("three.png to", "Inversion: \"DDIM, unconditional\"");
    }

    @Test
    void saysWhatIsWrongInOneLine() {
        Cli.run("interpolate").assertOneLine(2, "--to-seed", "--input");
        Cli.run("interpolate", "--to-seed", 3, "--input", three, "--to", three).assertOneLine(2, "two seeds");
        Cli.run("interpolate", "--input", three).assertOneLine(2, "--to");
        Cli.run("interpolate", "--to-seed", 3, "--class", 1, "--class", 2).assertOneLine(2, "one at most");
        Cli.run("img2img", "--input", three, "--source", 3).assertOneLine(2, "--invert");
        Cli.run("img2img", "--input", three, "--invert", "--scheduler", "euler").assertOneLine(2, "ddim", "euler");
        Cli.run("img2img", "--input", three, "--invert", "--source", "x").assertOneLine(1, "--source", "\"x\"");
    }
}
