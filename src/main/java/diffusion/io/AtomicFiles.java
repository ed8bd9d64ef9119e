package diffusion.io;

import java.io.BufferedOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.AccessDeniedException;
import java.nio.file.FileSystemException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.List;
import java.util.Optional;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ThreadLocalRandom;
import java.util.stream.Stream;

/**
 * Files that appear whole or not at all: written under a temporary name beside the target, forced to disk, renamed.
 *
 * <p>A failure, Ctrl-C included, deletes the temporary file. Every failure is a {@link DiffusionException} that names the
 * target.
 */
public final class AtomicFiles {
    private static final Set<Path> PENDING = ConcurrentHashMap.newKeySet();

    private static final Set<Runnable> BEFORE_CLEANING = ConcurrentHashMap.newKeySet();

    /** What file managers leave in folders they show. */
    private static final Set<String> LITTER = Set.of(".DS_Store", "Thumbs.db", "desktop.ini");

    static {
        // Ctrl-C ends the JVM without unwinding the writing thread, so its finally blocks never run.
        Runtime.getRuntime().addShutdownHook(new Thread(AtomicFiles::clean));
    }

    private AtomicFiles() {}

    private static void clean() {
        BEFORE_CLEANING.forEach(Runnable::run);
        PENDING.forEach(AtomicFiles::deleteTree);
    }

    /**
     * Runs {@code wait} when the process is told to stop, before what is half-written is deleted: it may hold that back until
     * the work has ended.
     */
    public static void beforeCleaning(Runnable wait) {
        BEFORE_CLEANING.add(wait);
    }

    /** Takes back {@link #beforeCleaning}. */
    public static void notBeforeCleaning(Runnable wait) {
        BEFORE_CLEANING.remove(wait);
    }

    /** Writes the content of a file to a stream, which the caller closes. */
    @FunctionalInterface
    public interface StreamBody {
        void write(OutputStream out) throws IOException;
    }

    /** Writes the content of a file to a channel, which the caller closes. */
    @FunctionalInterface
    public interface ChannelBody {
        void write(FileChannel out) throws IOException;
    }

    /** Fills an empty folder. */
    @FunctionalInterface
    public interface FolderBody {
        void write(Path folder) throws IOException;
    }

    /** Replaces a file by the bytes that {@code body} writes. */
    public static void write(Path target, StreamBody body) {
        writeChannel(target, channel -> {
            OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel), 1 << 16);
            body.write(out);
            out.flush();
        });
    }

    /** Replaces a file by {@code bytes}. */
    public static void write(Path target, byte[] bytes) {
        writeChannel(target, channel -> writeFully(channel, ByteBuffer.wrap(bytes)));
    }

    /** Replaces a file by {@code text} in UTF-8. */
    public static void write(Path target, String text) {
        write(target, text.getBytes(StandardCharsets.UTF_8));
    }

    /** Replaces a file by what {@code body} writes to a channel positioned at 0. */
    public static void writeChannel(Path target, ChannelBody body) {
        try {
            requireNoFolder(target);
            if (Files.exists(target) && !Files.isRegularFile(target)) {
                // A device such as /dev/stdout is written in place: a rename would replace the device itself.
                try (FileChannel channel = FileChannel.open(target, StandardOpenOption.WRITE)) {
                    body.write(channel);
                }
                return;
            }
            Path place = Files.exists(target) ? target.toRealPath() : target.toAbsolutePath();
            replaceFile(place, body);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        } catch (UncheckedIOException e) {
            throw cannotWrite(target, new IOException(e.getMessage(), e));
        }
    }

    private static void requireNoFolder(Path target) {
        if (Files.isDirectory(target)) {
            throw new DiffusionException(
                    "cannot write " + target + ": it is a folder, expected a file name; give another name");
        }
    }

    private static void replaceFile(Path place, ChannelBody body) throws IOException {
        Path temporary = temporaryName(place);
        PENDING.add(temporary);
        try {
            try (FileChannel channel =
                    FileChannel.open(temporary, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
                body.write(channel);
                channel.force(true);
            }
            move(temporary, place);
            forceFolder(parent(place));
        } finally {
            deleteTree(temporary);
            PENDING.remove(temporary);
        }
    }

    /**
     * Replaces a folder by the one that {@code body} fills; the old one is moved aside for the moment of the swap.
     *
     * <p>A process killed at any moment leaves the old or the new folder; when it is killed between the two renames of the
     * swap, {@link #recoverFolder} puts the folder back in its place.
     *
     * @param replaced the files, such as {@code unet/config.json}, that the old folder may hold
     * @throws DiffusionException if it holds any other, which would be lost
     */
    public static void writeFolder(Path target, Set<String> replaced, FolderBody body) {
        try {
            Path place = Files.exists(target) ? target.toRealPath() : target.toAbsolutePath();
            recoverFolder(place);
            requireReplaceable(target, replaced);
            Path temporary = temporaryName(place);
            PENDING.add(temporary);
            try {
                Files.createDirectories(parent(place));
                Files.createDirectory(temporary);
                body.write(temporary);
                forceTree(temporary);
                Path old = asideName(place);
                if (Files.exists(place)) {
                    move(place, old);
                }
                move(temporary, place);
                forceFolder(parent(place));
                deleteTree(old);
            } finally {
                recoverFolder(place);
                deleteTree(temporary);
                PENDING.remove(temporary);
            }
        } catch (IOException e) {
            throw cannotWrite(target, e);
        } catch (UncheckedIOException e) {
            throw cannotWrite(target, new IOException(e.getMessage(), e));
        }
    }

    /** Finishes a swap of {@link #writeFolder} that was cut short; call it before reading such a folder. */
    public static void recoverFolder(Path target) {
        Path place = target.toAbsolutePath();
        Path old = asideName(place);
        if (!Files.isDirectory(old)) {
            return;
        }
        if (Files.exists(place)) {
            deleteTree(old);
            return;
        }
        try {
            move(old, place);
            forceFolder(parent(place));
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    private static void requireReplaceable(Path target, Set<String> replaced) throws IOException {
        if (!Files.exists(target)) {
            return;
        }
        if (!Files.isDirectory(target)) {
            throw new DiffusionException(
                    "cannot write folder " + target + ": a file of that name exists; remove it or give another name");
        }
        Path root = target.toRealPath();
        try (Stream<Path> tree = Files.walk(root)) {
            Optional<Path> other = tree.filter(path -> !path.equals(root) && !isReplaced(root, path, replaced))
                    .findFirst();
            if (other.isPresent()) {
                throw new DiffusionException("cannot write folder " + target + ": expected a new folder"
                        + (replaced.isEmpty() ? "" : ", or one with " + String.join(", ", sorted(replaced)) + " alone")
                        + ", found " + root.relativize(other.get())
                        + " in it, which would be lost; give another name or move it away");
            }
        }
    }

    private static boolean isReplaced(Path root, Path path, Set<String> replaced) {
        String name = root.relativize(path).toString().replace(File.separatorChar, '/');
        if (Files.isDirectory(path, LinkOption.NOFOLLOW_LINKS)) {
            return replaced.stream().anyMatch(file -> file.startsWith(name + "/"));
        }
        return replaced.contains(name) || LITTER.contains(String.valueOf(path.getFileName()));
    }

    private static List<String> sorted(Set<String> names) {
        return names.stream().sorted().toList();
    }

    /** Throws now what writing the file {@code target} later would throw, so that no work is lost. */
    public static void requireWritable(Path target) {
        requireNoFolder(target);
        if (Files.exists(target) && !Files.isRegularFile(target)) {
            return;
        }
        try {
            probe(parent(target.toAbsolutePath()));
        } catch (IOException e) {
            throw cannotWrite(target, e);
        }
    }

    /** Throws now what {@link #writeFolder} would throw later, so that no work is lost. */
    public static void requireWritableFolder(Path target, Set<String> replaced) {
        try {
            requireReplaceable(target, replaced);
            Path folder = parent(Files.exists(target) ? target.toRealPath() : target.toAbsolutePath());
            while (!Files.exists(folder)) {
                folder = parent(folder);
            }
            probe(folder);
        } catch (IOException e) {
            throw cannotWrite(target, e);
        } catch (UncheckedIOException e) {
            throw cannotWrite(target, new IOException(e.getMessage(), e));
        }
    }

    private static void probe(Path folder) throws IOException {
        Path probe = temporaryName(folder.resolve("probe"));
        Files.createFile(probe);
        Files.delete(probe);
    }

    static void writeFully(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            channel.write(buffer);
        }
    }

    private static DiffusionException cannotWrite(Path target, IOException e) {
        Path folder = parent(target.toAbsolutePath());
        String why;
        if (e instanceof NoSuchFileException && !Files.isDirectory(folder)) {
            why = "the folder " + folder + " does not exist; create it or give another name";
        } else if (e instanceof AccessDeniedException) {
            why = "no permission; choose another folder";
        } else if (e instanceof FileSystemException failed) {
            why = reason(failed) + "; free the space or choose another folder";
        } else {
            why = e.getMessage() + "; choose another folder";
        }
        return new DiffusionException("cannot write " + target + ": " + why, e);
    }

    private static String reason(FileSystemException e) {
        String reason = e.getReason();
        return reason == null ? e.getClass().getSimpleName() : reason;
    }

    private static Path temporaryName(Path place) {
        String unique = Long.toString(ProcessHandle.current().pid(), 36)
                + Long.toUnsignedString(ThreadLocalRandom.current().nextLong(), 36);
        return place.resolveSibling("." + place.getFileName() + "." + unique + ".tmp");
    }

    private static Path asideName(Path place) {
        return place.resolveSibling("." + place.getFileName() + ".old");
    }

    private static Path parent(Path absolute) {
        Path parent = absolute.getParent();
        return parent == null ? absolute : parent;
    }

    private static void move(Path from, Path to) throws IOException {
        Files.move(from, to, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Forces the entries of a folder; some systems cannot open a folder, where the rename alone has to do. */
    private static void forceFolder(Path folder) {
        try (FileChannel channel = FileChannel.open(folder, StandardOpenOption.READ)) {
            channel.force(true);
        } catch (IOException ignored) {
            return;
        }
    }

    private static void forceTree(Path root) throws IOException {
        try (Stream<Path> tree = Files.walk(root)) {
            for (Path path : tree.toList()) {
                if (Files.isDirectory(path)) {
                    forceFolder(path);
                } else {
                    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.WRITE)) {
                        channel.force(true);
                    }
                }
            }
        }
    }

    private static void deleteTree(Path root) {
        if (!Files.exists(root)) {
            return;
        }
        try (Stream<Path> tree = Files.walk(root)) {
            for (Path path : tree.toList().reversed()) {
                Files.deleteIfExists(path);
            }
        } catch (IOException | UncheckedIOException ignored) {
            // Cleaning up is best effort: the error that matters is already on its way.
            return;
        }
    }
}
