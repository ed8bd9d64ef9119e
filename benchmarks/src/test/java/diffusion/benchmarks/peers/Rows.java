package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;

/** Rows as scripts/golden/peers.py writes them, but small. */
final class Rows {
    private Rows() {}

    /** y[1, 1] = 2 x + 1 for x[1, 1] = 3, with a given expectation. */
    static Row linear(Path folder, String name, float... expected) throws IOException {
        ObjectNode model = Json.object().put("type", "linear").put("in", 1).put("out", 1);
        Map<String, TensorData> weights = Map.of(
                "linear.weight", TensorData.of(new int[] {1, 1}, new float[] {2}),
                "linear.bias", TensorData.of(new int[] {1}, new float[] {1}));
        return write(
                folder.resolve(name),
                "op",
                model,
                weights,
                Map.of("x", TensorData.of(new int[] {1, 1}, new float[] {3})),
                expected);
    }

    static Row write(
            Path folder,
            String kind,
            ObjectNode model,
            Map<String, TensorData> weights,
            Map<String, TensorData> inputs,
            float... expected)
            throws IOException {
        Files.createDirectories(folder);
        ObjectNode json =
                Json.object().put("title", "row " + folder.getFileName()).put("group", "small rows");
        json.put("kind", kind).set("model", model);
        inputs.keySet().forEach(json.putArray("inputs")::add);
        Json.write(folder.resolve("row.json"), json);
        tensors(folder.resolve("diffusion_pytorch_model.safetensors"), weights);
        tensors(folder.resolve("inputs.safetensors"), inputs);
        tensors(
                folder.resolve("expected.safetensors"),
                Map.of("output", TensorData.of(new int[] {expected.length}, expected)));
        return Row.read(folder);
    }

    private static void tensors(Path path, Map<String, TensorData> tensors) {
        SafeTensors.write(path, tensors, Map.of("format", "pt"), DType.F32);
    }
}
