package diffusion.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import diffusion.io.DiffusionException;
import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Executors;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The hub's protocol against two servers on loopback: the hub, and the store that large files are redirected to. */
class HubClientTest {
    private static final String COMMIT = "0123456789abcdef0123456789abcdef01234567";
    private static final String WEIGHTS = "unet/diffusion_pytorch_model.safetensors";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private final Map<String, byte[]> files = new LinkedHashMap<>();
    private final List<String> requests = Collections.synchronizedList(new ArrayList<>());
    private final List<Integer> troubles = new ArrayList<>();
    private final List<String> tokensAtStore = new ArrayList<>();
    private @Nullable HttpServer hub;
    private @Nullable HttpServer store;
    private Duration patience = Duration.ofSeconds(20);
    private volatile int cutAfter = -1;
    private boolean wrongHash;
    private volatile boolean silent; // after the cut the connection stays open
    private volatile boolean mute; // not even a head comes
    private final CountDownLatch over = new CountDownLatch(1);
    private boolean sizes = true;
    private int status = 200;

    @BeforeEach
    void start() throws IOException {
        byte[] weights = new byte[300_000];
        new java.util.Random(1).nextBytes(weights);
        files.put(
                "model_index.json", "{\"_class_name\": \"StableDiffusionPipeline\"}".getBytes(StandardCharsets.UTF_8));
        files.put("unet/config.json", "{}".getBytes(StandardCharsets.UTF_8));
        files.put(WEIGHTS, weights);
        files.put("unet/diffusion_pytorch_model.fp16.safetensors", new byte[] {1});
        files.put("unet/diffusion_pytorch_model.bin", new byte[] {2});
        files.put("unet/evil.py", new byte[] {3});
        files.put("tokenizer/merges.txt", "#version\n".getBytes(StandardCharsets.UTF_8));
        files.put("safety_checker/model.safetensors", new byte[] {4});
        files.put("v1-5-pruned.ckpt", new byte[] {5});
        hub = server(this::answerAsHub);
        store = server(this::answerAsStore);
    }

    private static HttpServer server(com.sun.net.httpserver.HttpHandler handler) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
        server.createContext("/", handler);
        server.setExecutor(Executors.newVirtualThreadPerTaskExecutor());
        server.start();
        return server;
    }

    @AfterEach
    void stop() {
        over.countDown();
        java.util.Objects.requireNonNull(hub).stop(0);
        java.util.Objects.requireNonNull(store).stop(0);
    }

    private static URI address(@Nullable HttpServer server) {
        InetSocketAddress address = java.util.Objects.requireNonNull(server).getAddress();
        return URI.create("http://" + address.getAddress().getHostAddress() + ":" + address.getPort());
    }

    private void answerAsHub(HttpExchange exchange) throws IOException {
        String path = exchange.getRequestURI().getPath();
        requests.add(exchange.getRequestMethod() + " " + path);
        if (!troubles.isEmpty()) {
            exchange.getResponseHeaders().add("Retry-After", "0");
            exchange.sendResponseHeaders(troubles.removeFirst(), -1);
        } else if (status != 200) {
            exchange.sendResponseHeaders(status, -1);
        } else if (path.startsWith("/api/models/org/tiny/revision/")) {
            StringBuilder json = new StringBuilder("{\"sha\": \"" + COMMIT + "\", \"siblings\": [");
            files.keySet()
                    .forEach(file ->
                            json.append("{\"rfilename\": \"").append(file).append("\"},"));
            json.setLength(json.length() - 1);
            send(exchange, 200, json.append("]}").toString().getBytes(StandardCharsets.UTF_8));
        } else {
            String file = path.substring(("/org/tiny/resolve/" + COMMIT + "/").length());
            byte[] content = java.util.Objects.requireNonNull(files.get(file), file);
            if (file.endsWith(".safetensors")) {
                exchange.getResponseHeaders()
                        .add(
                                "X-Linked-Etag",
                                '"' + (wrongHash ? hash("SHA-256", new byte[1]) : hash("SHA-256", content)) + '"');
                if (sizes) {
                    exchange.getResponseHeaders().add("X-Linked-Size", String.valueOf(content.length));
                }
                exchange.getResponseHeaders().add("Location", address(store) + "/" + file);
                exchange.sendResponseHeaders(302, -1);
            } else {
                byte[] blob = ("blob " + content.length + "\0" + new String(content, StandardCharsets.UTF_8))
                        .getBytes(StandardCharsets.UTF_8);
                exchange.getResponseHeaders().add("ETag", '"' + hash("SHA-1", blob) + '"');
                send(exchange, 200, content);
            }
        }
        exchange.close();
    }

    private void answerAsStore(HttpExchange exchange) throws IOException {
        String token = exchange.getRequestHeaders().getFirst("Authorization");
        if (token != null) {
            tokensAtStore.add(token);
        }
        byte[] content = java.util.Objects.requireNonNull(
                files.get(exchange.getRequestURI().getPath().substring(1)));
        String range = exchange.getRequestHeaders().getFirst("Range");
        requests.add("STORE " + range);
        int from = range == null ? 0 : Integer.parseInt(range.replaceAll("\\D", ""));
        hang(mute);
        if (from >= content.length) {
            exchange.getResponseHeaders().add("Content-Range", "bytes */" + content.length);
            exchange.sendResponseHeaders(416, -1);
            exchange.close();
            return;
        }
        byte[] rest = Arrays.copyOfRange(content, from, content.length);
        if (cutAfter >= 0) {
            exchange.sendResponseHeaders(range == null ? 200 : 206, rest.length);
            try {
                OutputStream out = exchange.getResponseBody();
                out.write(rest, 0, Math.min(cutAfter, rest.length));
                out.flush();
                hang(silent);
            } finally {
                cutAfter = -1;
                exchange.close();
            }
        } else {
            send(exchange, range == null ? 200 : 206, rest);
        }
    }

    private void hang(boolean really) {
        try {
            if (really) {
                silent = false;
                mute = false;
                over.await();
            }
        } catch (InterruptedException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void send(HttpExchange exchange, int code, byte[] body) throws IOException {
        boolean head = exchange.getRequestMethod().equals("HEAD");
        exchange.sendResponseHeaders(code, head ? -1 : body.length);
        if (!head) {
            exchange.getResponseBody().write(body);
        }
        exchange.close();
    }

    private static String hash(String algorithm, byte[] content) {
        try {
            return HexFormat.of().formatHex(MessageDigest.getInstance(algorithm).digest(content));
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }

    private Path pull(@Nullable String variant) {
        return pull(new HubCache(folder), variant);
    }

    private Path pull(HubCache cache, @Nullable String variant) {
        return new HubClient(address(hub), "secret", cache, Duration.ofMillis(5), patience)
                .pull("org/tiny", "main", variant, new HubClient.Listener() {
                    @Override
                    public void file(String path, long bytes, long present) {}

                    @Override
                    public void received(long bytes) {}
                });
    }

    private List<String> found(Path snapshot) {
        try (var walk = Files.walk(snapshot)) {
            return walk.filter(Files::isRegularFile)
                    .map(path -> snapshot.relativize(path).toString().replace('\\', '/'))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @Test
    void bringsWhatThePipelineNeedsInTheUsualLayout() throws IOException {
        Path snapshot = pull(null);
        assertThat(found(snapshot))
                .containsExactly("model_index.json", "tokenizer/merges.txt", "unet/config.json", WEIGHTS);
        assertThat(Files.readAllBytes(snapshot.resolve(WEIGHTS))).isEqualTo(files.get(WEIGHTS));
        assertThat(snapshot)
                .isEqualTo(
                        folder.resolve("models--org--tiny").resolve("snapshots").resolve(COMMIT));
        assertThat(new HubCache(folder).find("org/tiny")).contains(snapshot);
        assertThat(Files.isSymbolicLink(snapshot.resolve(WEIGHTS))).isTrue();
        assertThat(tokensAtStore).isEmpty();
        requests.clear();
        pull(null);
        assertThat(requests).noneMatch(request -> request.startsWith("STORE"));
    }

    @Test
    void takesAVariant() {
        assertThat(found(pull("fp16")))
                .contains("unet/diffusion_pytorch_model.fp16.safetensors")
                .doesNotContain(WEIGHTS);
    }

    @Test
    void goesOnAfterACut() throws IOException {
        cutAfter = 100_000;
        Path snapshot = pull(null);
        assertThat(Files.readAllBytes(snapshot.resolve(WEIGHTS))).isEqualTo(files.get(WEIGHTS));
        assertThat(requests).anyMatch(request -> request.matches("STORE bytes=[1-9]\\d*-"));
    }

    @Test
    void goesOnAfterAServerThatFallsSilent() throws IOException {
        patience = Duration.ofMillis(300);
        cutAfter = 100_000;
        silent = true;
        Path snapshot = pull(null);
        assertThat(Files.readAllBytes(snapshot.resolve(WEIGHTS))).isEqualTo(files.get(WEIGHTS));
        assertThat(requests).anyMatch(request -> request.matches("STORE bytes=[1-9]\\d*-"));
    }

    @Test
    void asksAgainWhereNoAnswerComes() throws IOException {
        patience = Duration.ofMillis(300);
        mute = true;
        Path snapshot = pull(null);
        assertThat(Files.readAllBytes(snapshot.resolve(WEIGHTS))).isEqualTo(files.get(WEIGHTS));
        assertThat(requests.stream().filter(request -> request.startsWith("STORE")))
                .hasSize(2);
    }

    /** Stopped between the last byte and the check, of a file whose size the hub does not say. */
    @Test
    void whatIsWholeIsNotAskedForAgain() throws IOException {
        sizes = false;
        byte[] weights = java.util.Objects.requireNonNull(files.get(WEIGHTS));
        for (byte[] there : new byte[][] {weights, Arrays.copyOf(weights, weights.length + 1)}) {
            HubCache cache = new HubCache(folder.resolve(String.valueOf(there.length)));
            Path part = cache.blob("org/tiny", hash("SHA-256", weights) + ".incomplete");
            Files.createDirectories(java.util.Objects.requireNonNull(part.getParent()));
            Files.write(part, there);
            requests.clear();
            Path snapshot = pull(cache, null);
            assertThat(Files.readAllBytes(snapshot.resolve(WEIGHTS))).isEqualTo(weights);
            assertThat(requests.contains("STORE null")).isEqualTo(there.length > weights.length);
        }
    }

    @Test
    void theOnlyRevisionThereIsIsTheModel() throws IOException {
        pull(null);
        Path main = folder.resolve("models--org--tiny").resolve("refs").resolve("main");
        Path other = Files.move(main, main.resolveSibling("v1.0"));
        assertThat(new HubCache(folder).find("org/tiny")).isPresent();
        Files.writeString(other.resolveSibling("v2.0"), COMMIT);
        assertThat(new HubCache(folder).find("org/tiny")).isEmpty();
        Files.writeString(main, COMMIT);
        assertThat(new HubCache(folder).find("org/tiny")).isPresent();
        assertThat(new HubCache(folder).find("org/other")).isEmpty();
    }

    @Test
    void deletesWhatDoesNotMatchItsHash() {
        wrongHash = true;
        assertThatThrownBy(() -> pull(null))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("expected the hash");
        assertThat(found(folder)).noneMatch(file -> file.endsWith(".incomplete"));
        assertThat(new HubCache(folder).find("org/tiny")).isEmpty();
    }

    @Test
    void waitsWhenAskedTo() {
        troubles.addAll(List.of(429, 503));
        assertThat(found(pull(null))).contains(WEIGHTS);
        troubles.addAll(List.of(429, 429, 429, 429, 429));
        assertThatThrownBy(() -> pull(null)).hasMessageContaining("429");
    }

    @Test
    void saysWhatIsWrong() {
        status = 401;
        assertThatThrownBy(() -> pull(null)).hasMessageContaining("HF_TOKEN");
        status = 404;
        assertThatThrownBy(() -> pull(null)).hasMessageContaining("404").hasMessageContaining("--revision");
        status = 418;
        assertThatThrownBy(() -> pull(null)).hasMessageContaining("418");
    }

    @Test
    void refusesPathsThatLeadOut() {
        for (String path :
                List.of("../evil.json", "/etc/passwd", "unet/../../x.json", "unet\\\\..\\\\x.json", "C:/x.json")) {
            files.put(path, new byte[0]);
            assertThatThrownBy(() -> pull(null)).as(path).hasMessageContaining("leads out");
            files.remove(path);
        }
        assertThat(found(folder)).isEmpty();
        assertThat(HubCache.isRepository("../x")).isFalse();
        assertThat(HubCache.isRepository("org/..")).isFalse();
        assertThat(HubCache.isRepository("org/a/b")).isFalse();
    }
}
