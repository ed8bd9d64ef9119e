package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.Color;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import javax.imageio.ImageIO;
import javax.imageio.ImageReader;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ImagesTest {
    @TempDir
    Path folder;

    private static Picture ramp(int channels, int height, int width) {
        byte[] data = new byte[channels * height * width];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (i * 7);
        }
        return new Picture(channels, height, width, data);
    }

    @Test
    void pngKeepsEveryPixelAndText() {
        for (int channels : new int[] {1, 3}) {
            Path path = folder.resolve(channels + ".png");
            Map<String, String> text =
                    Map.of("parameters", "Steps: 5, Seed: 1\nsecond line", "note", "\u03b5-prediction");
            Images.writePng(path, ramp(channels, 5, 7), text);
            assertThat(Images.read(path, 0)).isEqualTo(ramp(channels, 5, 7));
            assertThat(Images.readText(path)).isEqualTo(text);
        }
    }

    @Test
    void alphaIsDroppedAndGreyIsNotBrightened() throws IOException {
        BufferedImage image = new BufferedImage(1, 1, BufferedImage.TYPE_INT_ARGB);
        image.setRGB(0, 0, 0x40102030);
        ImageIO.write(image, "png", folder.resolve("a.png").toFile());
        assertThat(Images.read(folder.resolve("a.png"), 3).data()).containsExactly(0x10, 0x20, 0x30);
        Picture grey = new Picture(1, 1, 1, new byte[] {100});
        assertThat(grey.withChannels(3).data()).containsExactly(100, 100, 100);
        assertThat(Grid.compose(List.of(grey), List.of()).getRGB(8, 8) & 0xff).isEqualTo(100);
    }

    @Test
    void bytesRoundHalfToEvenAsNumpyDoes() {
        // x / 2 + 0.5 = 0.5 gives 127.5, which goes to the even 128.
        assertThat(Picture.toByte(0f)).isEqualTo((byte) 128);
        assertThat(Picture.toByte(-7f)).isEqualTo((byte) 0);
        assertThat(Picture.toByte(7f)).isEqualTo((byte) 255);
        assertThat(Picture.toByte(Float.NaN)).isEqualTo((byte) 0);
        for (int i = 0; i < 256; i++) {
            assertThat(Picture.toByte(Picture.toModel((byte) i))).isEqualTo((byte) i);
        }
    }

    @Test
    void gifHoldsEveryFrameWithItsDelay() throws IOException {
        Path path = folder.resolve("a.gif");
        List<BufferedImage> frames = IntStream.range(0, 3)
                .mapToObj(i -> new Picture(1, 4, 4, filled(16, i * 100)).toImage())
                .toList();
        Gif.write(path, frames, 50, 2000);
        ImageReader reader = ImageIO.getImageReadersByFormatName("gif").next();
        try (var in = ImageIO.createImageInputStream(path.toFile())) {
            reader.setInput(in);
            assertThat(reader.getNumImages(true)).isEqualTo(3);
            for (int i = 0; i < 3; i++) {
                assertThat(new Color(reader.read(i).getRGB(0, 0)).getBlue()).isEqualTo(i * 100);
                var tree = reader.getImageMetadata(i).getAsTree("javax_imageio_gif_image_1.0");
                var nodes =
                        ((javax.imageio.metadata.IIOMetadataNode) tree).getElementsByTagName("GraphicControlExtension");
                assertThat(((org.w3c.dom.Element) nodes.item(0)).getAttribute("delayTime"))
                        .isEqualTo(i == 2 ? "200" : "5");
            }
        }
        assertThat(new String(Files.readAllBytes(path), java.nio.charset.StandardCharsets.ISO_8859_1))
                .contains("NETSCAPE2.0");
    }

    private static byte[] filled(int n, int value) {
        byte[] data = new byte[n];
        java.util.Arrays.fill(data, (byte) value);
        return data;
    }

    @Test
    void gridEnlargesSmallPictures() {
        assertThat(IntStream.of(1, 28, 32, 64, 65, 512).map(Grid::scale)).containsExactly(128, 4, 4, 2, 1, 1);
        BufferedImage grid = Grid.compose(
                Collections.nCopies(5, ramp(1, 28, 28)), List.of("0", "1", "2", "3", "a label that is far too long"));
        assertThat(grid.getWidth()).isEqualTo(8 + 3 * (112 + 8));
        assertThat(grid.getHeight()).isEqualTo(8 + 2 * (112 + 22 + 8));
    }

    @Test
    void resizingAFlatPictureKeepsItFlatAndPaddingCentres() {
        Picture flat = new Picture(3, 9, 17, filled(3 * 9 * 17, 77));
        assertThat(flat.fit(4)).isEqualTo(new Picture(3, 4, 4, filled(48, 77)));
        assertThat(flat.fit(20)).isEqualTo(new Picture(3, 20, 20, filled(1200, 77)));
        Picture padded = new Picture(1, 1, 1, new byte[] {5}).pad(3);
        assertThat(padded.data()).containsExactly(0, 0, 0, 0, 5, 0, 0, 0, 0);
        // Halving averages with triangle weights: [0 80] of the row 0 0 80 80 becomes 1/8 and 7/8 of the step.
        Picture step = new Picture(1, 2, 4, new byte[] {0, 0, 80, 80, 0, 0, 80, 80});
        assertThat(Resampler.resize(step, 2, 2, Resampler.Filter.BILINEAR).data())
                .containsExactly(11, 69, 11, 69);
    }

    @Test
    void parametersReadLikeThoseOfOtherTools() {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("Steps", 20);
        fields.put("Sampler", "DDIM");
        fields.put("Model", "a, b");
        assertThat(Images.parameters("seven", "eight", fields))
                .isEqualTo("seven\nNegative prompt: eight\nSteps: 20, Sampler: DDIM, Model: \"a, b\"");
    }

    @Test
    void whatIsNotAPictureIsOneLine() throws IOException {
        Path path = folder.resolve("a.png");
        Images.writePng(path, ramp(3, 20, 20), Map.of());
        byte[] png = Files.readAllBytes(path);
        for (byte[] bytes : List.of(
                new byte[0],
                "hello".getBytes(java.nio.charset.StandardCharsets.UTF_8),
                java.util.Arrays.copyOf(png, 60))) {
            Files.write(path, bytes);
            assertThatThrownBy(() -> Images.read(path, 3))
                    .isInstanceOf(DiffusionException.class)
                    .message()
                    .contains("a.png", "PNG or JPEG")
                    .doesNotContain("\n");
        }
        assertThatThrownBy(() -> Images.read(folder.resolve("none.png"), 3)).hasMessageContaining("no such file");
    }
}
