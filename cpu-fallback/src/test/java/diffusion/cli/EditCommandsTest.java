package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** {@code img2img} and {@code inpaint} on models of classes and of texts. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class EditCommandsTest {
    private Path folder = Path.of(".");
    private Path pixels = folder;
    private Path latents = folder;
    private Path inpainting = folder;
    private Path small = folder; // 8x8, grey
    private Path half = folder; // its mask
    private Path photo = folder; // 25x18, colours
    private Path spot = folder; // a mask of another size

    @BeforeAll
    void write(@TempDir Path temporary) throws IOException {
        folder = temporary;
        pixels = TinyProject.create(folder).model(folder, 3);
        latents = folder.resolve("sd");
        inpainting = folder.resolve("sd9");
        TinyStableDiffusion.write(latents, Golden.read("edit_inpaint_4"));
        TinyStableDiffusion.write(inpainting, Golden.read("edit_inpaint_9"));
        small = picture("small.png", 1, 8, 8, (y, x) -> 31 * y + x);
        half = picture("half.png", 1, 8, 8, (_, x) -> x < 4 ? 0 : 255);
        photo = picture("photo.png", 3, 18, 25, (y, x) -> 9 * y + 3 * x);
        spot = picture("spot.png", 1, 36, 50, (y, x) -> y > 10 && y < 30 && x > 10 && x < 40 ? 255 : 0);
    }

    private interface Level {
        int at(int y, int x);
    }

    private Path picture(String name, int channels, int height, int width, Level level) {
        byte[] data = new byte[channels * height * width];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) level.at(i / width % height, i % width);
        }
        Path path = folder.resolve(name);
        Images.writePng(path, new Picture(channels, height, width, data), Map.of());
        return path;
    }

    private Picture run(Object... words) {
        Path out = folder.resolve("out.png");
        List<Object> all = new ArrayList<>(List.of(words));
        all.addAll(List.of("--out", out));
        Cli.Result result = Cli.run(all.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        return Images.read(out, 0);
    }

    private static double distance(Picture a, Picture b) {
        double sum = 0;
        for (int i = 0; i < a.data().length; i++) {
            sum += Math.abs((a.data()[i] & 0xff) - (b.data()[i] & 0xff));
        }
        return sum / a.data().length;
    }

    @Test
    void whatIsKeptStaysTheSameToTheBitInPixels() {
        Picture before = Images.read(small, 1);
        for (String[] more : new String[][] {
            {"--jump-length", "2", "--jump-samples", "2"},
            {"--scheduler", "ddim"},
            {"--jumps", "2:3", "--scheduler", "unipc"},
            {"--scheduler", "euler_a", "--strength", "0.5"},
            {"--feather", "2"},
            {"--class", "light", "--guidance", "2"}
        }) {
            List<Object> words = new ArrayList<>(
                    List.of("inpaint", "--model", pixels, "--input", small, "--mask", half, "--steps", 6));
            words.addAll(List.of(more));
            Picture after = run(words.toArray());
            int changed = 0;
            for (int i = 0; i < 64; i++) {
                if (i % 8 < 4) {
                    assertThat(after.data()[i]).as("%s, pixel %d", more[0], i).isEqualTo(before.data()[i]);
                } else {
                    changed += after.data()[i] != before.data()[i] ? 1 : 0;
                }
            }
            assertThat(changed).as(more[0]).isGreaterThan(16);
        }
    }

    @Test
    void theLessStrengthTheMoreOfThePictureIsLeft() {
        Picture before = Images.read(small, 1);
        double last = 0;
        for (double strength : new double[] {0.1, 0.5, 1}) {
            Picture after = run(
                    "img2img", "--model", pixels, "--input", small, "--steps", 20, "--strength", strength, "--seed", 4);
            assertThat(distance(before, after)).isGreaterThan(last);
            last = distance(before, after);
        }
        Picture photographed = Images.read(photo, 3);
        Picture again = run("img2img", "--model", pixels, "--input", photo, "--steps", 2);
        assertThat(again.height()).isEqualTo(8);
        assertThat(run("img2img", "--model", latents, "--input", photo, "--steps", 3)
                        .width())
                .isEqualTo(photographed.width() - 1); // a multiple of 2
    }

    @Test
    void textModelsPutTheOldPartBackIfAsked() {
        Picture made = run("inpaint", "--model", latents, "--input", photo, "--mask", spot, "--steps", 3);
        Picture overlaid =
                run("inpaint", "--model", latents, "--input", photo, "--mask", spot, "--steps", 3, "--overlay");
        Picture before = diffusion.io.Resampler.resize(
                Images.read(photo, 3), made.height(), made.width(), diffusion.io.Resampler.Filter.LANCZOS);
        int middle = 9 * 24 + 12;
        assertThat(overlaid.data()[0]).isEqualTo(before.data()[0]).isNotEqualTo(made.data()[0]);
        assertThat(overlaid.data()[middle]).isEqualTo(made.data()[middle]);
        Picture nine = run("inpaint", "--model", inpainting, "--input", photo, "--mask", spot, "--steps", 3);
        assertThat(nine).isNotEqualTo(made);
        Picture wider = run(
                "inpaint", "--model", inpainting, "--input", photo, "--expand", "4,0,7,2", "--steps", 2, "--overlay");
        assertThat(List.of(wider.width(), wider.height())).containsExactly(36, 20);
        assertThat(wider.data()[36 * 5 + 4]).isEqualTo(Images.read(photo, 3).data()[25 * 5]);
    }

    @Test
    void aFigureShowsBeforeAndAfterAndTheFileSaysWhatItWasMadeFrom() {
        Path show = folder.resolve("show.png");
        Path out = folder.resolve("told.png");
        Path gif = folder.resolve("told.gif");
        Cli.Result result = Cli.run(
                "inpaint",
                "--model",
                pixels,
                "--input",
                small,
                "--mask",
                half,
                "--steps",
                3,
                "-n",
                2,
                "--show",
                show,
                "--animate",
                gif,
                "--out",
                out);
        assertThat(result.status()).as(result.err()).isZero();
        // 8 pixels are enlarged 16 times; input, mask and two results, in a row with gaps of 8
        assertThat(Images.read(show, 3).width()).isEqualTo(8 + 4 * (128 + 8));
        assertThat(gif).exists();
        assertThat(Images.readText(out).get("parameters"))
                .contains("Denoising strength: 1.0", "Input: small.png", "Sampler: RePaintScheduler");
        Cli.run("sample", "--from", out).assertOneLine(2, "--from", "small.png");
    }

    @Test
    void upscalersThatFollowATextEnlargeByTheirOwnFactor() {
        Path upscaler = folder.resolve("upscaler");
        TinyStableDiffusion.write(upscaler, Golden.read("edit_upscale"));
        Object[] words = {"upscale", "--model", upscaler, "--input", photo, "--steps", 2, "--noise-level", 3};
        Picture plain = run(words);
        assertThat(List.of(plain.width(), plain.height())).containsExactly(48, 36);
        List<Object> told = new ArrayList<>(List.of(words));
        told.addAll(List.of("--prompt", "a white cat"));
        assertThat(run(told.toArray())).isNotEqualTo(plain);
        Cli.run("upscale", "--model", upscaler, "--input", photo, "--noise-level", 30)
                .assertOneLine(1, "--noise-level", "0 to 29");
        Cli.run("upscale", "--model", upscaler, "--input", photo, "--scale", 3).assertOneLine(2, "--scale", "2", "3");
        for (String option : new String[] {"--sigma", "--average", "--repeats"}) {
            Cli.run("upscale", "--model", upscaler, "--input", photo, option, 3)
                    .assertOneLine(2, option, "expected a model of pixels");
        }
        Cli.run("upscale", "--model", latents, "--input", photo).assertOneLine(1, "makes or changes pictures");
        Cli.run("upscale", "--model", pixels, "--input", small, "--scale", 2, "--prompt", "x")
                .assertOneLine(2, "follows no text");
        Cli.run("upscale", "--model", pixels, "--input", small).assertOneLine(2, "--scale");
    }

    @Test
    void saysWhatIsWrongInOneLine() throws IOException {
        Path broken = Files.writeString(folder.resolve("broken.png"), "no picture");
        Path out = folder.resolve("never.png");
        Object[][] wrong = {
            {1, "broken.png", "img2img", "--model", pixels, "--input", broken},
            {2, "--input", "img2img", "--model", pixels},
            {1, "--strength", "img2img", "--model", pixels, "--input", small, "--strength", 0},
            {1, "less than one step", "img2img", "--model", pixels, "--input", small, "--strength", 0.01},
            {2, "--mask", "inpaint", "--model", pixels, "--input", small},
            {2, "found none", "inpaint", "--model", pixels, "--input", small, "--expand", "0,0,0,0"},
            {2, "--expand", "inpaint", "--model", pixels, "--input", small, "--expand", "1,2"},
            {
                2,
                "RePaint",
                "inpaint",
                "--model",
                pixels,
                "--input",
                small,
                "--mask",
                half,
                "--scheduler",
                "repaint",
                "--strength",
                0.5
            },
            {1, "--jump-length", "inpaint", "--model", pixels, "--input", small, "--mask", half, "--jump-length", 0},
            {
                1,
                "RePaintScheduler",
                "inpaint",
                "--model",
                latents,
                "--input",
                photo,
                "--mask",
                spot,
                "--scheduler",
                "repaint"
            },
            {1, "RePaintScheduler", "img2img", "--model", pixels, "--input", small, "--scheduler", "repaint"},
            {
                1,
                "DDIMInverseScheduler",
                "inpaint",
                "--model",
                pixels,
                "--input",
                small,
                "--mask",
                half,
                "--scheduler",
                "ddim_inverse"
            },
            {1, "DPMSolverMultistepInverseScheduler", "sample", "--model", pixels, "--scheduler", "dpmsolver++_inverse"
            },
            {1, "DDIMInverseScheduler", "sample", "--model", latents, "--prompt", "x", "--scheduler", "ddim_inverse"},
            {2, "--jump-samples", "inpaint", "--model", latents, "--input", photo, "--mask", spot, "--jump-samples", 3},
            {
                2,
                "--jump-length",
                "inpaint",
                "--model",
                pixels,
                "--input",
                small,
                "--mask",
                half,
                "--jump-length",
                3,
                "--scheduler",
                "ddim"
            },
            {
                2,
                "--jump-length",
                "inpaint",
                "--model",
                pixels,
                "--input",
                small,
                "--mask",
                half,
                "--jump-length",
                3,
                "--strength",
                0.5
            },
            {2, "--plain-prompt", "img2img", "--model", pixels, "--input", small, "--plain-prompt"},
            {2, "--refiner", "img2img", "--model", pixels, "--input", small, "--high-noise-fraction", 0.5},
            {1, "inpaint", "img2img", "--model", inpainting, "--input", photo},
            {1, "inpaint", "sample", "--model", inpainting, "--prompt", "x"},
            {2, "no text", "img2img", "--model", pixels, "--input", small, "--prompt", "x"},
            {1, "folder.png", "img2img", "--model", pixels, "--input", small, "--show", folder.resolve("no/folder.png")}
        };
        List<Path> before = Cli.files(folder);
        for (Object[] words : wrong) {
            List<Object> line = new ArrayList<>(List.of(words).subList(2, words.length));
            line.addAll(List.of("--out", out));
            Cli.run(line.toArray()).assertOneLine((int) words[0], words[1].toString());
        }
        assertThat(Cli.files(folder)).isEqualTo(before);
    }
}
