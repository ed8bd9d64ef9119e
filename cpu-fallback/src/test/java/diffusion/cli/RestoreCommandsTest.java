package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.metrics.ImageSimilarity;
import diffusion.restore.Pictures;
import diffusion.restore.PoissonNoise;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The commands denoise and upscale on a digit that the built-in model made itself. */
class RestoreCommandsTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    @SuppressWarnings("NullAway.Init")
    private static Picture clean;

    @BeforeAll
    static void make() {
        Path made = folder.resolve("made");
        Cli.Result result = Cli.run("sample", "--class", 3, "-n", 1, "--steps", 15, "--seed", 4, "--out", made + "/");
        assertThat(result.status()).as(result.err()).isZero();
        clean = Images.read(Cli.files(made).getFirst(), 0);
    }

    private interface Spoiler {
        int apply(int value, Random random);
    }

    private static Path spoil(String name, Spoiler how) {
        Random random = new Random(1);
        byte[] data = clean.data().clone();
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) Math.clamp(how.apply(data[i] & 0xff, random), 0, 255);
        }
        Path file = folder.resolve(name);
        Images.writePng(file, new Picture(1, 28, 28, data), Map.of());
        return file;
    }

    @Test
    void denoisesCountedLightWithAndWithoutKnowingHowMuch() {
        for (int peak : new int[] {10, 60}) {
            Picture noisy = new PoissonNoise(peak)
                    .spoil(Pictures.of(List.of(clean)), 1)
                    .toPictures()
                    .getFirst();
            Path file = folder.resolve("light.png");
            Images.writePng(file, noisy, Map.of());
            Path told = folder.resolve("told.png");
            Path guessed = folder.resolve("guessed.png");
            Path sampled = folder.resolve("sampled.png");
            run("denoise", "--noise", "poisson", "--peak", peak, "--input", file, "--out", told, "--json");
            JsonNode found = run("denoise", "--noise", "poisson", "--input", file, "--out", guessed, "--json");
            assertThat(found.path("peak_estimated").doubleValue()).isBetween(0.4 * peak, 2.5 * peak);
            assertThat(psnr(told)).isGreaterThan(psnr(file) + 1); // black was clean, and white was cut off
            assertThat(psnr(guessed)).isGreaterThan(psnr(told) - 1.5);
            Object[] sample = {
                "denoise",
                "--noise",
                "poisson",
                "--peak",
                peak,
                "--method",
                "DDRM",
                "--steps",
                8,
                "--repeats",
                1,
                "--average",
                4,
                "--input",
                file,
                "--out",
                sampled,
                "--json"
            };
            run(sample);
            if (peak == 10) {
                assertThat(psnr(sampled)).isGreaterThan(psnr(file));
            }
        }
        Path any = folder.resolve("light.png");
        Cli.run("denoise", "--input", any, "--peak", 3).assertOneLine(2, "--peak", "--noise GAUSSIAN");
        Cli.run("denoise", "--input", any, "--noise", "poisson", "--peak", 0).assertOneLine(2, "--peak", "1 to 100000");
        Cli.run("denoise", "--input", any, "--noise", "poisson", "--sigma", 9).assertOneLine(2, "--sigma");
    }

    private static double psnr(Path file) {
        return ImageSimilarity.psnr(clean.toUnit(), Images.read(file, 1).toUnit());
    }

    private static JsonNode run(Object... args) {
        Cli.Result result = Cli.run(args);
        assertThat(result.status()).as(result.err()).isZero();
        return Json.parse(result.out(), "output");
    }

    @Test
    void gaussianNoiseOfUnknownDeviation() {
        Path noisy = spoil("noisy.png", (value, random) -> value + (int) Math.round(40 * random.nextGaussian()));
        Path out = folder.resolve("denoised.png");
        Path figure = folder.resolve("figure.png");
        JsonNode notes = run("denoise", "--input", noisy, "--out", out, "--show", figure, "--json");
        assertThat(notes.path("sigma_estimated").doubleValue()).isCloseTo(40, within(6.0));
        assertThat(psnr(out)).isGreaterThan(psnr(noisy) + 6);
        assertThat(Images.read(figure, 0).width()).isGreaterThan(2 * 28);

        Path sampled = folder.resolve("sampled.png");
        run("denoise", "--input", noisy, "--sigma", 40, "--method", "ddrm", "--steps", 5, "--out", sampled, "--json");
        assertThat(psnr(sampled)).isGreaterThan(psnr(noisy) + 4);
    }

    /** A disc before a gradient: the built-in model of colour is taken without being asked for. */
    @Test
    void colourNeedsNoOtherOption() {
        int side = 40;
        byte[] data = new byte[3 * side * side];
        Random random = new Random(3);
        byte[] spoilt = data.clone();
        for (int i = 0; i < data.length; i++) {
            int x = i % side;
            int y = i / side % side;
            int channel = i / (side * side);
            boolean disc = Math.hypot(x - 17, y - 22) < 9;
            int value = disc ? 200 - 60 * channel : 60 + 2 * x + 20 * channel;
            data[i] = (byte) value;
            spoilt[i] = (byte) Math.clamp(value + Math.round(25 * random.nextGaussian()), 0, 255);
        }
        Path noisy = folder.resolve("noisy-colour.png");
        Images.writePng(noisy, new Picture(3, side, side, spoilt), Map.of());
        Path out = folder.resolve("denoised-colour.png");
        JsonNode notes = run("denoise", "--input", noisy, "--out", out, "--json");
        assertThat(notes.path("model").textValue()).isEqualTo("cifar10");
        assertThat(notes.path("sigma_estimated").doubleValue()).isCloseTo(25, within(5.0));
        float[] wanted = new Picture(3, side, side, data).toUnit();
        double before = ImageSimilarity.psnr(wanted, Images.read(noisy, 3).toUnit());
        assertThat(ImageSimilarity.psnr(wanted, Images.read(out, 3).toUnit())).isGreaterThan(before + 8);
    }

    @Test
    void saltAndPepper() {
        Path salted = spoil("salted.png", (value, random) -> {
            int die = random.nextInt(10);
            return die == 0 ? 0 : die == 1 ? 255 : value;
        });
        Path out = folder.resolve("unsalted.png");
        run("denoise", "--input", salted, "--noise", "salt_and_pepper", "--steps", 8, "--out", out, "--json");
        assertThat(psnr(out)).isGreaterThan(psnr(salted) + 4);
    }

    /** A picture of three tiles' size and three channels, enlarged so that its pixels are the means. */
    @Test
    void enlargesColourOfAnySize() {
        byte[] data = new byte[3 * 9 * 23];
        new Random(2).nextBytes(data);
        Path small = folder.resolve("small.png");
        Images.writePng(small, new Picture(3, 9, 23, data), Map.of());
        Path out = folder.resolve("upscaled.png");
        JsonNode notes =
                run("upscale", "--input", small, "--scale", 2, "--steps", 2, "--repeats", 1, "--out", out, "--json");
        assertThat(notes.path("width").intValue()).isEqualTo(46);
        Picture large = Images.read(out, 0);
        assertThat(large.channels()).isEqualTo(3);
        assertThat(large.height()).isEqualTo(18);
        for (int i = 0; i < data.length; i++) {
            int top = i / 23 * 2 * 46 + i % 23 * 2;
            int sum = 0;
            for (int at : new int[] {top, top + 1, top + 46, top + 47}) {
                sum += large.data()[at] & 0xff;
            }
            // values beyond black and white are cut off, which moves means inward only a little in the middle
            if ((data[i] & 0xff) > 110 && (data[i] & 0xff) < 145) {
                assertThat(sum / 4.0).isCloseTo(data[i] & 0xff, within(30.0));
            }
        }
    }

    @Test
    void refusesBadInputInOneLine() {
        Path picture = spoil("same.png", (value, _) -> value);
        Cli.run("denoise", "--input", picture, "--out", folder + "/").assertOneLine(1, "it is a folder");
        Cli.run("denoise", "--input", picture, "--out", folder.resolve("denoised.jpg"))
                .assertOneLine(2, "--out", "ends in .png");
        Cli.run("denoise", "--input", folder.resolve("none.png")).assertOneLine(1, "no such file");
        Cli.run("denoise", "--input", picture, "--sigma", -1).assertOneLine(2, "--sigma: expected more than 0");
        Cli.run("denoise", "--input", picture, "--sigma", 9, "--noise", "salt_and_pepper")
                .assertOneLine(2, "--sigma: expected with --noise gaussian only");
        for (String option : new String[] {"--average", "--steps", "--repeats", "--seed"}) {
            Cli.run("denoise", "--input", picture, option, 3).assertOneLine(2, option, "--method ddrm");
        }
        Cli.run("upscale", "--input", picture, "--scale", 2, "--noise-level", 3)
                .assertOneLine(2, "--noise-level: expected a model that follows a text");
        Cli.run("upscale", "--input", picture, "--scale", 1).assertOneLine(2, "--scale: expected 2 to 16");
        Cli.run("upscale", "--input", picture, "--scale", 2, "--steps", 0).assertOneLine(2, "--steps: expected");
        assertThat(Files.exists(Path.of("upscaled.png"))).isFalse();
    }
}
