package diffusion.cli;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.File;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.spi.ToolProvider;
import java.util.stream.Stream;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** scripts/diffusion and java -jar with Java's cache of classes: there, missing, broken, out of date. */
class StartTest {
    private static final Path PROJECT = Path.of("..").toAbsolutePath().normalize();

    @TempDir
    private static Path home;

    private static Path jar;

    /** A project with a jar that is this build's. */
    @BeforeAll
    static void project() throws IOException {
        for (String file : List.of("scripts/diffusion", "scripts/java-home", "src/main/resources/java-flags")) {
            Path copy = home.resolve(file);
            Files.createDirectories(copy.getParent());
            Files.copy(PROJECT.resolve(file), copy);
            assertThat(copy.toFile().setExecutable(true)).isTrue();
        }
        jar = Files.createDirectories(home.resolve("target")).resolve("diffusion.jar");
        List<String> path = new ArrayList<>();
        for (String entry : System.getProperty("surefire.test.class.path", System.getProperty("java.class.path"))
                .split(File.pathSeparator, -1)) {
            Path place = Path.of(entry);
            if (Files.isDirectory(place)) { // the cache takes jars only
                place = home.resolve("part" + path.size() + ".jar");
                jar("--create", "--file", place.toString(), "-C", entry, ".");
            }
            if (Files.exists(place)) {
                path.add(place.toUri().toString());
            }
        }
        Path manifest = home.resolve("manifest");
        // Lines of a manifest end after 72 bytes and go on after a space.
        String entries = ("Class-Path: " + String.join(" ", path)).replaceAll("(.{70})", "$1\n ");
        Files.writeString(manifest, "Main-Class: diffusion.cli.Launcher\n" + entries + "\n");
        jar("--create", "--file", jar.toString(), "--manifest", manifest.toString());
    }

    private static void jar(String... args) {
        assertThat(ToolProvider.findFirst("jar").orElseThrow().run(System.out, System.err, args))
                .isZero();
    }

    @Test
    void aCacheChangesNothingButTheTime() throws IOException, InterruptedException {
        assertThat(script()).contains("preparing quicker starts");
        byte[] made = Files.readAllBytes(home.resolve("picture.png"));
        Path cache = cache();
        long bytes = Files.size(cache);
        assertThat(bytes).as(cache + " has been made").isPositive();
        // In use: java says so if it is asked.
        assertThat(script("-Xlog:aot=info")).doesNotContain("preparing").contains("Opened AOT cache");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);

        String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
        Files.write(cache, "no cache".getBytes(UTF_8));
        assertThat(script()).doesNotContain("preparing", "aot", "AOT");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);
        assertThat(run("", java, "-jar", jar.toString())).doesNotContain("aot", "AOT");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);

        Files.delete(beside("vector-.*"));
        assertThat(script()).doesNotContain("preparing");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);

        Files.setLastModifiedTime(jar, FileTime.from(Instant.now().plusSeconds(1)));
        Files.setLastModifiedTime(flags(), FileTime.from(Instant.now().minusSeconds(60)));
        assertThat(script()).contains("preparing quicker starts");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);
        assertThat(cache).isRegularFile();

        Files.write(flags(), StartCache.MODULE.getBytes(UTF_8)); // none can be made
        Files.setLastModifiedTime(flags(), FileTime.from(Instant.now().plusSeconds(60)));
        assertThat(script("-Xlog:aot=info")).doesNotContain("preparing", "Opened AOT cache");
        assertThat(Files.readAllBytes(home.resolve("picture.png"))).isEqualTo(made);
    }

    private static Path cache() throws IOException {
        return beside("diffusion-.*\\.aot");
    }

    private static Path flags() throws IOException {
        return beside("start-.*");
    }

    private static Path beside(String name) throws IOException {
        try (Stream<Path> files = Files.list(jar.getParent())) {
            return files.filter(file -> file.getFileName().toString().matches(name))
                    .findFirst()
                    .orElseThrow();
        }
    }

    private static String script(String... options) throws IOException, InterruptedException {
        return run(String.join(" ", options), home.resolve("scripts/diffusion").toString());
    }

    private static String run(String options, String... start) throws IOException, InterruptedException {
        Path picture = home.resolve("picture.png");
        Files.deleteIfExists(picture);
        List<String> command = new ArrayList<>(List.of(start));
        command.addAll(List.of(
                "sample", "-n", "1", "--steps", "1", "--size", "8", "--backend", "cpu", "--out", picture.toString()));
        ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
        builder.environment().put("JAVA_HOME", System.getProperty("java.home"));
        builder.environment().put("DIFFUSION_JAVA_OPTS", options);
        Process process = builder.start();
        String output = new String(process.getInputStream().readAllBytes(), UTF_8);
        assertThat(process.waitFor()).as(output).isZero();
        return output;
    }
}
