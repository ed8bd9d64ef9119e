package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.report.Difference;
import java.io.BufferedReader;
import java.io.FileDescriptor;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.io.Reader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.ServiceLoader;

/**
 * One engine with one row, in a process of its own: reads a JSON request a line and answers each with a JSON line.
 *
 * <p>{@code {"load": folder}} loads a row and compares its output; {@code {"run": seconds, "least": n}} runs it at least
 * so long and so often; both are answered with the peak of the process's memory. End of input ends the worker.
 */
public final class Worker {
    private static final int LONGEST = 400;
    private static final Path STATUS = Path.of("/proc/self/status");

    private final Engine engine;
    private final int threads;

    Worker(Engine engine, int threads) {
        this.engine = engine;
        this.threads = threads;
    }

    /** {@code Worker ENGINE THREADS}. */
    @SuppressWarnings("SystemOut")
    public static void main(String[] args) throws IOException {
        // Libraries print to standard output, so answers alone must reach it.
        PrintStream answers = new PrintStream(new FileOutputStream(FileDescriptor.out), true, StandardCharsets.UTF_8);
        System.setOut(System.err);
        new Worker(engine(args[0]), Integer.parseInt(args[1]))
                .serve(new InputStreamReader(System.in, StandardCharsets.UTF_8), answers);
        System.exit(0); // libraries leave threads behind
    }

    /** The engine of a name. */
    static Engine engine(String name) {
        return ServiceLoader.load(Engine.class).stream()
                .map(ServiceLoader.Provider::get)
                .filter(engine -> engine.name().equals(name))
                .findFirst()
                .orElseThrow(() -> new DiffusionException("no engine named " + name
                        + "; the class path lacks its library, build with scripts/diffusion-bench peers"));
    }

    /** Answers until the input ends; a failure is an answer too, and the last one. */
    void serve(Reader in, PrintStream out) throws IOException {
        try (engine;
                BufferedReader lines = new BufferedReader(in)) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                out.println(answer(Json.parse(line, "request")));
            }
        } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
            out.println(Json.object().put("error", brief(e.toString())));
        }
    }

    /** First and last line: libtorch's messages hold whole programs between them. */
    static String brief(String message) {
        List<String> lines = message.lines()
                .map(String::strip)
                .filter(line -> !line.isEmpty())
                .toList();
        String text = lines.size() < 2 ? message.strip() : lines.getFirst() + " ... " + lines.getLast();
        return text.length() <= LONGEST ? text : text.substring(0, LONGEST) + " ...";
    }

    private ObjectNode answer(JsonNode request) {
        ObjectNode answer = request.has("load")
                ? load(Row.read(Path.of(request.path("load").asText())))
                : run(request.path("run").asDouble(), request.path("least").asInt());
        return answer.put("peak_bytes", peakBytes());
    }

    private ObjectNode load(Row row) {
        long start = System.nanoTime();
        Engine.Loaded loaded = engine.load(row, threads);
        double seconds = (System.nanoTime() - start) / 1e9;
        float[] expected = row.expected();
        float[] actual = new float[expected.length];
        for (int at = 0; at < actual.length; ) {
            engine.run();
            float[] output = engine.output();
            if (actual.length % output.length != 0) {
                throw new DiffusionException(
                        "expected an output of " + expected.length + " numbers, found " + output.length);
            }
            System.arraycopy(output, 0, actual, at, output.length);
            at += output.length;
        }
        Difference difference = Difference.of(expected, actual);
        return Json.object()
                .put("version", loaded.version())
                .put("seconds", seconds)
                .put("flops", loaded.flops())
                .put("bytes", loaded.bytes())
                .put("difference", difference.absolute() / difference.largest());
    }

    private ObjectNode run(double seconds, int least) {
        double[] times = new double[16];
        int n = 0;
        long begin = System.nanoTime();
        while (n < least || System.nanoTime() - begin < seconds * 1e9) {
            long start = System.nanoTime();
            engine.run();
            if (n == times.length) {
                times = Arrays.copyOf(times, 2 * n);
            }
            times[n++] = (System.nanoTime() - start) / 1e9;
        }
        ObjectNode answer = Json.object();
        ArrayNode list = answer.putArray("seconds");
        Arrays.stream(times, 0, n).forEach(list::add);
        return answer;
    }

    /** The most memory this process ever had resident, as Linux says; 0 elsewhere. */
    private static long peakBytes() {
        try {
            return Files.readAllLines(STATUS).stream()
                    .filter(line -> line.startsWith("VmHWM:"))
                    .mapToLong(line -> 1024 * Long.parseLong(line.replaceAll("[^0-9]", "")))
                    .findFirst()
                    .orElse(0);
        } catch (IOException e) {
            return 0;
        }
    }
}
