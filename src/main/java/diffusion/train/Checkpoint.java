package diffusion.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Tensor;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The state of a training run on disk: a folder with state.json and state.safetensors, replaced as a whole.
 *
 * <p>A run killed at any moment leaves the last checkpoint or the new one. Random numbers and the place in the data follow
 * from the number of steps, so they need no storage.
 */
public final class Checkpoint {
    private static final String STATE = "state.json";
    private static final String TENSORS = "state.safetensors";

    /** The files that {@link #write} writes. */
    static final Set<String> FILES = Set.of(STATE, TENSORS);

    private Checkpoint() {}

    /** Writes the state of a run. */
    public static void write(Path folder, Trainer trainer) {
        AtomicFiles.writeFolder(folder, FILES, target -> {
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            trainer.tensors()
                    .forEach((name, tensor) -> tensors.put(
                            name,
                            TensorData.lazy(
                                    tensor.shape(), () -> trainer.program().read(tensor))));
            SafeTensors.write(target.resolve(TENSORS), tensors, Map.of(), DType.F32);
            ObjectNode state = Json.object();
            state.put("step", trainer.step());
            state.set("config", trainer.config().toJson());
            Json.write(target.resolve(STATE), state);
        });
    }

    /** Whether there is a checkpoint; one that a kill left between two renames is put back first. */
    public static boolean exists(Path folder) {
        AtomicFiles.recoverFolder(folder);
        return Files.exists(folder.resolve(STATE));
    }

    /** The configuration of the run in a folder. */
    public static JsonNode config(Path folder) {
        return Json.read(folder.resolve(STATE)).path("config");
    }

    /** Puts a new trainer of the same configuration into the state of a folder. */
    public static void restore(Path folder, Trainer trainer) {
        JsonNode state = Json.read(folder.resolve(STATE));
        if (!state.path("step").isIntegralNumber()) {
            throw new DiffusionException(
                    folder.resolve(STATE) + ": expected a number for \"step\", found " + state.path("step"));
        }
        Path file = folder.resolve(TENSORS);
        try (SafeTensors tensors = SafeTensors.open(file)) {
            for (Map.Entry<String, Tensor> entry : trainer.tensors().entrySet()) {
                String name = entry.getKey();
                Tensor tensor = entry.getValue();
                if (!tensors.contains(name) || !Arrays.equals(tensors.shape(name), tensor.shape())) {
                    throw new DiffusionException(file + ": expected " + name + " as " + Arrays.toString(tensor.shape())
                            + ", found "
                            + (tensors.contains(name) ? Arrays.toString(tensors.shape(name)) : "nothing")
                            + "; was the run started with another model?");
                }
                trainer.program().write(tensor, tensors.floats(name));
            }
        }
        trainer.resumeAt(state.path("step").asLong());
    }
}
