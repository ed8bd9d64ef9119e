package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.awt.image.BufferedImage;
import java.awt.image.IndexColorModel;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.Arrays;
import java.util.Base64;
import javax.imageio.ImageIO;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pictures as they come: of any depth, colour model, orientation and shape, and damaged ones. */
class OddPicturesTest {
    /** 16 x 8, left (255, 0, 0, 0), right (0, 200, 100, 50); written by Pillow, inverted as Adobe's are. */
    private static final String CMYK =
            "/9j/7gAOQWRvYmUAZAAAAAAA/9sAQwACAQEBAQECAQEBAgICAgIEAwICAgIFBAQDBAYFBgYGBQYGBgcJCAYHCQcGBggLCAkKCgoKCgYICwwLCgwJ"
                    + "CgoK/8AAFAgACAAQBEMRAE0RAFkRAEsRAP/EAB8AAAEFAQEBAQEBAAAAAAAAAAABAgMEBQYHCAkKC//EALUQAAIBAwMCBAMFBQQEAAABfQECAwAE"
                    + "EQUSITFBBhNRYQcicRQygZGhCCNCscEVUtHwJDNicoIJChYXGBkaJSYnKCkqNDU2Nzg5OkNERUZHSElKU1RVVldYWVpjZGVmZ2hpanN0dXZ3eHl6"
                    + "g4SFhoeIiYqSk5SVlpeYmZqio6Slpqeoqaqys7S1tre4ubrCw8TFxsfIycrS09TV1tfY2drh4uPk5ebn6Onq8fLz9PX29/j5+v/aAA4EQwBNAFkA"
                    + "SwAAPwD+f+v38r9/K/fyv7/K/jfr8b6+N6//2Q==";

    private static byte[] encoded(BufferedImage image, String format) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        assertThat(ImageIO.write(image, format, out)).isTrue();
        return out.toByteArray();
    }

    private static Picture read(byte[] bytes) {
        return Images.decode(bytes, "odd", 0);
    }

    @Test
    void sixteenBitsAreCutToEight() throws IOException {
        BufferedImage grey = new BufferedImage(2, 1, BufferedImage.TYPE_USHORT_GRAY);
        grey.getRaster().setSample(0, 0, 0, 0x12ff);
        grey.getRaster().setSample(1, 0, 0, 0xfe01);
        Picture picture = read(encoded(grey, "png"));
        assertThat(picture.channels()).isEqualTo(1);
        assertThat(picture.data()).containsExactly(0x12, (byte) 0xfe);
    }

    /** JPEG lets any number of bytes FF stand before a marker. */
    @Test
    void bytesThatFillUpBeforeMarkersArePassedOver() throws IOException {
        byte[] plain = encoded(new BufferedImage(9, 7, BufferedImage.TYPE_BYTE_GRAY), "jpg");
        ByteArrayOutputStream filled = new ByteArrayOutputStream();
        filled.write(plain, 0, 2);
        int at = 2;
        boolean data = false;
        while (!data) {
            data = plain[at + 1] == (byte) 0xda;
            int length = 2 + ((plain[at + 2] & 0xff) << 8 | plain[at + 3] & 0xff);
            filled.write(new byte[] {-1, -1, -1});
            filled.write(plain, at, length);
            at += length;
        }
        filled.write(plain, at, plain.length - at);
        assertThat(read(filled.toByteArray())).isEqualTo(read(plain));
    }

    @Test
    void palettesBecomeColours() throws IOException {
        byte[] red = {10, 0};
        byte[] green = {20, 100};
        byte[] blue = {30, 50};
        BufferedImage image =
                new BufferedImage(9, 2, BufferedImage.TYPE_BYTE_BINARY, new IndexColorModel(1, 2, red, green, blue));
        image.getRaster().setSample(8, 1, 0, 1);
        Picture picture = read(encoded(image, "png"));
        assertThat(picture.channels()).isEqualTo(3);
        assertThat(picture.data()[0]).isEqualTo((byte) 10);
        assertThat(new byte[] {picture.data()[17], picture.data()[35], picture.data()[53]})
                .containsExactly(0, 100, 50);
    }

    @Test
    void alphaIsDropped() throws IOException {
        BufferedImage image = new BufferedImage(1, 1, BufferedImage.TYPE_4BYTE_ABGR);
        image.setRGB(0, 0, 0x01f08010);
        assertThat(read(encoded(image, "png")).data()).containsExactly((byte) 0xf0, (byte) 0x80, 0x10);
    }

    @Test
    void narrowAndTinyPicturesAreReadAndResized() throws IOException {
        BufferedImage narrow = new BufferedImage(4096, 3, BufferedImage.TYPE_INT_RGB);
        narrow.setRGB(4095, 2, 0xffffff);
        for (String format : new String[] {"png", "jpg"}) {
            Picture picture = read(encoded(narrow, format));
            assertThat(picture.width()).isEqualTo(4096);
            assertThat(Resampler.resize(picture, 8, 4096, Resampler.Filter.LANCZOS)
                            .height())
                    .isEqualTo(8);
            Picture dot = read(encoded(new BufferedImage(1, 1, BufferedImage.TYPE_INT_RGB), format));
            assertThat(Resampler.resize(dot, 8, 8, Resampler.Filter.LANCZOS).data())
                    .hasSize(192);
        }
    }

    @Test
    void cmykBecomesTheColoursThatPillowMakesOfIt() {
        Picture picture = read(Base64.getDecoder().decode(CMYK));
        int[][] expected = {{0, 255, 255}, {205, 44, 125}};
        for (int side = 0; side < 2; side++) {
            for (int c = 0; c < 3; c++) {
                int level = picture.data()[c * 128 + 4 * 16 + (side == 0 ? 2 : 13)] & 0xff;
                assertThat(level).isBetween(expected[side][c] - 3, expected[side][c] + 3);
            }
        }
    }

    /** Where the bright quarter of the upper left is, once the picture is upright: row and column, 0 or 1. */
    @ParameterizedTest
    @CsvSource({"1,0,0", "2,0,1", "3,1,1", "4,1,0", "5,0,0", "6,0,1", "7,1,1", "8,1,0", "9,0,0"})
    void picturesAreTurnedUpright(int orientation, int row, int column) throws IOException {
        BufferedImage image = new BufferedImage(32, 16, BufferedImage.TYPE_INT_RGB);
        for (int i = 0; i < 16 * 8; i++) {
            image.setRGB(i % 16, i / 16, 0xffffff);
        }
        byte[] jpeg = encoded(image, "jpg");
        byte[] exif = {
            (byte) 0xff,
            (byte) 0xe1,
            0,
            34,
            'E',
            'x',
            'i',
            'f',
            0,
            0, // a segment of 34 bytes
            'I',
            'I',
            42,
            0,
            8,
            0,
            0,
            0, // little endian, the first directory at 8
            1,
            0,
            0x12,
            0x01,
            3,
            0,
            1,
            0,
            0,
            0,
            (byte) orientation,
            0,
            0,
            0, // one entry: orientation, a short
            0,
            0,
            0,
            0
        };
        byte[] all = new byte[jpeg.length + exif.length];
        System.arraycopy(jpeg, 0, all, 0, 2);
        System.arraycopy(exif, 0, all, 2, exif.length);
        System.arraycopy(jpeg, 2, all, 2 + exif.length, jpeg.length - 2);
        Picture picture = read(all);
        boolean lying = orientation >= 5 && orientation <= 8;
        assertThat(picture.width()).isEqualTo(lying ? 16 : 32);
        assertThat(picture.height()).isEqualTo(lying ? 32 : 16);
        for (int i = 0; i < 4; i++) {
            int y = (1 + 2 * (i / 2)) * picture.height() / 4;
            int x = (1 + 2 * (i % 2)) * picture.width() / 4;
            boolean bright = (picture.data()[y * picture.width() + x] & 0xff) > 128;
            assertThat(bright).as("quarter %d", i).isEqualTo(i == 2 * row + column);
        }
    }

    @Test
    void everyOrientationAndItsOppositeGiveThePictureBack() {
        Picture picture =
                new Picture(3, 2, 3, new byte[] {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18});
        int[] opposite = {0, 1, 2, 3, 4, 5, 8, 7, 6};
        for (int i = 1; i <= 8; i++) {
            assertThat(picture.upright(i).upright(opposite[i])).isEqualTo(picture);
        }
        assertThat(picture.upright(6).data()).startsWith(4, 1, 5, 2, 6, 3);
    }

    @Test
    void damagedPicturesAreOneLine() throws IOException {
        BufferedImage noise = new BufferedImage(64, 64, BufferedImage.TYPE_INT_RGB);
        java.util.Random random = new java.util.Random(3);
        for (int i = 0; i < 4096; i++) {
            noise.setRGB(i % 64, i / 64, random.nextInt());
        }
        for (String format : new String[] {"png", "jpg"}) {
            byte[] whole = encoded(noise, format);
            for (double part : new double[] {0.01, 0.2, 0.6, 0.95}) {
                byte[] cut = Arrays.copyOf(whole, (int) (whole.length * part));
                assertThatThrownBy(() -> read(cut))
                        .as("%s, %s of it", format, part)
                        .isInstanceOf(DiffusionException.class)
                        .message()
                        .startsWith("cannot read odd")
                        .doesNotContain("\n");
            }
        }
    }
}
