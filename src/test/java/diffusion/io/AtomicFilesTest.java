package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
    private static final Set<String> FILES = Set.of("a", "unet/b");

    @TempDir
    Path folder;

    private List<String> listing() throws IOException {
        try (Stream<Path> files = Files.list(folder)) {
            return files.map(file -> file.getFileName().toString()).sorted().toList();
        }
    }

    @Test
    void aFailureLeavesTheOldFileAndNothingElse() throws IOException {
        Path file = folder.resolve("a.txt");
        AtomicFiles.write(file, "old");
        assertThatThrownBy(() -> AtomicFiles.write(file, out -> {
                    out.write(new byte[100_000]);
                    throw new IOException("disk full");
                }))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("disk full")
                .hasMessageContaining("a.txt");
        assertThat(file).hasContent("old");
        AtomicFiles.write(file, "new");
        assertThat(file).hasContent("new");
        assertThat(listing()).containsExactly("a.txt");
    }

    @Test
    void impossibleTargetsAreOneLine() {
        for (Path target : List.of(folder, folder.resolve("none/a.txt"))) {
            assertThatThrownBy(() -> AtomicFiles.write(target, "x"))
                    .isInstanceOf(DiffusionException.class)
                    .message()
                    .contains("cannot write " + target)
                    .doesNotContain("\n");
        }
        assertThatThrownBy(() -> AtomicFiles.requireWritable(folder.resolve("none/a.txt")))
                .hasMessageContaining("does not exist");
        AtomicFiles.requireWritable(folder.resolve("a.txt"));
        assertThatThrownBy(() -> AtomicFiles.requireWritable(folder)).hasMessageContaining("it is a folder");
    }

    @Test
    void foldersAreReplacedWhole() throws IOException {
        Path target = folder.resolve("checkpoint");
        AtomicFiles.writeFolder(target, FILES, f -> Files.writeString(f.resolve("a"), "1"));
        AtomicFiles.writeFolder(target, FILES, f -> {
            Files.createDirectory(f.resolve("unet"));
            Files.writeString(f.resolve("unet/b"), "2");
        });
        assertThat(target.resolve("a")).doesNotExist();
        assertThat(target.resolve("unet/b")).hasContent("2");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(target, FILES, f -> {
                    Files.writeString(f.resolve("c"), "3");
                    throw new DiffusionException("stopped");
                }))
                .hasMessage("stopped");
        assertThat(target.resolve("unet/b")).hasContent("2");
        assertThat(listing()).containsExactly("checkpoint");
    }

    @Test
    void foldersThatHoldOtherFilesStay() throws IOException {
        Path target = folder.resolve("checkpoint");
        AtomicFiles.writeFolder(target, FILES, f -> Files.writeString(f.resolve("a"), "1"));
        Files.writeString(target.resolve(".DS_Store"), "of a file manager");
        AtomicFiles.requireWritableFolder(target, FILES);
        for (String other : List.of("c", "unet/a", "a.d/a", "empty/")) {
            Path file = target.resolve(other);
            Files.createDirectories(other.endsWith("/") ? file : Objects.requireNonNull(file.getParent()));
            if (!other.endsWith("/")) {
                Files.writeString(file, "kept");
            }
            assertThatThrownBy(() -> AtomicFiles.writeFolder(target, FILES, _ -> {}))
                    .isInstanceOf(DiffusionException.class)
                    .message()
                    .contains("one with a, unet/b alone", "would be lost")
                    .doesNotContain("\n");
            assertThatThrownBy(() -> AtomicFiles.requireWritableFolder(target, FILES))
                    .hasMessageContaining("would be lost");
            assertThat(file).exists();
            Files.delete(file);
            if (file.getNameCount() > target.getNameCount() + 1) {
                Files.delete(file.getParent());
            }
        }
        assertThatThrownBy(() -> AtomicFiles.requireWritableFolder(target, Set.of()))
                .hasMessageContaining("expected a new folder, found");
        assertThatThrownBy(() -> AtomicFiles.requireWritableFolder(target.resolve("a"), Set.of()))
                .hasMessageContaining("a file of that name exists");
        AtomicFiles.requireWritableFolder(folder.resolve("not/yet/there"), FILES);
        AtomicFiles.writeFolder(target, FILES, f -> Files.writeString(f.resolve("a"), "2"));
        assertThat(target.resolve("a")).hasContent("2");
        assertThat(listing()).containsExactly("checkpoint");
    }

    @Test
    void aSwapThatWasCutShortIsUndone() throws IOException {
        Path target = folder.resolve("checkpoint");
        AtomicFiles.writeFolder(target, FILES, f -> Files.writeString(f.resolve("a"), "1"));
        // The state after a kill between the two renames.
        Files.move(target, folder.resolve(".checkpoint.old"));
        AtomicFiles.recoverFolder(target);
        assertThat(target.resolve("a")).hasContent("1");
        // And after one that came before the old folder was deleted.
        Files.createDirectory(folder.resolve(".checkpoint.old"));
        AtomicFiles.recoverFolder(target);
        assertThat(listing()).containsExactly("checkpoint");
    }
}
