package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.cpu.CpuBackend;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.ImageSimilarity;
import diffusion.model.Golden;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.TinyStableDiffusion;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code sample --guide} on the built-in model. */
class GuideCommandsTest {
    private static final int COUNT = 12;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    static Path folder;

    private static Path three = Path.of(".");
    private static Path small = Path.of(".");
    private static Path mask = Path.of(".");

    @BeforeAll
    static void make() {
        three = folder.resolve("three.png");
        assertThat(Cli.run("sample", "--class", 3, "--steps", 20, "--seed", 4, "--out", three)
                        .status())
                .isZero();
        byte[] means = new byte[49];
        byte[] lower = new byte[28 * 28];
        byte[] pixels = Images.read(three, 1).data();
        for (int i = 0; i < 49; i++) {
            int sum = 0;
            for (int k = 0; k < 16; k++) {
                sum += pixels[(i / 7 * 4 + k / 4) * 28 + i % 7 * 4 + k % 4] & 0xff;
            }
            means[i] = (byte) (sum / 16);
        }
        Arrays.fill(lower, 14 * 28, lower.length, (byte) 255);
        small = folder.resolve("small.png");
        mask = folder.resolve("mask.png");
        Images.writePng(small, new Picture(1, 7, 7, means), Map.of());
        Images.writePng(mask, new Picture(1, 28, 28, lower), Map.of());
    }

    private static List<Picture> sample(int count, Object... more) {
        Path out = folder.resolve("out");
        List<Object> words = new ArrayList<>(
                List.of("sample", "-n", count, "--steps", 10, "--seed", 0, "--rng", "torch", "--out", out + "/"));
        words.addAll(List.of(more));
        Cli.Result result = Cli.run(words.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        return Cli.files(out).stream()
                .sorted()
                .limit(count)
                .map(file -> Images.read(file, 1))
                .toList();
    }

    private static long sevens(List<Picture> pictures) {
        try (FeatureExtractor classifier = new FeatureExtractor(
                LoadedModel.extract("digits-classifier", List.of("config.json", "model.safetensors")),
                new CpuBackend(2))) {
            int[] classes = classifier
                    .of(pictures.stream().map(Picture::toModel).toList())
                    .classes();
            return Arrays.stream(classes).filter(c -> c == 7).count();
        }
    }

    @Test
    void aClassifierMakesSevensOfAnUnconditionalModel() {
        long unguided = sevens(sample(COUNT, "--class", "none"));
        assertThat(unguided).isLessThanOrEqualTo(COUNT / 3);
        assertThat(sevens(sample(COUNT, "--guide", "classifier:7"))).isGreaterThanOrEqualTo(COUNT - 2);
        assertThat(sevens(sample(COUNT, "--guide", "classifier:7", "--scheduler", "euler")))
                .isGreaterThanOrEqualTo(COUNT - 2);
    }

    @Test
    void gradientsJoinClassifierFreeGuidance() {
        float[] wanted = Images.read(small, 1).toUnit();
        Object[] ofClass = {"--class", 8, "--guidance", 2};
        List<Picture> free = sample(4, ofClass);
        List<Picture> led = sample(4, "--class", 8, "--guidance", 2, "--guide", "downsampled:" + small + ":30");
        for (int i = 0; i < 4; i++) {
            assertThat(ImageSimilarity.mse(wanted, means(led.get(i))))
                    .isLessThan(0.2 * ImageSimilarity.mse(wanted, means(free.get(i))));
        }
        List<Picture> unconditional = sample(4, "--guide", "downsampled:" + small + ":30");
        assertThat(unconditional).isNotEqualTo(led);
    }

    private static float[] means(Picture picture) {
        float[] unit = picture.toUnit();
        float[] means = new float[49];
        for (int i = 0; i < unit.length; i++) {
            means[i / 28 / 4 * 7 + i % 28 / 4] += unit[i] / 16;
        }
        return means;
    }

    @Test
    void picturesAreLedToOthers() {
        float[] wanted = Images.read(three, 1).toUnit();
        List<Picture> free = sample(4, "--class", "none");
        List<Picture> alike = sample(4, "--guide", "ssim:" + three);
        List<Picture> half = sample(4, "--guide", "mask:" + three + ":" + mask);
        List<Picture> both = sample(4, "--guide", "mask:" + three + ":" + mask, "--guide", "features:" + three + ":2");
        double ssim = 0;
        double before = 0;
        for (int i = 0; i < 4; i++) {
            ssim += ImageSimilarity.ssim(wanted, alike.get(i).toUnit(), 1, 28, 28) / 4;
            before += ImageSimilarity.ssim(wanted, free.get(i).toUnit(), 1, 28, 28) / 4;
            float[] top = Arrays.copyOf(wanted, 14 * 28);
            assertThat(ImageSimilarity.psnr(top, Arrays.copyOf(half.get(i).toUnit(), 14 * 28)))
                    .isGreaterThan(18);
            assertThat(both.get(i)).isNotEqualTo(half.get(i));
        }
        List<Picture> again = sample(4, "--guide", "mask:" + three + ":" + mask, "--jumps", "3:2");
        for (int i = 0; i < 4; i++) {
            float[] top = Arrays.copyOf(wanted, 14 * 28);
            assertThat(ImageSimilarity.psnr(top, Arrays.copyOf(again.get(i).toUnit(), 14 * 28)))
                    .isGreaterThan(18);
            assertThat(again.get(i)).isNotEqualTo(half.get(i));
        }
        assertThat(ssim).isGreaterThan(0.7).isGreaterThan(before + 0.3);
    }

    @Test
    void aFileSaysHowItWasLed() {
        Path first = folder.resolve("first.png");
        Path again = folder.resolve("again.png");
        Object[] words = {
            "sample",
            "-n",
            2,
            "--steps",
            3,
            "--guide",
            "classifier:7:2",
            "--guide",
            "ssim:" + three,
            "--out",
            first,
            "--guide-classifier",
            LoadedModel.builtInClassifier(1)
        };
        assertThat(Cli.run(words).status()).isZero();
        assertThat(Images.readText(first).get("parameters")).contains("Guide classifier: " + words[words.length - 1]);
        assertThat(Images.readText(first).get("parameters")).contains("classifier:7:2 & ssim:", "none, none");
        assertThat(Cli.run("sample", "--from", first, "--out", again).status()).isZero();
        assertThat(Images.read(again, 1)).isEqualTo(Images.read(first, 1));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
    }

    @Test
    void textModelsAreLedThroughTheirDecoder() {
        Path model = folder.resolve("text");
        TinyStableDiffusion.write(model, Golden.read("edit_inpaint_4"));
        Path first = folder.resolve("led.png");
        Path again = folder.resolve("led-again.png");
        List<Picture> made = new ArrayList<>();
        for (String guide : List.of(
                "ssim:" + three, "style:" + three, "classifier:3", "features:" + three, "mask:" + three + ":" + mask)) {
            Cli.Result result = Cli.run(
                    "sample",
                    "--model",
                    model,
                    "--prompt",
                    "a cat",
                    "--guidance",
                    3,
                    "--size",
                    32,
                    "--steps",
                    3,
                    "--guide",
                    guide,
                    "--out",
                    first);
            assertThat(result.status()).as(result.err()).isZero();
            assertThat(result.err()).contains("GB of tensors for one picture");
            assertThat(Images.readText(first).get("parameters")).contains(guide);
            made.add(Images.read(first, 3));
        }
        assertThat(made).doesNotHaveDuplicates();
        assertThat(Cli.run("sample", "--from", first, "--out", again).status()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(made.getLast());
        assertThat(Cli.run(
                                "stylize",
                                "--method",
                                "moments",
                                "--model",
                                model,
                                "--content",
                                three,
                                "--style",
                                mask,
                                "--size",
                                32,
                                "--steps",
                                3,
                                "--out",
                                first)
                        .status())
                .isZero();
    }

    @Test
    void saysWhatIsWrongInOneLine() {
        Path latents = folder.resolve("sd");
        TinyStableDiffusion.write(latents, Golden.read("edit_inpaint_4"));
        Cli.run("sample", "--guide", "beauty:3").assertOneLine(2, "--guide", "classifier:CLASS", "beauty:3");
        Cli.run("sample", "--guide", "classifier").assertOneLine(2, "classifier:CLASS");
        Cli.run("sample", "--guide", "classifier:7:x").assertOneLine(2, "scale", "\"x\"");
        Cli.run("sample", "--guide", "classifier:12").assertOneLine(1, "0 to 9", "12");
        Cli.run("sample", "--guide", "ssim:missing.png").assertOneLine(1, "missing.png");
        Cli.run("sample", "--guide", "ssim:C:\\missing.png").assertOneLine(1, "no such file: C:\\missing.png");
        Cli.run("sample", "--guide", "mask:C:/missing.png:D:/mask.png:3").assertOneLine(1, "no such file: D:/mask.png");
        Cli.run("sample", "--guide", "downsampled:" + mask + ":1", "--size", 20).assertOneLine(1, "divides 20x20");
        Cli.run("sample", "--guide", "classifier:7", "--size", 32).assertOneLine(1, "32", "28", "--guide-classifier");
        Cli.run("sample", "--model", latents, "--prompt", "x", "--guide", "classifier:7", "--size", 48)
                .assertOneLine(1, "--guide", "32 x 32", "48 x 48");
        for (Object[] other : new Object[][] {{"--cache", 2}, {"--guidance-rescale", 0.5}}) {
            Cli.run("sample", "--model", latents, "--prompt", "x", "--guide", "style:" + three, other[0], other[1])
                    .assertOneLine(1, "--guide", other[0].toString());
        }
    }
}
