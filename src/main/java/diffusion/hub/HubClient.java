package diffusion.hub;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** The hub over HTTP: what a repository holds, and downloads that go on where they were cut and are checked by their hash. */
public final class HubClient {
    /** Told about progress. */
    public interface Listener {
        /** A file of so many bytes begins, some of which may be here already. */
        void file(String path, long bytes, long present);

        /** More bytes have come. */
        void received(long bytes);
    }

    /** The commit that a revision is, and the files it has. */
    record Listing(String commit, List<String> files) {}

    private static final int REDIRECTS = 5;
    private static final int TRIES = 5;
    private static final Pattern HASH = Pattern.compile("[0-9a-f]{40}|[0-9a-f]{64}");
    private static final Pattern ETAG = Pattern.compile("[A-Za-z0-9._-]{1,128}");

    private final URI endpoint;
    private final @Nullable String token;
    private final HubCache cache;
    private final Duration pause;
    private final Duration patience;
    private final HttpClient http = HttpClient.newBuilder()
            .followRedirects(HttpClient.Redirect.NEVER)
            .connectTimeout(Duration.ofSeconds(30))
            .build();

    /**
     * A client.
     *
     * @param endpoint such as https://huggingface.co, without a slash at its end
     * @param token for models that want one; null for none
     * @param pause before a request is repeated
     * @param patience with a server that sends nothing, before the request is given up and repeated
     */
    public HubClient(URI endpoint, @Nullable String token, HubCache cache, Duration pause, Duration patience) {
        this.endpoint = endpoint;
        this.token = token;
        this.cache = cache;
        this.pause = pause;
        this.patience = patience;
    }

    /**
     * Downloads what a pipeline needs of a repository.
     *
     * @param variant of the weights, such as fp16; null for those without one
     * @return the folder of the snapshot
     */
    public Path pull(String repository, String revision, @Nullable String variant, Listener listener) {
        if (!HubCache.isRepository(repository)) {
            throw new DiffusionException(
                    "expected a repository such as stabilityai/sd-turbo, found \"" + repository + "\"");
        }
        HubCache.requireRevision(revision);
        try {
            Listing listing = list(repository, revision);
            for (String path : HubFiles.needed(listing.files, variant, repository)) {
                download(repository, listing.commit, path, listener);
            }
            cache.writeRef(repository, revision, listing.commit);
            return cache.snapshot(repository, listing.commit);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DiffusionException("stopped; the same command goes on where this one was", e);
        } catch (IOException e) {
            String why = e.getMessage() == null ? e.getClass().getSimpleName() : e.getMessage();
            throw new DiffusionException(
                    "cannot reach " + endpoint + " or write the cache: " + why
                            + "; the same command goes on where this one was",
                    e);
        }
    }

    private Listing list(String repository, String revision) throws IOException, InterruptedException {
        URI uri = at("/api/models/" + repository + "/revision/" + revision);
        try (InputStream body = new ImpatientStream(get(uri, 0, repository).body(), patience)) {
            JsonNode json = Json.parse(new String(body.readAllBytes(), StandardCharsets.UTF_8), uri.toString());
            String commit = json.path("sha").asText();
            if (!HASH.matcher(commit).matches()) {
                throw new DiffusionException(uri + ": expected a commit in \"sha\", found \"" + commit + "\"");
            }
            List<String> files = new ArrayList<>();
            json.path("siblings")
                    .forEach(file -> files.add(file.path("rfilename").asText()));
            return new Listing(commit, files);
        }
    }

    /** A place at the hub, which may be below a path of its own. */
    private URI at(String path) {
        return URI.create(endpoint + path);
    }

    private void download(String repository, String commit, String path, Listener listener)
            throws IOException, InterruptedException {
        URI uri = at("/" + repository + "/resolve/" + commit + "/" + path.replace(" ", "%20"));
        for (int attempt = 1; ; attempt++) {
            try {
                tryDownload(uri, repository, commit, path, listener);
                return;
            } catch (IOException e) {
                if (attempt == TRIES) {
                    throw e;
                }
                Thread.sleep(pause);
            }
        }
    }

    private void tryDownload(URI uri, String repository, String commit, String path, Listener listener)
            throws IOException, InterruptedException {
        HttpResponse<InputStream> head = request(uri, "HEAD", 0, repository, false);
        head.body().close();
        String etag = etag(head)
                .orElseThrow(() -> new DiffusionException(uri + ": expected an ETag in the answer, found none"));
        Path blob = cache.blob(repository, etag);
        if (!Files.exists(blob)) {
            Path part = blob.resolveSibling(etag + ".incomplete");
            Files.createDirectories(blob.getParent());
            long present = Files.exists(part) ? Files.size(part) : 0;
            long size = head.headers()
                    .firstValueAsLong("X-Linked-Size")
                    .orElse(head.headers().firstValueAsLong("Content-Length").orElse(-1));
            listener.file(path, size, present);
            if (size < 0 || present < size) {
                receive(uri, repository, part, present, listener);
            }
            requireHash(path, part, etag, size);
            Files.move(part, blob, StandardCopyOption.ATOMIC_MOVE);
        }
        cache.link(repository, commit, path, etag);
    }

    private void receive(URI uri, String repository, Path part, long present, Listener listener)
            throws IOException, InterruptedException {
        HttpResponse<InputStream> answer = get(uri, present, repository);
        if (answer.statusCode() == 416) {
            answer.body().close();
            if (!answer.headers().firstValue("Content-Range").orElse("").equals("bytes */" + present)) {
                Files.delete(part);
                throw new IOException(uri + " has no bytes from " + present + " on; what was there is deleted");
            }
            return; // all of it is there
        }
        boolean resumed = present > 0 && answer.statusCode() == 206;
        try (InputStream in = new ImpatientStream(answer.body(), patience);
                OutputStream out = Files.newOutputStream(
                        part,
                        StandardOpenOption.CREATE,
                        resumed ? StandardOpenOption.APPEND : StandardOpenOption.TRUNCATE_EXISTING,
                        StandardOpenOption.WRITE)) {
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                out.write(buffer, 0, n);
                listener.received(n);
            }
        }
    }

    private HttpResponse<InputStream> get(URI uri, long from, String repository)
            throws IOException, InterruptedException {
        return request(uri, "GET", from, repository, true);
    }

    /** Follows redirects itself: to other hosts the token must not go, and a HEAD stops at the hub, which knows the hash. */
    private HttpResponse<InputStream> request(URI uri, String method, long from, String repository, boolean follow)
            throws IOException, InterruptedException {
        URI at = uri;
        int tries = 0;
        for (int redirects = 0; redirects <= REDIRECTS; ) {
            HttpRequest.Builder builder =
                    HttpRequest.newBuilder(at).method(method, HttpRequest.BodyPublishers.noBody());
            if (token != null && sameHost(at, endpoint)) {
                builder.header("Authorization", "Bearer " + token);
            }
            if (from > 0) {
                builder.header("Range", "bytes=" + from + "-");
            }
            HttpResponse<InputStream> answer = send(builder.build());
            int status = answer.statusCode();
            boolean redirect =
                    status / 100 == 3 && answer.headers().firstValue("Location").isPresent();
            if (redirect) {
                URI next = at.resolve(answer.headers().firstValue("Location").orElseThrow());
                if (!follow && (!sameHost(next, endpoint) || etag(answer).isPresent())) {
                    return answer;
                }
                answer.body().close();
                at = next;
                redirects++;
            } else if (status == 429 || status >= 500) {
                answer.body().close();
                if (++tries == TRIES) {
                    throw new DiffusionException(at + " answered " + status + " " + TRIES
                            + " times; try again later, the same command goes on where this one was");
                }
                long seconds = answer.headers().firstValueAsLong("Retry-After").orElse(0);
                Thread.sleep(pause.plusSeconds(Math.min(seconds, 60)));
            } else if (status / 100 == 2 || status == 416 && from > 0) {
                return answer;
            } else {
                answer.body().close();
                throw refused(at, status, repository);
            }
        }
        throw new DiffusionException(uri + " redirects more than " + REDIRECTS + " times");
    }

    /** Waits for the head of an answer alone: the timeout of a request ends with the head in Java 25, with the body later. */
    private HttpResponse<InputStream> send(HttpRequest request) throws IOException, InterruptedException {
        Future<HttpResponse<InputStream>> answer = http.sendAsync(request, HttpResponse.BodyHandlers.ofInputStream());
        try {
            return answer.get(patience.toMillis(), TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            throw new IOException("no answer within " + patience.toSeconds() + " s", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof IOException cause ? cause : new IOException(e.getCause());
        } finally {
            answer.cancel(true); // does nothing to one that has come
        }
    }

    private static boolean sameHost(URI a, URI b) {
        return a.getHost() != null && a.getHost().equals(b.getHost()) && a.getPort() == b.getPort();
    }

    private DiffusionException refused(URI uri, int status, String repository) {
        return new DiffusionException(
                switch (status) {
                    case 401, 403 ->
                        repository + ": the hub refuses (" + status
                                + "); the model is private, gated or not there: accept"
                                + " its terms on its page and set HF_TOKEN"
                                + (token == null ? "" : " to a token that may read it");
                    case 404 ->
                        repository + ": the hub has nothing at " + uri + " (404); check the name and --revision";
                    default -> uri + " answered " + status + ", expected 200";
                });
    }

    private static Optional<String> etag(HttpResponse<?> answer) {
        return answer.headers()
                .firstValue("X-Linked-Etag")
                .or(() -> answer.headers().firstValue("ETag"))
                .map(value -> value.replaceFirst("^W/", "").replace("\"", ""))
                .filter(value -> ETAG.matcher(value).matches() && !value.startsWith("."));
    }

    /** A large file's ETag is its SHA-256, a small one's the SHA-1 that git gives it. */
    private static void requireHash(String path, Path part, String etag, long size) throws IOException {
        long found = Files.size(part);
        if (size >= 0 && found < size) {
            throw new IOException(path + " was cut after " + found + " of " + size + " bytes");
        }
        boolean large = etag.length() == 64;
        if (!HASH.matcher(etag).matches()) {
            return;
        }
        try (InputStream in = Files.newInputStream(part)) {
            MessageDigest digest = MessageDigest.getInstance(large ? "SHA-256" : "SHA-1");
            if (!large) {
                digest.update(("blob " + found + "\0").getBytes(StandardCharsets.US_ASCII));
            }
            byte[] buffer = new byte[1 << 16];
            for (int n = in.read(buffer); n >= 0; n = in.read(buffer)) {
                digest.update(buffer, 0, n);
            }
            String hash = HexFormat.of().formatHex(digest.digest());
            if (!hash.equals(etag)) {
                Files.delete(part);
                throw new DiffusionException(path + ": expected the hash " + etag + ", found " + hash
                        + "; the download was damaged and is deleted, try again");
            }
        } catch (NoSuchAlgorithmException e) {
            throw new IllegalStateException(e);
        }
    }
}
