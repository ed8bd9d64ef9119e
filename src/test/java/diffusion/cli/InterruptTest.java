package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.AtomicFiles;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InterruptTest {
    /** Work that is writing a folder when it is told to stop. */
    static final class Work {
        private Work() {}

        public static void main(String[] args) throws IOException {
            try (Interrupt interrupt = new Interrupt()) {
                AtomicFiles.writeFolder(Path.of(args[0]), Set.of("first", "second"), folder -> {
                    Files.writeString(folder.resolve("first"), "1");
                    System.out.print("writing");
                    System.out.flush();
                    while (!interrupt.getAsBoolean()) {
                        LockSupport.parkNanos(1_000_000);
                    }
                    LockSupport.parkNanos(TimeUnit.MILLISECONDS.toNanos(300));
                    Files.writeString(folder.resolve("second"), "2");
                });
            }
        }
    }

    @Test
    void whatIsBeingWrittenIsFinished(@TempDir Path folder) throws Exception {
        Path target = folder.resolve("checkpoint");
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                        Work.class.getName(),
                        target.toString())
                .redirectErrorStream(true)
                .start();
        assertThat(new String(process.getInputStream().readNBytes(7), StandardCharsets.UTF_8))
                .isEqualTo("writing");
        new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
        String more = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(more).isEmpty();
        assertThat(process.exitValue()).isEqualTo(130);
        assertThat(target.resolve("first")).hasContent("1");
        assertThat(target.resolve("second")).hasContent("2");
        try (Stream<Path> files = Files.list(folder)) {
            assertThat(files).containsExactly(target);
        }
    }
}
