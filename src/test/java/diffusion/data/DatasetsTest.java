package diffusion.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Picture;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.net.URI;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.zip.GZIPOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class DatasetsTest {
    @TempDir
    Path folder;

    /** The bytes of an IDX file of n pictures of side x side, picture i filled with i, or of labels i. */
    private static byte[] idx(int magic, int n, int side, int label) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        DataOutputStream out = new DataOutputStream(bytes);
        out.writeInt(magic);
        out.writeInt(n);
        if (magic == 0x803) {
            out.writeInt(side);
            out.writeInt(side);
        }
        for (int i = 0; i < n; i++) {
            byte[] one = new byte[magic == 0x803 ? side * side : 1];
            Arrays.fill(one, (byte) (magic == 0x803 ? i + 100 : label + i));
            out.write(one);
        }
        return bytes.toByteArray();
    }

    private static byte[] gzip(byte[] bytes) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try (GZIPOutputStream gzip = new GZIPOutputStream(out)) {
            gzip.write(bytes);
        }
        return out.toByteArray();
    }

    private Path mnist(int label) throws IOException {
        Files.write(folder.resolve("train-images-idx3-ubyte.gz"), gzip(idx(0x803, 3, 28, 0)));
        Files.write(folder.resolve("train-labels-idx1-ubyte.gz"), gzip(idx(0x801, 3, 0, label)));
        return folder;
    }

    private void fails(Split split, int size, String... parts) {
        assertThatThrownBy(() -> Datasets.open(folder, split, size, 0))
                .isInstanceOf(DiffusionException.class)
                .message()
                .contains(parts)
                .doesNotContain("\n");
    }

    @Test
    void mnistIsPaddedNotResized() throws IOException {
        Dataset data = Datasets.open(mnist(5), Split.TRAIN, 32, 0);
        assertThat(data.size()).isEqualTo(3);
        assertThat(data.shape()).containsExactly(1, 32, 32);
        assertThat(data.label(2)).isEqualTo(7);
        assertThat(data.classNames()).hasSize(10).startsWith("0");
        float[] out = new float[32 * 32];
        data.read(1, out);
        assertThat(out[32 + 16]).isEqualTo(-1);
        assertThat(out[2 * 32 + 2]).isEqualTo(Picture.toModel((byte) 101));
        Dataset rgb = Datasets.open(folder.resolve("train-images-idx3-ubyte.gz"), Split.TRAIN, 0, 3);
        assertThat(rgb.shape()).containsExactly(3, 28, 28);
        assertThatThrownBy(() -> Datasets.open(folder.resolve("train-images-idx3-ubyte.gz"), Split.TEST, 0, 0))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("a single file")
                .hasMessageContaining("expected the folder");
    }

    @Test
    void damagedMnistIsOneLine() throws IOException {
        mnist(8);
        fails(Split.TRAIN, 0, "label 10", "expected 0 to 9");
        Path images = mnist(0).resolve("train-images-idx3-ubyte.gz");
        byte[] whole = Files.readAllBytes(images);
        Files.write(images, Arrays.copyOf(whole, whole.length - 12));
        fails(Split.TRAIN, 0, "truncated");
        Files.write(images, gzip(idx(0x803, 4, 28, 0)));
        fails(Split.TRAIN, 0, "has 3 labels, expected 4");
        Files.write(images, gzip(Arrays.copyOf(idx(0x803, 3, 28, 0), 1000)));
        fails(Split.TRAIN, 0, "ends after 1 of 3 pictures");
        Files.write(images, gzip(idx(0x801, 3, 28, 0)));
        fails(Split.TRAIN, 0, "0x00000801", "0x00000803");
        Files.write(images, new byte[] {0x1f, (byte) 0x8b, 1, 2, 3});
        fails(Split.TRAIN, 0, "train-images");
        Files.write(images, gzip(new byte[] {0, 0, 8, 3, -1, -1, -1, -1, 0, 0, 0, 28, 0, 0, 0, 28}));
        fails(Split.TRAIN, 0, "4294967295");
        Files.write(images, gzip(new byte[] {0, 0, 8, 3, 127, -1, -1, -1, 0, 0, 16, 0, 0, 0, 16, 0}));
        fails(Split.TRAIN, 0, "truncated");
        fails(Split.TEST, 0, "no test data");
    }

    @Test
    void cifarRecordsAreLabelThenPlanes() throws IOException {
        byte[] batch = new byte[2 * 3073];
        batch[3073] = 9;
        batch[3073 + 1 + 1024] = (byte) 255;
        Path single = Files.write(folder.resolve("data_batch_1.bin"), batch);
        assertThatThrownBy(() -> Datasets.open(single, Split.TEST, 0, 0)).hasMessageContaining("a single file");
        Dataset data = Datasets.open(folder, Split.TRAIN, 0, 0);
        assertThat(data.shape()).containsExactly(3, 32, 32);
        assertThat(data.classNames().get(data.label(1))).isEqualTo("truck");
        float[] out = new float[3072];
        data.read(1, out);
        assertThat(out[1024]).isEqualTo(1);
        assertThat(out[1023]).isEqualTo(-1);
        batch[0] = 10;
        Files.write(folder.resolve("data_batch_1.bin"), batch);
        fails(Split.TRAIN, 0, "label 10");
        Files.write(folder.resolve("data_batch_1.bin"), Arrays.copyOf(batch, 4000));
        fails(Split.TRAIN, 0, "4000 bytes", "3073");
    }

    private static void picture(Path file, int width, int height, int value) throws IOException {
        byte[] data = new byte[3 * width * height];
        Arrays.fill(data, (byte) value);
        Files.createDirectories(file.getParent());
        Files.write(file, Images.encodePng(new Picture(3, height, width, data).toImage(), Map.of()));
    }

    private static void classes(Path root) throws IOException {
        picture(root.resolve("train/cat/1.png"), 8, 8, 10);
        picture(root.resolve("train/dog/1.PNG"), 12, 8, 20);
        picture(root.resolve("test/cat/1.png"), 8, 8, 30);
    }

    @Test
    void classFoldersAndZipsOfThemReadAlike() throws IOException {
        classes(folder.resolve("plain"));
        Path zip = folder.resolve("a.zip");
        try (FileSystem fs = FileSystems.newFileSystem(URI.create("jar:" + zip.toUri()), Map.of("create", "true"))) {
            classes(fs.getPath("/pets"));
        }
        for (Path path : new Path[] {folder.resolve("plain"), zip}) {
            Dataset data = Datasets.open(path, Split.TRAIN, 6, 0);
            assertThat(data.classNames()).containsExactly("cat", "dog");
            assertThat(data.shape()).containsExactly(3, 6, 6);
            float[] out = new float[3 * 36];
            data.read(1, out);
            assertThat(out).containsOnly(Picture.toModel((byte) 20));
            assertThat(data.label(1)).isEqualTo(1);
            assertThat(Datasets.open(path, Split.TEST, 0, 1).shape()).containsExactly(1, 8, 8);
        }
    }

    @Test
    void badFoldersAreOneLine() throws IOException {
        fails(Split.TRAIN, 0, "no train data", "expected MNIST");
        classes(folder);
        fails(Split.TRAIN, 0, "different sizes", "8 x 8", "12 x 8");
        byte[] png = Files.readAllBytes(folder.resolve("train/cat/1.png"));
        Files.write(folder.resolve("train/cat/2.jpg"), Arrays.copyOf(png, 50));
        fails(Split.TRAIN, 8, "2.jpg", "PNG or JPEG");
        Files.delete(folder.resolve("train/cat/2.jpg"));
        Files.createDirectory(folder.resolve("train/empty"));
        fails(Split.TRAIN, 8, "class folder empty");
        Path text = Files.writeString(folder.resolve("a.bin"), "hello");
        assertThatThrownBy(() -> Datasets.open(text, Split.TRAIN, 0, 0)).hasMessageContaining("no known kind");
        Path zip = Files.writeString(folder.resolve("b.zip"), "PK\003\004 but no more");
        assertThatThrownBy(() -> Datasets.open(zip, Split.TRAIN, 0, 0)).isInstanceOf(DiffusionException.class);
        assertThatThrownBy(() -> Datasets.open(folder.resolve("none"), Split.TRAIN, 0, 0))
                .hasMessageContaining("no such file");
    }
}
