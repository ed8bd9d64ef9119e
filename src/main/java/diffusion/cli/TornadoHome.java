package diffusion.cli;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.stream.Stream;

/** Where TornadoVM is installed, and what is missing to use it. */
final class TornadoHome {
    private static final String BACKEND = "/diffusion/tornado/TornadoBackend.class";

    private TornadoHome() {}

    /** TORNADOVM_HOME, else the version that SDKMAN has made current. */
    static Optional<Path> find(Map<String, String> environment) {
        String variable = environment.get("TORNADOVM_HOME");
        if (variable != null && !variable.isEmpty()) {
            return Optional.of(Path.of(variable)).filter(Files::isDirectory);
        }
        Stream<Path> sdkman = Stream.of(environment.get("SDKMAN_DIR"), System.getProperty("user.home") + "/.sdkman")
                .filter(Objects::nonNull)
                .map(root -> Path.of(root, "candidates", "tornadovm", "current"));
        return sdkman.filter(Files::isDirectory).findFirst();
    }

    /** The file with the flags java needs to run TornadoVM. */
    static Path argfile(Path home) {
        return home.resolve("tornado-argfile");
    }

    /** Whether this java was started with those flags. */
    static boolean running() {
        return ModuleLayer.boot().findModule("tornado.runtime").isPresent();
    }

    /** Whether a java started with those flags would have the backend. */
    static boolean usable(Map<String, String> environment) {
        return missing(environment).isEmpty();
    }

    /** One line with what is missing and how to get it; empty if nothing is. */
    static Optional<String> missing(Map<String, String> environment) {
        Optional<Path> home = find(environment);
        if (running()) {
            return inJar() ? Optional.empty() : Optional.of(notInJar());
        }
        if (home.isEmpty()) {
            String variable = environment.getOrDefault("TORNADOVM_HOME", "");
            return Optional.of("TornadoVM is not installed ("
                    + (variable.isEmpty()
                            ? "TORNADOVM_HOME is not set"
                            : "TORNADOVM_HOME is " + variable + ", which is no folder")
                    + "); install it with 'sdk install tornadovm' and set TORNADOVM_HOME to its folder");
        }
        if (!Files.isRegularFile(argfile(home.get()))) {
            return Optional.of("TornadoVM in " + home.get()
                    + " has no tornado-argfile; make it with 'tornado --generate-argfile'");
        }
        return inJar() ? Optional.empty() : Optional.of(notInJar());
    }

    private static boolean inJar() {
        return TornadoHome.class.getResource(BACKEND) != null;
    }

    private static String notInJar() {
        return "this diffusion.jar was built without TornadoVM; build it again with TORNADOVM_HOME set:"
                + " ./mvnw -DskipTests package";
    }
}
