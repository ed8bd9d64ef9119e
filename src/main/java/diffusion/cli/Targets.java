package diffusion.cli;

import diffusion.io.AtomicFiles;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.jspecify.annotations.Nullable;

/** What a command is to write, checked before it computes; null stands for what nobody asked for. */
final class Targets {
    private static final String OTHER_PICTURES = ".*\\.(jpe?g|jfif|gif|bmp|webp|tiff?|avif|heic)";

    private Targets() {}

    /** Whether a path is meant for a PNG file rather than a folder. */
    static boolean isPng(Path path) {
        return lowerCase(path).endsWith(".png");
    }

    /** Throws if a file cannot be written. */
    static void requireFile(@Nullable Path file) {
        if (file != null) {
            AtomicFiles.requireWritable(file);
        }
    }

    /** Throws if a PNG file cannot be written, or its name says another kind of picture. */
    static void requirePicture(String option, @Nullable Path file) {
        if (file != null && lowerCase(file).matches(OTHER_PICTURES)) {
            throw new Main.UsageException(
                    option + ": expected a name that ends in .png, which is what is written, found " + file);
        }
        requireFile(file);
    }

    /** Throws if neither a PNG file of that name nor, where it does not end in .png, files in a folder can be written. */
    static void requirePictures(String option, Path path) {
        if (isPng(path)) {
            requireFile(path);
        } else if (Files.isDirectory(path)) {
            requireFile(path.resolve("picture.png"));
        } else if (Files.exists(path)) {
            throw new Main.UsageException(
                    option + ": expected a name that ends in .png, or that of a folder, found the file " + path
                            + "; give another name");
        } else {
            requirePicture(option, path);
        }
    }

    private static String lowerCase(Path path) {
        return path.toString().toLowerCase(Locale.ROOT);
    }
}
