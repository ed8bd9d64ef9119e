package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.cpu.CpuBackend;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.metrics.ImageSimilarity;
import diffusion.metrics.StyleMoments;
import diffusion.model.Golden;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.TinyStableDiffusion;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** {@code stylize} with the built-in models and a tiny Stable Diffusion pipeline. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class StylizeCommandTest {
    private static final int SIDE = 32;

    private Path folder = Path.of(".");
    private Path content = folder; // a bright disc before blue
    private Path style = folder; // red and brown stripes
    private Path out = folder;

    @BeforeAll
    void write(@TempDir Path temporary) {
        folder = temporary;
        out = folder.resolve("out.png");
        content = picture("content.png", (c, y, x) -> {
            boolean disc = Math.hypot(y - 16.0, x - 14.0) < 9;
            return disc ? 210 - 20 * c + 2 * y : 40 + 60 * c + x;
        });
        style = picture(
                "style.png", (c, y, x) -> (c == 0 ? 190 : c == 1 ? 90 : 30) + ((x + y) / 3 % 2 == 0 ? 40 : -25));
    }

    private interface Level {
        int at(int channel, int y, int x);
    }

    private Path picture(String name, Level level) {
        byte[] data = new byte[3 * SIDE * SIDE];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) level.at(i / (SIDE * SIDE), i / SIDE % SIDE, i % SIDE);
        }
        Path path = folder.resolve(name);
        Images.writePng(path, new Picture(3, SIDE, SIDE, data), Map.of());
        return path;
    }

    private Cli.Result ran(Object... words) {
        List<Object> all = new ArrayList<>(List.of(words));
        all.addAll(List.of("--out", out));
        Cli.Result result = Cli.run(all.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        return result;
    }

    private Picture run(Object... words) {
        ran(words);
        return Images.read(out, 0);
    }

    private static double toStyle(Picture made, Path style) {
        List<float[]> moments = StyleMoments.of(
                LoadedModel.builtInClassifier(3), new CpuBackend(2), List.of(made, Images.read(style, 3)));
        return StyleMoments.distance(moments.getFirst(), moments.getLast());
    }

    @Test
    void withoutInjectionItIsWhatInversionBringsBack() {
        Picture back = run("img2img", "--model", "cifar10", "--invert", "--input", content, "--steps", 8);
        assertThat(run(
                        "stylize",
                        "--content",
                        content,
                        "--style",
                        style,
                        "--steps",
                        8,
                        "--inject",
                        0,
                        "--no-adain",
                        "-n",
                        1))
                .isEqualTo(back);
        assertThat(run("stylize", "--content", content, "--style", style, "--steps", 8, "--no-adain"))
                .isNotEqualTo(back);
    }

    @Test
    void bothMethodsComeNearerToTheStyleAndKeepTheContent() {
        double before = toStyle(Images.read(content, 3), style);
        float[] disc = Images.read(content, 3).withChannels(1).toUnit();
        float[] stripes = Images.read(style, 3).withChannels(1).toUnit();
        for (String method : List.of("injection", "moments")) {
            Picture made = run("stylize", "--content", content, "--style", style, "--steps", 15, "--method", method);
            assertThat(toStyle(made, style)).as(method).isLessThan(0.6 * before);
            float[] grey = made.withChannels(1).toUnit();
            double kept = ImageSimilarity.ssim(grey, disc, 1, SIDE, SIDE);
            assertThat(kept).as(method).isGreaterThan(2 * ImageSimilarity.ssim(grey, stripes, 1, SIDE, SIDE));
        }
        double free = toStyle(
                run("stylize", "--content", content, "--style", style, "--steps", 15, "--inject", 0, "--no-adain"),
                style);
        double led = toStyle(
                run("stylize", "--content", content, "--style", style, "--steps", 15, "--no-adain", "--tau", 2), style);
        assertThat(led).isLessThan(free); // by attention alone
    }

    @Test
    void digitsTakeTheirStyleInGreyAndAFigureIsShown() {
        Path three = folder.resolve("three.png");
        Path seven = folder.resolve("seven.png");
        Path show = folder.resolve("show.png");
        Path gif = folder.resolve("run.gif");
        ran("sample", "--class", 3, "--steps", 8, "--seed", 4);
        Images.writePng(three, Images.read(out, 1), Map.of());
        ran("sample", "--class", 7, "--steps", 8, "--seed", 5);
        Images.writePng(seven, Images.read(out, 1), Map.of());
        Cli.Result result = ran(
                "stylize",
                "--content",
                three,
                "--style",
                seven,
                "--class",
                3,
                "--class",
                5,
                "--guidance",
                2,
                "--steps",
                6,
                "--show",
                show,
                "--animate",
                gif,
                "--preview-every",
                4);
        assertThat(result.err()).contains("distance to the style", "content kept: PSNR", "SSIM");
        assertThat(gif).exists();
        assertThat(Images.read(show, 3).width()).isEqualTo(8 + 4 * (4 * 28 + 8)); // content, style and two results
        assertThat(Images.readText(out).get("parameters"))
                .contains("gamma 0.75, tau 1.5", "three.png in the style of seven.png", "Denoising strength: 1.0");
        Cli.run("sample", "--from", out).assertOneLine(2, "--from", "seven.png");
    }

    @Test
    void textModelsWorkAtTheContentsOwnSizeOnOddPictures() throws IOException {
        Path model = folder.resolve("sd");
        TinyStableDiffusion.write(model, Golden.read("stylize_sd"));
        BufferedImage clear = new BufferedImage(25, 18, BufferedImage.TYPE_INT_ARGB);
        for (int i = 0; i < 25 * 18; i++) {
            clear.setRGB(i % 25, i / 25, (i % 256 << 24) | 13 * i);
        }
        Path odd = folder.resolve("odd.png");
        ImageIO.write(clear, "png", odd.toFile());
        Path deep = folder.resolve("deep.png");
        BufferedImage grey = new BufferedImage(40, 9, BufferedImage.TYPE_USHORT_GRAY);
        for (int i = 0; i < 360; i++) {
            grey.getRaster().setSample(i % 40, i / 40, 0, 180 * i);
        }
        ImageIO.write(grey, "png", deep.toFile());
        Object[] words = {"stylize", "--model", model, "--content", odd, "--style", deep, "--steps", 3};
        Picture made = run(words);
        assertThat(List.of(made.width(), made.height())).containsExactly(24, 18);
        List<Object> told = new ArrayList<>(List.of(words));
        told.addAll(List.of("--prompt", "a cat", "--negative", "dogs", "--source", "a dog", "-n", 3, "--batch", 2));
        assertThat(run(told.toArray())).isNotEqualTo(made);
    }

    @Test
    void saysWhatIsWrongInOneLine() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken.png"), "no picture");
        Path plain = folder.resolve("plain");
        Files.createDirectories(plain);
        Files.writeString(plain.resolve("config.json"), """
                {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 3, "out_channels": 3,
                 "down_block_types": ["DownBlock2D"], "up_block_types": ["UpBlock2D"], "block_out_channels": [8],
                 "layers_per_block": 1, "norm_num_groups": 4, "add_attention": false}
                """);
        Files.writeString(plain.resolve("diffusion_pytorch_model.safetensors"), "");
        Object[][] wrong = {
            {1, "broken.png", "--style", broken},
            {2, "--style"},
            {1, "--gamma", "--style", style, "--gamma", 2},
            {1, "--tau", "--style", style, "--tau", 0},
            {1, "--inject", "--style", style, "--inject", 1.5},
            {1, "--layers", "--style", style, "--layers", "top"},
            {1, "--strength", "--style", style, "--strength", 0},
            {2, "--scheduler", "--style", style, "--scheduler", "euler"},
            {2, "--method moments", "--style", style, "--style-scale", 3},
            {2, "--tau", "--style", style, "--method", "moments", "--tau", 2},
            {1, "--guide", "--style", style, "--guide", "classifier:3"},
            {1, "--cache", "--style", style, "--cache", 2},
            {1, "--method moments", "--style", style, "--model", plain},
            {1, "no/figure.png", "--style", style, "--show", folder.resolve("no/figure.png")},
        };
        List<Path> before = Cli.files(folder);
        for (Object[] words : wrong) {
            List<Object> line = new ArrayList<>(List.of("stylize", "--content", content, "--steps", 3));
            line.addAll(List.of(words).subList(2, words.length));
            line.addAll(List.of("--out", folder.resolve("never.png")));
            Cli.run(line.toArray()).assertOneLine((int) words[0], words[1].toString());
        }
        assertThat(Cli.files(folder)).isEqualTo(before);
    }
}
