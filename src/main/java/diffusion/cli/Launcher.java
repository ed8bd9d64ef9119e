package diffusion.cli;

import java.io.IOException;
import java.io.InputStream;
import java.lang.management.ManagementFactory;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Entry point of {@code diffusion.jar}: makes sure the Vector API is there, then runs the command line.
 *
 * <p>A manifest cannot add an incubator module, so a plain {@code java -jar diffusion.jar} starts the same java once more
 * with the flags it needs, TornadoVM's as well if it is installed and the command may use it.
 */
public final class Launcher {
    static final String VECTOR = "jdk.incubator.vector";
    private static final String RELAUNCHED = "diffusion.relaunched";

    private Launcher() {}

    /** Runs the command line and exits with its status: 0 ok, 1 failure, 2 usage, 130 interrupted. */
    public static void main(String[] args) throws IOException, InterruptedException {
        boolean resolved = hasVectors();
        boolean tornado = !TornadoHome.running() && TornadoHome.usable(System.getenv()) && wantsTornado(args);
        if (Boolean.getBoolean(RELAUNCHED) || (resolved && !tornado)) {
            EarlyStart.begin(args);
            System.exit(Main.run(args));
        }
        System.exit(relaunch(args, tornado));
    }

    /** Whether the Vector API is there, as a module or as {@link StartCache} gives it. */
    private static boolean hasVectors() {
        try {
            Class.forName(VECTOR + ".VectorSpecies", false, null);
            return true;
        } catch (ClassNotFoundException e) {
            return false;
        }
    }

    /** Whether the user has started java with TornadoVM's flags, as the command {@code tornado} does. */
    static boolean startedWithTornado() {
        return TornadoHome.running() && !Boolean.getBoolean(RELAUNCHED);
    }

    /** Whether a command could use TornadoVM, whose flags java must be started with. */
    static boolean wantsTornado(String... args) {
        List<String> words = List.of(args);
        if (words.isEmpty() || !Main.computes(words.getFirst())) {
            return false;
        }
        for (int i = 1; i < words.size(); i++) {
            String word = words.get(i);
            if (word.equals("--backend") || word.equals("--backends")) {
                word += "=" + (i + 1 < words.size() ? words.get(i + 1) : "");
            }
            if (word.startsWith("--backend=") || word.startsWith("--backends=")) {
                String names = word.substring(word.indexOf('=') + 1);
                return names.contains("tornado") || names.equals("auto");
            }
        }
        return true;
    }

    private static int relaunch(String[] args, boolean tornado) throws IOException, InterruptedException {
        List<String> given = ManagementFactory.getRuntimeMXBean().getInputArguments();
        String jar = System.getProperty("java.class.path");
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        if (tornado) {
            command.add(
                    "@" + TornadoHome.argfile(TornadoHome.find(System.getenv()).orElseThrow()));
            command.add(StartCache.MODULE);
            command.add("--enable-native-access=ALL-UNNAMED");
        } else {
            boolean collector = given.stream().anyMatch(argument -> argument.startsWith("-XX:+Use"));
            command.addAll(flags(collector));
            // A java that was given the prepared files and yet lacks the Vector API has lost some of them.
            boolean lost = given.stream().anyMatch(argument -> argument.startsWith(StartCache.BOOT));
            command.add(lost ? StartCache.MODULE : StartCache.flags(Path.of(jar)));
        }
        // The cache was not made with TornadoVM's flags, which have the module of the Vector API.
        given.stream()
                .filter(argument ->
                        !tornado || !(argument.startsWith("-XX:AOTCache=") || argument.startsWith(StartCache.BOOT)))
                .forEach(command::add);
        command.add("-D" + RELAUNCHED + "=true");
        command.add("-cp");
        command.add(jar);
        command.add(Launcher.class.getName());
        command.addAll(List.of(args));
        Process child = new ProcessBuilder(command).inheritIO().start();
        // An interrupt from the terminal reaches parent and child; a signal to the parent alone must stop the child
        // too.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(child)));
        return child.waitFor();
    }

    /** What java is to be started with, but for a garbage collector if one is given. */
    static List<String> flags(boolean collector) throws IOException {
        try (InputStream in = Launcher.class.getResourceAsStream("/java-flags")) {
            if (in == null) {
                throw new IOException("the jar lacks /java-flags; build it again with ./mvnw package");
            }
            return new String(in.readAllBytes(), StandardCharsets.UTF_8)
                    .lines()
                    .filter(line -> line.startsWith("-"))
                    .filter(line -> !collector || !(line.contains("GC") || line.contains("NewSize")))
                    .toList();
        }
    }

    private static void stop(Process child) {
        child.destroy();
        try {
            child.waitFor();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }
}
