package diffusion.cli;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Collectors;

/** What {@code compare} and {@code bench} have in common. */
final class Reports {
    private Reports() {}

    /** One line with versions and hardware. */
    static String machine(List<Backend> backends) {
        return backends.stream()
                .map(backend -> backend.name() + ": " + backend.description())
                .collect(Collectors.joining(
                        "; ",
                        new Main.Version().getVersion()[0] + ", Java " + Runtime.version() + ", "
                                + System.getProperty("os.name") + " " + System.getProperty("os.arch") + ", "
                                + Runtime.getRuntime().availableProcessors() + " processors; ",
                        ""));
    }

    /** Writes JSON to a file of that name, else the page. */
    static void write(Path path, HtmlReport page, JsonNode json) {
        if (path.toString().endsWith(".json")) {
            Json.write(path, json);
        } else {
            page.write(path);
        }
    }
}
