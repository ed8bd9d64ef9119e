package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;
import picocli.CommandLine;

/** Where {@code pull} asks; the protocol is tested beside HubClient. */
class PullCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private String failure(Map<String, String> environment) {
        String[] message = {""};
        int status = new CommandLine(new PullCommand(environment))
                .setExecutionExceptionHandler((e, _, _) -> {
                    message[0] = String.valueOf(e.getMessage());
                    return 1;
                })
                .execute("org/tiny");
        assertThat(status).isEqualTo(1);
        return message[0];
    }

    @Test
    void asksTheMirrorThatTheEnvironmentNames() throws IOException {
        List<String> requests = new ArrayList<>();
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", exchange -> {
            requests.add(exchange.getRequestURI() + " "
                    + exchange.getRequestHeaders().getFirst("Authorization"));
            exchange.sendResponseHeaders(404, -1);
            exchange.close();
        });
        server.start();
        try {
            String address = "http://" + InetAddress.getLoopbackAddress().getHostAddress() + ":"
                    + server.getAddress().getPort();
            for (String end : List.of("", "/", "/mirror/")) {
                failure(Map.of("HF_ENDPOINT", address + end, "HF_TOKEN", "secret", "HF_HUB_CACHE", folder.toString()));
            }
        } finally {
            server.stop(0);
        }
        assertThat(requests)
                .containsExactly(
                        "/api/models/org/tiny/revision/main Bearer secret",
                        "/api/models/org/tiny/revision/main Bearer secret",
                        "/mirror/api/models/org/tiny/revision/main Bearer secret");
    }

    @ParameterizedTest
    @ValueSource(strings = {"huggingface.co", "ftp://mirror", "https://", "http://a b", "https://mirror?x=1"})
    void refusesWhatIsNoAddress(String endpoint) {
        assertThat(failure(Map.of("HF_ENDPOINT", endpoint, "HF_HUB_CACHE", folder.toString())))
                .startsWith("HF_ENDPOINT: expected an address such as https://huggingface.co, found")
                .contains(endpoint);
    }
}
