package diffusion.data;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Picture;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.stream.Stream;

/**
 * Pictures in one folder per class, in sorted order, as torchvision's ImageFolder reads them.
 *
 * <p>The class folders may lie in {@code train} and {@code test} (or {@code val}); without these all of them are training
 * data. A folder of pictures alone is one class.
 */
final class ImageFolder {
    private static final List<String> SPLITS = List.of("train", "test", "val", "valid", "validation");

    private ImageFolder() {}

    private record Item(Path file, int label) {}

    /** Whether there are pictures in the folder, in its folders, or in theirs. */
    static boolean accepts(Path root) throws IOException {
        try (Stream<Path> tree = Files.walk(root, 3)) {
            return tree.anyMatch(ImageFolder::isPicture);
        }
    }

    static boolean isSplit(Path folder) {
        return SPLITS.contains(name(folder));
    }

    static Dataset open(Path root, String source, Split split, int size, int channels) throws IOException {
        Path base = splitFolder(root, source, split);
        List<Path> classes = children(base).stream().filter(Files::isDirectory).toList();
        List<String> classNames = new ArrayList<>();
        List<Item> items = new ArrayList<>();
        if (classes.isEmpty()) {
            classNames.add(base.getFileName() == null ? "pictures" : name(base));
            children(base).stream().filter(ImageFolder::isPicture).forEach(file -> items.add(new Item(file, 0)));
        }
        for (Path folder : classes) {
            int label = classNames.size();
            classNames.add(name(folder));
            int before = items.size();
            try (Stream<Path> tree = Files.walk(folder)) {
                tree.filter(ImageFolder::isPicture).sorted().forEach(file -> items.add(new Item(file, label)));
            }
            if (items.size() == before) {
                throw new DiffusionException("class folder " + name(folder) + " of " + source
                        + " has no PNG or JPEG files; fill or remove it");
            }
        }
        List<Picture> pictures = items.parallelStream()
                .map(item -> read(item.file(), source, size, channels))
                .toList();
        int[] labels = items.stream().mapToInt(Item::label).toArray();
        return new MemoryDataset(source, pictures, labels, classNames);
    }

    private static Path splitFolder(Path root, String source, Split split) throws IOException {
        List<Path> splits = children(root).stream()
                .filter(child -> Files.isDirectory(child) && isSplit(child))
                .toList();
        if (splits.isEmpty() && split == Split.TRAIN) {
            return root;
        }
        return splits.stream()
                .filter(folder -> name(folder).equals("train") == (split == Split.TRAIN))
                .findFirst()
                .orElseThrow(() -> new DiffusionException(source + " has no folder " + split.folder()
                        + "; expected train and test folders with a folder for each class"));
    }

    private static Picture read(Path file, String source, int size, int channels) {
        try {
            Picture picture = Images.decode(Files.readAllBytes(file), label(file, source), channels);
            return size == 0 ? picture : picture.fit(size);
        } catch (IOException e) {
            throw new DiffusionException(
                    "cannot read " + label(file, source) + ": " + e.getMessage() + "; check the file", e);
        }
    }

    private static String label(Path file, String source) {
        return file.toUri().getScheme().equals("file") ? file.toString() : source + "!" + file;
    }

    /** What lies in a folder, hidden files and those of macOS archives left out, sorted. */
    static List<Path> children(Path folder) throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(
                            file -> !name(file).startsWith(".") && !name(file).equals("__MACOSX"))
                    .sorted()
                    .toList();
        } catch (UncheckedIOException e) {
            throw new IOException(e);
        }
    }

    private static boolean isPicture(Path file) {
        String name = name(file).toLowerCase(Locale.ROOT);
        return !name.startsWith(".")
                && (name.endsWith(".png") || name.endsWith(".jpg") || name.endsWith(".jpeg"))
                && !file.toString().contains("__MACOSX")
                && Files.isRegularFile(file);
    }

    /** Zip file systems end the names of folders with a slash. */
    private static String name(Path path) {
        Path last = path.getFileName();
        String text = last == null ? "" : last.toString();
        return text.endsWith("/") ? text.substring(0, text.length() - 1) : text;
    }
}
