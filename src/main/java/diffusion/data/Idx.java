package diffusion.data;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import java.io.BufferedInputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.IntStream;
import java.util.zip.GZIPInputStream;
import java.util.zip.ZipException;
import org.jspecify.annotations.Nullable;

/** MNIST and Fashion-MNIST in their IDX files (Y. LeCun, C. Cortes, C. Burges: the MNIST database). */
final class Idx {
    private static final int IMAGES = 0x803;
    private static final int LABELS = 0x801;
    private static final int MAX_SIDE = 4096;

    /** A difference of this many pixels is a border to add; more is an enlargement. */
    private static final int MAX_PADDING = 8;

    private static final List<String> FASHION = List.of(
            "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot");
    private static final List<String> DIGITS =
            IntStream.range(0, 10).mapToObj(Integer::toString).toList();

    private Idx() {}

    /** The file of pictures of a split in a folder, or null. */
    static @Nullable Path find(Path folder, Split split) {
        String prefix = split == Split.TRAIN ? "train" : "t10k";
        for (String suffix : List.of(".gz", "")) {
            for (String name : List.of("-images-idx3-ubyte", "-images.idx3-ubyte")) {
                Path file = folder.resolve(prefix + name + suffix);
                if (Files.isRegularFile(file)) {
                    return file;
                }
            }
        }
        return null;
    }

    static Dataset open(Path folder, Split split, int size, int channels) {
        Path file = find(folder, split);
        if (file == null) {
            throw new DiffusionException("no IDX files in " + folder);
        }
        return openFile(file, size, channels);
    }

    /** Opens a file of pictures with the file of labels beside it. */
    static Dataset openFile(Path images, int size, int channels) {
        List<Picture> pictures = readImages(images, size, channels);
        String name = images.getFileName().toString();
        Path labelFile = images.resolveSibling(name.replace("images", "labels").replace("idx3", "idx1"));
        if (labelFile.equals(images) || !Files.exists(labelFile)) {
            throw new DiffusionException(
                    "no labels for " + images + "; expected them in " + labelFile.getFileName() + " beside it");
        }
        int[] labels = readLabels(labelFile, pictures.size());
        boolean fashion =
                images.toAbsolutePath().toString().toLowerCase(Locale.ROOT).contains("fashion");
        return new MemoryDataset(images.toString(), pictures, labels, fashion ? FASHION : DIGITS);
    }

    private static List<Picture> readImages(Path file, int size, int channels) {
        return read(file, IMAGES, "pictures", (in, count) -> {
            int height = in.readInt();
            int width = in.readInt();
            if (height < 1 || height > MAX_SIDE || width < 1 || width > MAX_SIDE) {
                throw new DiffusionException(file + " has pictures of " + Integer.toUnsignedString(width) + " x "
                        + Integer.toUnsignedString(height) + " pixels, expected 1 to " + MAX_SIDE
                        + "; download it again");
            }
            List<Picture> pictures = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                byte[] data = in.readNBytes(height * width);
                if (data.length < height * width) {
                    throw new DiffusionException(file + " ends after " + i + " of " + count
                            + " pictures; it is truncated, download it again");
                }
                Picture picture = new Picture(1, height, width, data);
                pictures.add(toSize(picture, size).withChannels(channels == 0 ? 1 : channels));
            }
            return pictures;
        });
    }

    private static Picture toSize(Picture picture, int size) {
        int larger = Math.max(picture.width(), picture.height());
        if (size == 0) {
            return picture;
        }
        return size >= larger && size - larger <= MAX_PADDING ? picture.pad(size) : picture.fit(size);
    }

    private static int[] readLabels(Path file, int expected) {
        return read(file, LABELS, "labels", (in, count) -> {
            byte[] labels = in.readNBytes(Math.min(count, expected));
            if (count != expected || labels.length < count) {
                throw new DiffusionException(file + " has " + Math.min(count, labels.length) + " labels, expected "
                        + expected + ", one for each picture; download it again");
            }
            int[] out = new int[count];
            for (int i = 0; i < count; i++) {
                out[i] = labels[i] & 0xff;
                if (out[i] > 9) {
                    throw new DiffusionException(
                            file + " has label " + out[i] + " at " + i + ", expected 0 to 9; is it the right file?");
                }
            }
            return out;
        });
    }

    private interface Body<T> {
        T read(DataInputStream in, int count) throws IOException;
    }

    private static <T> T read(Path file, int magic, String what, Body<T> body) {
        try (DataInputStream in = new DataInputStream(new BufferedInputStream(decompress(file), 1 << 16))) {
            int found = in.readInt();
            if (found != magic) {
                throw new DiffusionException("%s starts with 0x%08x, expected 0x%08x for IDX %s; is it the right file?"
                        .formatted(file, found, magic, what));
            }
            int count = in.readInt();
            if (count < 0) {
                throw new DiffusionException(file + " claims " + Integer.toUnsignedString(count) + " " + what
                        + ", expected at most " + Integer.MAX_VALUE + "; download it again");
            }
            T result = body.read(in, count);
            if (in.read() >= 0) {
                throw new DiffusionException(
                        file + " goes on after its " + count + " " + what + "; it is damaged, download it again");
            }
            return result;
        } catch (EOFException e) {
            throw new DiffusionException(file + " is truncated, expected " + what + "; download it again", e);
        } catch (ZipException e) {
            throw new DiffusionException(
                    file + " is damaged (" + e.getMessage() + "), expected gzip; download it again", e);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + file + ": " + e.getMessage() + "; check the file", e);
        }
    }

    private static InputStream decompress(Path file) throws IOException {
        BufferedInputStream in = new BufferedInputStream(Files.newInputStream(file), 1 << 16);
        in.mark(2);
        boolean gzip = in.read() == 0x1f && in.read() == 0x8b;
        in.reset();
        try {
            return gzip ? new GZIPInputStream(in, 1 << 16) : in;
        } catch (IOException e) {
            in.close();
            throw e;
        }
    }
}
