package diffusion.data;

import diffusion.io.DiffusionException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.FileSystem;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/** Opens a data set of any supported kind, recognised by content. */
public final class Datasets {
    private static final String EXPECTED = "expected MNIST IDX files (.gz or not), CIFAR-10 binary batches,"
            + " a folder of class folders with PNG or JPEG files, or a zip of such a folder";

    private Datasets() {}

    /**
     * Reads a data set into memory.
     *
     * @param path an IDX or CIFAR-10 binary file, a zip file, or a folder of any of these or of class folders
     * @param size pictures become squares of this many pixels: MNIST is padded (28 to 32), others are resized and cropped
     *     to the centre; 0 keeps their size
     * @param channels 1 or 3; 0 keeps their number
     * @throws DiffusionException when the files are missing, damaged or of no known kind, or when test pictures are wanted of
     *     a single file, which has one part only
     */
    public static Dataset open(Path path, Split split, int size, int channels) {
        if (size < 0 || size > 4096 || (channels != 0 && channels != 1 && channels != 3)) {
            throw new DiffusionException("found size " + size + " and " + channels
                    + " channels, expected a size of 0 to 4096 and 0, 1 or 3 channels");
        }
        try {
            if (Files.isDirectory(path)) {
                return openFolder(path, split, size, channels);
            }
            if (!Files.exists(path)) {
                throw new DiffusionException("no such file or folder: " + path + "; " + EXPECTED);
            }
            return openFile(path, split, size, channels);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; " + EXPECTED, e);
        }
    }

    private static Dataset openFolder(Path folder, Split split, int size, int channels) throws IOException {
        if (Idx.find(folder, split) != null) {
            return Idx.open(folder, split, size, channels);
        }
        List<Path> batches = Cifar10.find(folder, split);
        if (!batches.isEmpty()) {
            return Cifar10.open(folder, batches, size, channels);
        }
        if (ImageFolder.accepts(folder)) {
            return ImageFolder.open(folder, folder.toString(), split, size, channels);
        }
        try (Stream<Path> files = Files.list(folder)) {
            List<Path> zips = files.filter(
                            file -> file.toString().toLowerCase(Locale.ROOT).endsWith(".zip"))
                    .toList();
            if (zips.size() == 1) {
                return openZip(zips.getFirst(), split, size, channels);
            }
        }
        throw new DiffusionException("no " + split.folder() + " data in folder " + folder + "; " + EXPECTED);
    }

    private static Dataset openFile(Path file, Split split, int size, int channels) throws IOException {
        byte[] start;
        try (InputStream in = Files.newInputStream(file)) {
            start = in.readNBytes(4);
        }
        if (start.length == 4 && start[0] == 'P' && start[1] == 'K') {
            return openZip(file, split, size, channels);
        }
        boolean gzip = start.length >= 2 && start[0] == 0x1f && start[1] == (byte) 0x8b;
        boolean idx = gzip || (start.length == 4 && start[0] == 0 && start[1] == 0 && start[2] == 8);
        if (!idx && !Cifar10.accepts(file)) {
            throw new DiffusionException(file + " is of no known kind; " + EXPECTED);
        }
        if (split == Split.TEST) {
            throw new DiffusionException(file + " is a single file, whose pictures cannot be both for training and for"
                    + " tests; expected the folder with the files of both");
        }
        return idx ? Idx.openFile(file, size, channels) : Cifar10.open(file, List.of(file), size, channels);
    }

    private static Dataset openZip(Path file, Split split, int size, int channels) throws IOException {
        try (FileSystem zip = FileSystems.newFileSystem(file)) {
            Path root = zip.getPath("/");
            // Archives of a folder usually hold that one folder at their root.
            while (true) {
                List<Path> children = ImageFolder.children(root);
                boolean single = children.size() == 1 && Files.isDirectory(children.getFirst());
                if (!single || ImageFolder.isSplit(children.getFirst())) {
                    break;
                }
                root = children.getFirst();
            }
            if (!ImageFolder.accepts(root)) {
                throw new DiffusionException(file + " has no class folders with PNG or JPEG files; " + EXPECTED);
            }
            return ImageFolder.open(root, file.toString(), split, size, channels);
        }
    }
}
