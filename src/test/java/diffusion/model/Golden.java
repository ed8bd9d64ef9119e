package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Tensor;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.scheduler.TorchRandom;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;

/** A file of what PyTorch computed; scripts/golden/README.md says what each one holds and how its weights were made. */
public record Golden(JsonNode facts, Map<String, float[]> tensors, Map<String, int[]> shapes) {
    /** Reads all of a file. */
    public static Golden read(String name) {
        Path file = null;
        // The tests of other modules find the resource inside a jar, which cannot be mapped.
        try (InputStream in =
                Objects.requireNonNull(Golden.class.getResourceAsStream("/golden/" + name + ".safetensors"), name)) {
            file = Files.createTempFile("golden", ".safetensors");
            Files.write(file, in.readAllBytes());
            try (SafeTensors golden = SafeTensors.open(file)) {
                Map<String, float[]> tensors = new LinkedHashMap<>();
                Map<String, int[]> shapes = new LinkedHashMap<>();
                for (String tensor : golden.names()) {
                    tensors.put(tensor, golden.floats(tensor));
                    shapes.put(tensor, golden.shape(tensor));
                }
                return new Golden(Json.parse(golden.metadata().getOrDefault("golden", ""), name), tensors, shapes);
            }
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        } finally {
            delete(file);
        }
    }

    private static void delete(@org.jspecify.annotations.Nullable Path file) {
        if (file != null) {
            try {
                Files.deleteIfExists(file);
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }

    /** The model that the file's config describes. */
    public DenoisingModel model() {
        return Models.fromConfig(facts.path("config"), "golden config");
    }

    /** A tensor's numbers, row-major. */
    public float[] floats(String name) {
        return Objects.requireNonNull(tensors.get(name), name);
    }

    /** A tensor's shape. */
    public int[] shape(String name) {
        return Objects.requireNonNull(shapes.get(name), name);
    }

    /** Weights by the rule of scripts/golden/common.py: each parameter from a seed that its place by name gives. */
    public static Map<Tensor, float[]> weights(Collection<Tensor> parameters) {
        Map<Tensor, float[]> weights = new LinkedHashMap<>();
        for (Tensor parameter : sorted(parameters)) {
            float[] w = new float[parameter.size()];
            new TorchRandom(1000 + weights.size()).normal(w);
            boolean vector = parameter.shape().length == 1;
            boolean fourier = vector && parameter.name().equals("time_proj.weight");
            boolean norm = vector && parameter.name().endsWith("weight");
            float scale = fourier ? 16 : vector ? 0.1f : (float) (1 / Math.sqrt(w.length / parameter.dim(0)));
            for (int i = 0; i < w.length; i++) {
                w[i] = (norm && !fourier ? 1 : 0) + scale * w[i];
            }
            weights.put(parameter, w);
        }
        return weights;
    }

    /** By name, as Python sorts. */
    public static List<Tensor> sorted(Collection<Tensor> tensors) {
        return tensors.stream().sorted(Comparator.comparing(Tensor::name)).toList();
    }

    /** Requires every element to be near, measured by the largest expected value. */
    public static void assertClose(String what, float[] found, float[] expected, double tolerance) {
        assertThat(found).as(what).hasSameSizeAs(expected);
        double largest = 1e-30;
        double error = 0;
        for (int i = 0; i < found.length; i++) {
            largest = Math.max(largest, Math.abs(expected[i]));
            error = Math.max(error, Math.abs((double) found[i] - expected[i]));
            assertThat(found[i]).as(what).isFinite();
        }
        assertThat(error / largest).as(what).isLessThan(tolerance);
    }

    /** The names of the runs in this file. */
    public List<String> runs() {
        List<String> runs = new ArrayList<>();
        facts().path("runs").fieldNames().forEachRemaining(runs::add);
        return runs;
    }

    /** Family and run, with a space between, of the runs in a file for each family. */
    public static List<String> runs(String prefix, String... families) {
        List<String> runs = new ArrayList<>();
        for (String family : families) {
            read(prefix + family).runs().forEach(run -> runs.add(family + " " + run));
        }
        return runs;
    }
}
