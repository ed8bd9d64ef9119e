package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Backend;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Golden;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CancellationException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Features of a narrow InceptionV3 with random weights, against torch (scripts/golden/inception.py). */
public abstract class InceptionParity {
    private static final List<String> NAMES = List.of("small", "wide", "grey", "large");

    @TempDir
    @SuppressWarnings("NullAway.Init")
    protected Path folder;

    /** What computes. */
    protected abstract Backend backend();

    /** The weights as a file. */
    public static Path weights(Path folder) throws IOException {
        Path file = folder.resolve("inception.safetensors");
        try (InputStream in = Objects.requireNonNull(
                InceptionParity.class.getResourceAsStream("/golden/inception_weights.safetensors"))) {
            Files.copy(in, file);
        }
        return file;
    }

    /** Pictures of several sizes by name. */
    public static Map<String, Picture> pictures(Golden golden) {
        Map<String, Picture> pictures = new LinkedHashMap<>();
        for (String name : NAMES) {
            int[] shape = golden.shape("picture." + name);
            float[] levels = golden.floats("picture." + name);
            int times = name.equals("large") ? 8 : 1; // its pixels are squares
            int width = shape[2] * times;
            byte[] data = new byte[levels.length * times * times];
            for (int i = 0; i < data.length; i++) {
                data[i] = (byte) levels[i / width / times * shape[2] + i % width / times];
            }
            pictures.put(name, new Picture(shape[0], shape[1] * times, width, data));
        }
        return pictures;
    }

    @Test
    void features() throws IOException {
        Golden golden = Golden.read("inception");
        List<Picture> pictures = new ArrayList<>(pictures(golden).values());
        pictures.addAll(List.copyOf(pictures)); // a batch and a part of one
        pictures.addFirst(pictures.getFirst());
        List<Integer> progress = new ArrayList<>();
        try (InceptionFeatures inception =
                new InceptionFeatures(weights(folder), backend(), () -> false, progress::add)) {
            double[][] found = inception.of(pictures);
            for (int i = 0; i < found.length; i++) {
                String name = NAMES.get(i == 0 ? 0 : (i - 1) % NAMES.size());
                float[] row = new float[found[i].length];
                for (int k = 0; k < row.length; k++) {
                    row[k] = (float) found[i][k];
                }
                Golden.assertClose(name, row, golden.floats("features." + name), 1e-4);
            }
            assertThat(inception.name()).contains("InceptionV3", "64 features", "inception.safetensors");
        }
        assertThat(progress).containsExactly(8, 1);
    }

    @Test
    void stopsBetweenBatches() throws IOException {
        try (InceptionFeatures inception = new InceptionFeatures(weights(folder), backend(), () -> true, _ -> {})) {
            assertThatThrownBy(() -> inception.of(List.of(new Picture(1, 1, 1, new byte[1]))))
                    .isInstanceOf(CancellationException.class);
        }
    }

    @Test
    void refusesOtherFiles() throws IOException {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        try (SafeTensors file = SafeTensors.open(weights(folder))) {
            for (String name : file.names()) {
                tensors.put(name, TensorData.of(file.shape(name), file.floats(name)));
            }
        }
        assertRefused("w.pth", tensors, "torch.load('w.pth')");
        String norm = "Mixed_6b.branch7x7_2.bn.running_var";
        TensorData statistics = Objects.requireNonNull(tensors.remove(norm));
        assertRefused("less.safetensors", tensors, "found no " + norm);
        tensors.put(norm, zeros(3));
        assertRefused("short.safetensors", tensors, norm + ": expected [4], found [3]");
        tensors.put(norm, zeros(1, 4));
        assertRefused("rank.safetensors", tensors, norm + ": expected 1 dimensions, found [1, 4]");
        tensors.put(norm, statistics);
        tensors.put("Mixed_6b.branch7x7_2.conv.bias", zeros(4));
        assertRefused("more.safetensors", tensors, "found 1 tensors that InceptionV3 has not");
        tensors.remove("Mixed_6b.branch7x7_2.conv.bias");
        tensors.put("fc.weight", zeros(1000, 2));
        assertRefused("imagenet.safetensors", tensors, "torchvision's weights");
        tensors.put("fc.weight", zeros(1008, 2));
        Path good = folder.resolve("with_fc.safetensors");
        SafeTensors.write(good, tensors, Map.of(), DType.F32);
        new InceptionFeatures(good, backend(), () -> false, _ -> {}).close();
    }

    private static TensorData zeros(int... shape) {
        return TensorData.of(shape, new float[Arrays.stream(shape).reduce(1, (a, b) -> a * b)]);
    }

    private void assertRefused(String name, Map<String, TensorData> tensors, String because) {
        Path file = folder.resolve(name);
        SafeTensors.write(file, tensors, Map.of(), DType.F32);
        assertThatThrownBy(() -> new InceptionFeatures(file, backend(), () -> false, _ -> {}))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining(because);
    }

    /** scipy's root of a singular matrix has six digits, hence the tolerance. */
    @Test
    void frechetDistances() {
        Golden golden = Golden.read("inception");
        for (String name : List.of("many", "few", "dead")) {
            assertThat(FrechetDistance.between(points(golden, name + ".a"), points(golden, name + ".b")))
                    .as(name)
                    .isCloseTo(golden.facts().path(name).doubleValue(), within(2e-6));
        }
    }

    private static double[][] points(Golden golden, String name) {
        int[] shape = golden.shape(name);
        double[][] points = new double[shape[0]][shape[1]];
        for (int i = 0; i < golden.floats(name).length; i++) {
            points[i / shape[1]][i % shape[1]] = golden.floats(name)[i];
        }
        return points;
    }
}
