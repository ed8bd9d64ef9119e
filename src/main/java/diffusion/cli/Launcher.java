package diffusion.cli;

import java.io.IOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/**
 * Entry point of {@code diffusion.jar}: makes sure the Vector API is there, then runs the command line.
 *
 * <p>A manifest cannot add an incubator module, so a plain {@code java -jar diffusion.jar} starts the same java once more
 * with the flags it needs; {@code scripts/diffusion} and {@code tornado} pass them at once.
 */
public final class Launcher {
    private static final String VECTOR = "jdk.incubator.vector";
    private static final String RELAUNCHED = "diffusion.relaunched";

    private Launcher() {}

    /** Runs the command line and exits with its status: 0 ok, 1 failure, 2 usage, 130 interrupted. */
    public static void main(String[] args) throws IOException, InterruptedException {
        boolean resolved = ModuleLayer.boot().findModule(VECTOR).isPresent();
        if (resolved || Boolean.getBoolean(RELAUNCHED)) {
            System.exit(Main.run(args));
        }
        System.exit(relaunch(args));
    }

    private static int relaunch(String[] args) throws IOException, InterruptedException {
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(ManagementFactory.getRuntimeMXBean().getInputArguments());
        command.add("--add-modules=" + VECTOR);
        command.add("--enable-native-access=ALL-UNNAMED");
        command.add("-D" + RELAUNCHED + "=true");
        command.add("-cp");
        command.add(System.getProperty("java.class.path"));
        command.add(Launcher.class.getName());
        command.addAll(List.of(args));
        Process child = new ProcessBuilder(command).inheritIO().start();
        // An interrupt from the terminal reaches parent and child; a signal to the parent alone must stop the child
        // too.
        Runtime.getRuntime().addShutdownHook(new Thread(() -> stop(child)));
        return child.waitFor();
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
