package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.PrintStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** Runs the command line inside the test or as a process of its own. */
final class Cli {
    private Cli() {}

    /** What a command line printed and returned. */
    record Result(int status, String out, String err) {
        /** Asserts a failure that says everything in one line. */
        void assertOneLine(int expectedStatus, String... parts) {
            assertThat(err.strip().lines().toList()).as(err).hasSize(1);
            assertThat(err).contains(parts).startsWith("diffusion: ").doesNotContain("Exception");
            assertThat(status).as(err).isEqualTo(expectedStatus);
        }
    }

    /** Runs a command line in this process. */
    static synchronized Result run(Object... args) {
        PrintStream out = System.out;
        PrintStream err = System.err;
        ByteArrayOutputStream outBytes = new ByteArrayOutputStream();
        ByteArrayOutputStream errBytes = new ByteArrayOutputStream();
        try {
            System.setOut(new PrintStream(outBytes, true, StandardCharsets.UTF_8));
            System.setErr(new PrintStream(errBytes, true, StandardCharsets.UTF_8));
            String[] words = Stream.of(args).map(Object::toString).toArray(String[]::new);
            int status = Main.run(words);
            return new Result(
                    status, outBytes.toString(StandardCharsets.UTF_8), errBytes.toString(StandardCharsets.UTF_8));
        } finally {
            System.setOut(out);
            System.setErr(err);
        }
    }

    /** Starts a command line in a process of its own. */
    static Process start(Object... args) throws IOException {
        return process(args).redirectOutput(ProcessBuilder.Redirect.DISCARD).start();
    }

    /** Starts a command line in a process of its own and returns when its work has begun. */
    static Process startAndWait(Object... args) throws IOException {
        Process process = process(args).start();
        StringBuilder seen = new StringBuilder();
        while (!seen.toString().contains("backend cpu")) {
            int next = process.getInputStream().read();
            assertThat(next).as("the process ended: " + seen).isNotNegative();
            seen.append((char) next);
        }
        return process;
    }

    private static ProcessBuilder process(Object... args) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED",
                "-Djava.awt.headless=true",
                "-cp",
                System.getProperty("surefire.test.class.path", System.getProperty("java.class.path")),
                Launcher.class.getName()));
        Stream.of(args).map(Object::toString).forEach(command::add);
        return new ProcessBuilder(command).redirectErrorStream(true);
    }

    /** Every file below a folder. */
    static List<Path> files(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
