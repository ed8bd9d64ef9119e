package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;

/** The other end of a {@link Worker}: a child process that is asked and answers. */
public final class Contestant implements AutoCloseable {
    /** Starts the process of an engine. */
    @FunctionalInterface
    public interface Starter {
        /** A started process. */
        Process start() throws IOException;
    }

    private final String name;
    private final Process process;
    private final PrintStream requests;
    private final BufferedReader answers;

    /** Starts a contestant; {@code name} is for messages. */
    public Contestant(String name, Starter starter) {
        this.name = name;
        try {
            process = starter.start();
        } catch (IOException e) {
            throw new DiffusionException("cannot start " + name + ": " + e.getMessage() + "; check its path", e);
        }
        requests = new PrintStream(process.getOutputStream(), true, StandardCharsets.UTF_8);
        answers = process.inputReader(StandardCharsets.UTF_8);
    }

    /** A {@link Worker} in a Java like this one, with the flags of scripts/diffusion. */
    public static Starter java(String engine, int threads) {
        List<String> command = new ArrayList<>();
        command.add(ProcessHandle.current().info().command().orElse("java"));
        command.addAll(List.of(
                "-XX:+UseSerialGC",
                "-XX:MaxNewSize=96m",
                "--add-modules=jdk.incubator.vector",
                "--enable-native-access=ALL-UNNAMED"));
        System.getProperties().stringPropertyNames().stream()
                .filter(key -> key.startsWith("ai.djl."))
                .forEach(key -> command.add("-D" + key + "=" + System.getProperty(key)));
        command.addAll(List.of("-cp", System.getProperty("java.class.path"), Worker.class.getName()));
        return process(command, engine, threads);
    }

    /** A worker of any language, given engine and number of threads as its last arguments. */
    public static Starter process(List<String> command, String engine, int threads) {
        List<String> all = Stream.concat(command.stream(), Stream.of(engine, String.valueOf(threads)))
                .toList();
        return () -> {
            ProcessBuilder builder = new ProcessBuilder(all).redirectError(ProcessBuilder.Redirect.DISCARD);
            // What OpenMP and MKL in the peers listen to.
            builder.environment()
                    .putAll(Map.of(
                            "OMP_NUM_THREADS", String.valueOf(threads),
                            "MKL_NUM_THREADS", String.valueOf(threads),
                            "OPT_OUT_TRACKING", "true"));
            return builder.start();
        };
    }

    /** Loads a row; the answer has version, difference, seconds, flops and bytes. */
    public JsonNode load(Row row) {
        return ask(Json.object().put("load", row.folder().toAbsolutePath().toString()));
    }

    /** Runs at least so long and so often; the answer has the seconds of each run. */
    public JsonNode run(double seconds, int least) {
        return ask(Json.object().put("run", seconds).put("least", least));
    }

    private JsonNode ask(ObjectNode request) {
        requests.println(request);
        try {
            for (String line = answers.readLine(); line != null; line = answers.readLine()) {
                if (line.startsWith("{")) {
                    JsonNode answer = Json.parse(line, name);
                    if (answer.has("error")) {
                        throw new DiffusionException(
                                name + " failed: " + answer.path("error").asText());
                    }
                    return answer;
                }
            }
            throw new DiffusionException("%s ended with status %d instead of an answer; is there enough memory?"
                    .formatted(name, process.waitFor())
                    .toLowerCase(Locale.ROOT));
        } catch (IOException e) {
            throw new DiffusionException(name + " does not answer: " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DiffusionException(name + " was interrupted", e);
        }
    }

    /** Ends the process. */
    @Override
    public void close() {
        requests.close();
        try {
            process.waitFor(5, java.util.concurrent.TimeUnit.SECONDS);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        process.destroyForcibly();
    }
}
