package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.PathMatcher;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/**
 * A layer, a model or a training step to measure: a folder that scripts/golden/peers.py wrote.
 *
 * @param folder weights, inputs, the expected output and the peers' graphs
 * @param title for readers
 * @param group the heading it stands under
 * @param kind what one run is
 * @param model what to build, for engines that build it themselves
 * @param inputs the names of the inputs in the order of the peers' graphs
 */
public record Row(Path folder, String title, String group, Kind kind, JsonNode model, List<String> inputs) {
    /** What one run is. */
    public enum Kind {
        /** A single layer. */
        OP,
        /** A whole network. */
        STEP,
        /** Forward, backward and the optimiser's update; the weights change from run to run. */
        TRAIN
    }

    /** A float32 tensor. */
    public record Values(int[] shape, float[] data) {}

    /** The rows of a folder in the order of their kinds, whose names match one of {@code patterns} (globs). */
    public static List<Row> in(Path folder, List<String> patterns) {
        List<PathMatcher> matchers = patterns.stream()
                .map(pattern -> FileSystems.getDefault().getPathMatcher("glob:" + pattern))
                .toList();
        List<Row> rows = new ArrayList<>();
        try (Stream<Path> children = Files.list(folder)) {
            children.filter(child -> Files.exists(child.resolve("row.json")))
                    .filter(child -> matchers.stream().anyMatch(matcher -> matcher.matches(child.getFileName())))
                    .sorted()
                    .forEach(child -> rows.add(read(child)));
        } catch (IOException e) {
            throw new DiffusionException(
                    folder + ": expected a folder written by scripts/golden/peers.py, found none; see --help", e);
        }
        rows.sort(java.util.Comparator.comparing(Row::kind).thenComparing(Row::group));
        return rows;
    }

    /** Reads the description in a row's folder. */
    public static Row read(Path folder) {
        JsonNode json = Json.read(folder.resolve("row.json"));
        List<String> inputs = new ArrayList<>();
        json.path("inputs").forEach(name -> inputs.add(name.asText()));
        return new Row(
                folder,
                json.path("title").asText(),
                json.path("group").asText(),
                Kind.valueOf(json.path("kind").asText().toUpperCase(java.util.Locale.ROOT)),
                json.path("model"),
                inputs);
    }

    /** The folder's name. */
    public String name() {
        return folder.getFileName().toString();
    }

    /** The inputs' values, by name in order. */
    public Map<String, Values> inputValues() {
        try (SafeTensors file = SafeTensors.open(folder.resolve("inputs.safetensors"))) {
            Map<String, Values> values = new LinkedHashMap<>();
            inputs.forEach(name -> values.put(name, new Values(file.shape(name), file.floats(name))));
            return values;
        }
    }

    /** What the runs return according to PyTorch: the output of the first run, or those of the first few end to end. */
    public float[] expected() {
        try (SafeTensors file = SafeTensors.open(folder.resolve("expected.safetensors"))) {
            return file.floats("output");
        }
    }

    /** A peer's graph, or a failure if the row has none. */
    public Path graph(String file) {
        Path path = folder.resolve(file);
        if (!Files.exists(path)) {
            throw new DiffusionException(path + ": expected the graph of a peer, found nothing");
        }
        return path;
    }

    /** Bytes of the weights. */
    public long weightBytes() {
        try {
            return Files.size(folder.resolve("diffusion_pytorch_model.safetensors"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }
}
