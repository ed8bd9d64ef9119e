package diffusion.model;

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
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A pipeline folder as diffusers lays it out: model_index.json, unet/config.json, unet/*.safetensors and
 * scheduler/scheduler_config.json; a bare folder of config.json and weights is read too.
 */
public final class ModelFolder {
    /** The version of diffusers whose layout is written. */
    public static final String DIFFUSERS_VERSION = "0.40.0";

    /** The files that {@link #write} writes. */
    public static final Set<String> FILES = Set.of(
            "model_index.json",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors");

    private static final String WEIGHTS = "diffusion_pytorch_model.safetensors";

    private final Path folder;
    private final Path unet;

    private ModelFolder(Path folder, Path unet) {
        this.folder = folder;
        this.unet = unet;
    }

    /** Finds the parts of a folder; throws if it holds no model. */
    public static ModelFolder open(Path folder) {
        AtomicFiles.recoverFolder(folder);
        if (!Files.isDirectory(folder)) {
            throw new DiffusionException(
                    folder + ": expected a model folder, found " + (Files.exists(folder) ? "a file" : "nothing")
                            + "; give a folder with model_index.json or config.json");
        }
        for (Path unet : List.of(folder.resolve("unet"), folder)) {
            if (Files.exists(unet.resolve("config.json"))) {
                return new ModelFolder(folder, unet);
            }
        }
        throw new DiffusionException(folder + ": expected unet/config.json or config.json, found neither; is it a"
                + " diffusers model folder?");
    }

    /** The model, without weights. */
    public DenoisingModel model() {
        Path config = unet.resolve("config.json");
        return Models.fromConfig(Json.read(config), config.toString());
    }

    /** scheduler/scheduler_config.json, or null if there is none. */
    public @Nullable JsonNode schedulerConfig() {
        for (Path path : List.of(
                folder.resolve("scheduler").resolve("scheduler_config.json"),
                folder.resolve("scheduler_config.json"))) {
            if (Files.exists(path)) {
                return Json.read(path);
            }
        }
        return null;
    }

    /** model_index.json, or an empty object. */
    public JsonNode index() {
        Path path = folder.resolve("model_index.json");
        return Files.exists(path) ? Json.read(path) : Json.object();
    }

    /** The weights. */
    public WeightSource weights() {
        return WeightSource.inFolder(unet);
    }

    /**
     * Writes a pipeline folder, whole or not at all; a folder that is there may hold nothing but {@link #FILES}.
     *
     * @param pipeline diffusers' pipeline class, such as DDPMPipeline
     * @param extra further entries of model_index.json; keys begin with an underscore, so that diffusers passes over them
     * @param dtype F32, F16 or BF16
     */
    public static void write(
            Path folder,
            DenoisingModel model,
            String pipeline,
            ObjectNode schedulerConfig,
            ObjectNode extra,
            Function<Tensor, float[]> read,
            DType dtype) {
        AtomicFiles.writeFolder(folder, FILES, target -> {
            String library = model instanceof UNet2DModel ? "diffusers" : "diffusion";
            ObjectNode index = Json.object();
            index.put("_class_name", pipeline);
            index.put("_diffusers_version", DIFFUSERS_VERSION);
            index.setAll(extra);
            index.putArray("scheduler")
                    .add("diffusers")
                    .add(schedulerConfig.path("_class_name").asText());
            index.putArray("unet")
                    .add(library)
                    .add(model.config().path("_class_name").asText());
            Json.write(target.resolve("model_index.json"), index);
            Files.createDirectories(target.resolve("scheduler"));
            Json.write(target.resolve("scheduler").resolve("scheduler_config.json"), schedulerConfig);
            Files.createDirectories(target.resolve("unet"));
            Json.write(target.resolve("unet").resolve("config.json"), model.config());
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            for (Tensor parameter : model.parameters().all()) {
                tensors.put(parameter.name(), TensorData.lazy(parameter.shape(), () -> read.apply(parameter)));
            }
            SafeTensors.write(target.resolve("unet").resolve(WEIGHTS), tensors, Map.of("format", "pt"), dtype);
        });
    }
}
