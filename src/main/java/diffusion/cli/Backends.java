package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.backend.BackendException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.ServiceConfigurationError;
import java.util.ServiceLoader;
import java.util.stream.Collectors;

/** The backends this jar and this machine have. */
final class Backends {
    /** The system property that chooses TornadoVM's device. */
    static final String DEVICE = "diffusion.device";

    /**
     * What was found.
     *
     * @param usable all that can be used, the preferred one first
     * @param failure why the TornadoVM backend, although there, cannot be used
     */
    record Found(List<Backend> usable, Optional<BackendException> failure) {
        Optional<Backend> named(String name) {
            return usable.stream()
                    .filter(backend -> backend.name().equals(name))
                    .findFirst();
        }

        /** Why there is no TornadoVM backend. */
        Optional<String> noTornado() {
            return named("tornado").isPresent()
                    ? Optional.empty()
                    : TornadoHome.missing(System.getenv())
                            .or(() -> failure.map(Exception::getMessage))
                            .or(() -> Optional.of("java was started without TornadoVM's flags; start it with"
                                    + " scripts/diffusion or java @$TORNADOVM_HOME/tornado-argfile"));
        }
    }

    private Backends() {}

    static Found find() {
        List<Backend> usable = new ArrayList<>();
        Optional<BackendException> failure = Optional.empty();
        for (var provider : ServiceLoader.load(Backend.class).stream().toList()) {
            try {
                usable.add(provider.get());
            } catch (ServiceConfigurationError | LinkageError e) { // such as modules that were not resolved
                if (e.getCause() instanceof BackendException reason) {
                    failure = Optional.of(reason);
                }
            }
        }
        usable.sort(Comparator.comparingInt(backend -> -backend.priority()));
        return new Found(List.copyOf(usable), failure);
    }

    /** A backend, and why it was taken if nobody named it. */
    record Choice(Backend backend, String why) {
        @Override
        public String toString() {
            return "backend " + backend.name() + " (" + backend.description() + ")" + why;
        }
    }

    /** The backend of that name; "auto" is TornadoVM's if java was started with it, else the preferred one. */
    static Choice choose(String name) {
        Found found = find();
        if (name.equals("auto")) {
            if (Launcher.startedWithTornado() && found.named("tornado").isPresent()) {
                return new Choice(found.named("tornado").get(), ", because java was started with TornadoVM");
            }
            Backend best = found.usable.getFirst();
            return new Choice(best, why(found, best));
        }
        return new Choice(found.named(name).orElseThrow(() -> none(name, found)), "");
    }

    private static String why(Found found, Backend best) {
        return best.name().equals("tornado")
                ? ", because TornadoVM's device is a GPU"
                : found.named("tornado")
                        .map(tornado -> ", because TornadoVM has no GPU: " + tornado.description())
                        .orElseGet(() -> found.noTornado()
                                .map(reason -> "; " + reason)
                                .filter(_ -> TornadoHome.find(System.getenv()).isPresent())
                                .orElse(", because TornadoVM is not installed"));
    }

    private static RuntimeException none(String name, Found found) {
        if (name.equals("tornado")) {
            return new BackendException(
                    "--backend tornado: " + found.noTornado().orElseThrow());
        }
        String names = found.usable.stream().map(Backend::name).collect(Collectors.joining(", "));
        return new Main.UsageException("expected a backend among auto, " + names
                + (names.contains("tornado") ? "" : ", tornado") + ", found \"" + name + "\""
                + (name.equals("cpu") ? "; start with scripts/diffusion so that the Vector API is there" : ""));
    }
}
