package diffusion.cli;

import diffusion.io.AtomicFiles;
import java.io.File;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.module.ModuleFinder;
import java.net.URI;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.attribute.FileTime;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;

/**
 * Prepares quicker starts of a jar: what java is then given stands in an argument file beside it.
 *
 * <p>Java's cache (JEP 483, 514, 515) keeps classes loaded and linked, and what the compilers have learnt of methods, unless a module
 * that incubates is resolved: then it keeps parsed classes alone, for the VM switches its support for vectors on when it defines
 * that module, and those in a cache are not defined again. So the Vector API's classes are copied out of the JDK to where
 * the boot loader finds them without their module, and the switches are given. This was tried with JDK 25; another JDK, or one where the
 * trial fails, gets the module and a cache of parsed classes.
 */
final class StartCache {
    /** What gives java the Vector API if there is nothing better. */
    static final String MODULE = "--add-modules=" + Launcher.VECTOR;

    /** Begins what gives java the Vector API's classes without their module. */
    static final String BOOT = "-Xbootclasspath/a:";

    private static final int TRIED = 25;
    /** What the VM sets when it defines the module, and what suits a VM that knows methods from before. */
    private static final List<String> SWITCHES = List.of(
            "-XX:+UnlockExperimentalVMOptions",
            "-XX:+EnableVectorSupport",
            "-XX:+EnableVectorReboxing",
            "-XX:+EnableVectorAggressiveReboxing",
            "-XX:+UseVectorStubs",
            // A loop of a method that is known is else compiled while it runs, and the method soon after once more.
            "-XX:Tier0BackedgeNotifyFreqLog=20",
            "-XX:Tier2BackedgeNotifyFreqLog=22",
            "-XX:Tier3BackedgeNotifyFreqLog=20",
            // What kernels call is known as well, so there is no need to wait until it has been called often.
            "-XX:CompileCommand=CompileThresholdScaling,jdk.incubator.vector.*::*,1.0",
            "-XX:CompileCommand=CompileThresholdScaling,jdk.internal.vm.vector.*::*,1.0",
            "-XX:CompileCommand=CompileThresholdScaling,jdk.internal.misc.ScopedMemoryAccess::*,1.0",
            // Addresses in the cache are good as they are.
            "-XX:+UnlockDiagnosticVMOptions",
            "-XX:ArchiveRelocationMode=0");

    /** With fewer processors Java has one thread that optimises, and kernels wait for each other. */
    private static final int PROCESSORS = 4;

    private StartCache() {}

    /** Writes the argument file {@code args[1]} for the jar {@code args[0]}. */
    public static void main(String[] args) throws IOException, InterruptedException {
        Path jar = Path.of(args[0]).toAbsolutePath();
        Path cache = jar.resolveSibling("diffusion-" + System.getProperty("java.runtime.version") + ".aot");
        List<String> flags = List.of(MODULE);
        boolean made = false;
        if (Runtime.version().feature() == TRIED) {
            List<String> boot = new ArrayList<>(List.of(BOOT + copyClasses(jar)));
            boot.addAll(exports());
            boot.addAll(SWITCHES);
            made = make(cache, boot, jar);
            flags = made ? boot : flags;
        }
        List<String> lines = new ArrayList<>(flags);
        if (made || make(cache, flags, jar)) {
            // A cache that does not fit is passed over without a word.
            lines.addAll(List.of("-XX:AOTCache=" + cache, "-Xlog:aot*=off,cds*=off"));
        }
        if (Runtime.getRuntime().availableProcessors() < PROCESSORS) {
            lines.add("-XX:CICompilerCount=3");
        }
        lines.replaceAll(line -> "\"" + line.replace("\\", "\\\\").replace("\"", "\\\"") + "\"");
        AtomicFiles.write(Path.of(args[1]), String.join("\n", lines) + "\n");
    }

    /** The argument file that was made for a jar and this java, or the module if there is none. */
    static String flags(Path jar) throws IOException {
        Path file = jar.resolveSibling("start-" + System.getProperty("java.runtime.version"));
        boolean fits = Files.isRegularFile(file)
                && Files.getLastModifiedTime(file).compareTo(Files.getLastModifiedTime(jar)) > 0;
        return fits ? "@" + file : MODULE;
    }

    /** Copies the Vector API's classes; the copy has the same bytes and the same time whenever it is made. */
    private static Path copyClasses(Path jar) throws IOException {
        Path copy = jar.resolveSibling("vector-" + System.getProperty("java.runtime.version") + ".jar");
        Path root = FileSystems.getFileSystem(URI.create("jrt:/")).getPath("modules", Launcher.VECTOR);
        FileTime time = FileTime.from(Instant.EPOCH);
        AtomicFiles.write(copy, out -> {
            ZipOutputStream zip = new ZipOutputStream(out);
            try (Stream<Path> files = Files.walk(root)) {
                for (Path file : files.filter(Files::isRegularFile).sorted().toList()) {
                    String name = root.relativize(file).toString();
                    if (!name.equals("module-info.class")) {
                        zip.putNextEntry(new ZipEntry(name).setLastModifiedTime(time));
                        Files.copy(file, zip);
                        zip.closeEntry();
                    }
                }
            }
            zip.finish();
        });
        Files.setLastModifiedTime(copy, time);
        return copy;
    }

    /** The packages that the JDK opens to the Vector API's module alone. */
    private static List<String> exports() {
        return ModuleFinder.ofSystem().findAll().stream()
                .flatMap(module -> module.descriptor().exports().stream()
                        .filter(exports -> exports.targets().contains(Launcher.VECTOR))
                        .map(exports -> module.descriptor().name() + "/" + exports.source()))
                .sorted()
                .map(name -> "--add-exports=" + name + "=ALL-UNNAMED")
                .toList();
    }

    /** Makes pictures with these flags, and a cache of what that took; false if either fails. */
    private static boolean make(Path cache, List<String> flags, Path jar) throws IOException, InterruptedException {
        Path folder = Files.createTempDirectory("diffusion");
        File made = folder.resolve("cache").toFile();
        File picture = folder.resolve("picture.png").toFile();
        // Last in, first out: the folder is deleted when it is empty, even after Ctrl-C.
        List.of(folder.toFile(), made, new File(made + ".config"), picture).forEach(File::deleteOnExit);
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(Launcher.flags(false));
        command.addAll(flags);
        command.addAll(List.of("-XX:AOTCacheOutput=" + made, "-cp", jar.toString(), Launcher.class.getName()));
        command.addAll(List.of("sample", "--steps", "10", "--backend", "cpu", "--out", picture.toString()));
        int status = new ProcessBuilder(command)
                .redirectErrorStream(true)
                .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                .start()
                .waitFor();
        if (status != 0 || picture.length() == 0 || made.length() == 0) {
            return false;
        }
        AtomicFiles.write(cache, (OutputStream out) -> Files.copy(made.toPath(), out));
        return true;
    }
}
