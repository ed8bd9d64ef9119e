package diffusion.cli;

import diffusion.backend.Backend;
import java.util.Comparator;
import java.util.List;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;

/** The backends this jar and this machine have. */
final class Backends {
    private Backends() {}

    /** All that can be loaded, the preferred one first. */
    static List<Backend> all() {
        return ServiceLoader.load(Backend.class).stream()
                .flatMap(provider -> {
                    try {
                        return java.util.stream.Stream.of(provider.get());
                    } catch (ServiceConfigurationError | LinkageError e) {
                        return java.util.stream.Stream.empty();
                    }
                })
                .sorted(Comparator.comparingInt(backend -> -backend.priority()))
                .toList();
    }

    /** The backend of that name; "auto" is the preferred one. */
    static Backend choose(String name) {
        List<Backend> all = all();
        if (name.equals("auto")) {
            return all.getFirst();
        }
        return all.stream()
                .filter(backend -> backend.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new Main.UsageException("expected a backend among auto, "
                        + String.join(", ", all.stream().map(Backend::name).toList()) + ", found \"" + name + "\""
                        + (name.equals("cpu") ? "; start with scripts/diffusion so that the Vector API is there" : "")
                        + (name.equals("tornado") ? "; the TornadoVM backend is not part of this version" : "")));
    }
}
