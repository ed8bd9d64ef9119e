package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class AtomicFilesTest {
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
    }

    @Test
    void foldersAreReplacedWhole() throws IOException {
        Path target = folder.resolve("checkpoint");
        AtomicFiles.writeFolder(target, f -> Files.writeString(f.resolve("a"), "1"));
        AtomicFiles.writeFolder(target, f -> {
            Files.createDirectory(f.resolve("unet"));
            Files.writeString(f.resolve("unet/b"), "2");
        });
        assertThat(target.resolve("a")).doesNotExist();
        assertThat(target.resolve("unet/b")).hasContent("2");
        assertThatThrownBy(() -> AtomicFiles.writeFolder(target, f -> {
                    Files.writeString(f.resolve("c"), "3");
                    throw new DiffusionException("stopped");
                }))
                .hasMessage("stopped");
        assertThat(target.resolve("unet/b")).hasContent("2");
        assertThat(listing()).containsExactly("checkpoint");
    }

    @Test
    void aSwapThatWasCutShortIsUndone() throws IOException {
        Path target = folder.resolve("checkpoint");
        AtomicFiles.writeFolder(target, f -> Files.writeString(f.resolve("a"), "1"));
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
