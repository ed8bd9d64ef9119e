package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/**
 * A pipeline folder as diffusers lays it out: model_index.json, unet/config.json, unet/*.safetensors and
 * scheduler/scheduler_config.json; a bare folder of config.json and weights is read too.
 */
public final class ModelFolder {
    /** The version of diffusers whose layout is written. */
    public static final String DIFFUSERS_VERSION = "0.40.0";

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

    /** Reads the weights; every parameter must be there in its shape and finite, and nothing else may be. */
    public void loadWeights(Parameters parameters, BiConsumer<Tensor, float[]> write) {
        Path path = weightsFile();
        try (SafeTensors file = SafeTensors.open(path)) {
            Map<String, String> names = names(file);
            List<String> problems = problems(parameters, file, names);
            if (!problems.isEmpty()) {
                throw new DiffusionException(path + ": the weights do not fit the model's config.json: "
                        + String.join("; ", problems.subList(0, Math.min(5, problems.size())))
                        + (problems.size() > 5 ? "; and " + (problems.size() - 5) + " more" : ""));
            }
            for (Tensor parameter : parameters.all()) {
                float[] values = file.floats(java.util.Objects.requireNonNull(names.get(parameter.name())));
                requireFinite(path, parameter.name(), values);
                write.accept(parameter, values);
            }
        }
    }

    /** What keeps the weights from fitting: missing, unexpected and wrongly shaped parameters; empty if all is well. */
    public List<String> problems(Parameters parameters) {
        try (SafeTensors file = SafeTensors.open(weightsFile())) {
            return problems(parameters, file, names(file));
        }
    }

    private static List<String> problems(Parameters parameters, SafeTensors file, Map<String, String> names) {
        List<String> problems = new ArrayList<>();
        for (Tensor parameter : parameters.all()) {
            String stored = names.get(parameter.name());
            if (stored == null) {
                problems.add("missing " + parameter.name());
            } else if (!Arrays.equals(file.shape(stored), parameter.shape())) {
                problems.add("%s is %s, expected %s"
                        .formatted(
                                parameter.name(),
                                Arrays.toString(file.shape(stored)),
                                Arrays.toString(parameter.shape())));
            }
        }
        for (String name : names.keySet()) {
            if (parameters.find(name) == null) {
                problems.add("unexpected " + name);
            }
        }
        return problems;
    }

    /** Current parameter names to those in the file. */
    private static Map<String, String> names(SafeTensors file) {
        Map<String, String> names = new LinkedHashMap<>();
        for (String stored : file.names()) {
            String other = names.put(currentName(stored), stored);
            if (other != null) {
                throw new DiffusionException("the weights hold both " + other + " and " + stored
                        + ", old and new name of one parameter; remove one of them");
            }
        }
        return names;
    }

    /** The name diffusers gives today to a parameter of its first attention blocks. */
    static String currentName(String stored) {
        if (!stored.contains("attentions.")) {
            return stored;
        }
        return stored.replace(".query.", ".to_q.")
                .replace(".key.", ".to_k.")
                .replace(".value.", ".to_v.")
                .replace(".proj_attn.", ".to_out.0.");
    }

    private Path weightsFile() {
        for (String name : List.of(
                WEIGHTS,
                WEIGHTS + ".index.json",
                "diffusion_pytorch_model.fp16.safetensors",
                WEIGHTS + ".index.fp16.json",
                "model.safetensors")) {
            Path path = unet.resolve(name);
            if (Files.exists(path)) {
                return path;
            }
        }
        boolean pickled = Files.exists(unet.resolve("diffusion_pytorch_model.bin"));
        throw new DiffusionException(unet + ": expected " + WEIGHTS + ", found "
                + (pickled
                        ? "only a pickled .bin, which can run code and is not read; convert it to safetensors first"
                        : "no weights"));
    }

    private static void requireFinite(Path path, String name, float[] values) {
        for (float value : values) {
            if (!Float.isFinite(value)) {
                throw new DiffusionException(
                        path + ": expected finite weights, found " + value + " in " + name + "; the file is damaged");
            }
        }
    }

    /**
     * Writes a pipeline folder, whole or not at all.
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
        AtomicFiles.writeFolder(folder, target -> {
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
