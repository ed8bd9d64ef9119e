package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.model.CLIPTextModel;
import diffusion.model.UNet2DConditionModel;
import diffusion.model.WeightSource;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.regex.PatternSyntaxException;
import org.jspecify.annotations.Nullable;

/**
 * Low-rank changes of weights (Hu et al. 2022) merged while the weights are loaded: W + weight * alpha / rank * up down, for
 * linear layers and convolutions (LoCon), in the files of diffusers, peft and kohya. They are always merged: a pipeline loads its
 * weights for each run, so weights kept apart would cost two more products at every step and could not be changed any sooner.
 */
public final class Lora implements WeightAdjustment {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final int SHOWN = 3;
    private static final String METADATA = "lora_adapter_metadata";
    private static final Pattern KEY = Pattern.compile(
            "(.+?)(?:\\.lora_A|\\.lora_B|\\.lora_down|\\.lora_up|\\.lora\\.down|\\.lora\\.up|_lora\\.down|_lora\\.up)"
                    + "(?:\\.default)?\\.weight|(.+)\\.alpha");
    private static final Map<String, String> KOHYA = Map.of(
            "lora_unet_", "unet",
            "lora_te_", "text_encoder",
            "lora_te1_", "text_encoder",
            "lora_te2_", "text_encoder_2");
    private static final Pattern ORIGINAL_PLACE =
            Pattern.compile("(input|output)_blocks_(\\d+)_(\\d+)_(.+)|middle_block_(\\d)_(.+)");

    /** Two factors of a change: up [out, rank] and down [rank, in], both flattened. */
    private record Change(float[] up, float[] down, int rank, float scale) {}

    private final Map<String, List<Change>> changes = new HashMap<>(); // by part and weight

    /** One file in reading. */
    private static final class Module {
        @Nullable
        String up;

        @Nullable
        String down;

        @Nullable
        String alpha;
    }

    private static String key(String part, String weight) {
        return part + "/" + weight;
    }

    /**
     * Adds a file.
     *
     * @param weight how much of the change is merged, 1 for all
     * @throws DiffusionException if the file does not fit the model, with the first places that do not
     */
    public void add(Path path, double weight, StableDiffusionComponents components) {
        Map<String, Tensor> known = new LinkedHashMap<>();
        Map<String, String> flat = new HashMap<>();
        collect("unet", new UNet2DConditionModel(components.unet()).parameters().all(), known, flat);
        for (StableDiffusionComponents.Text text : components.texts()) {
            collect(text.part(), new CLIPTextModel(text.config()).parameters().all(), known, flat);
        }
        int layers = components.unet().layersPerBlock().getFirst();
        try (SafeTensors file = SafeTensors.open(path)) {
            Map<String, Module> modules = modules(path, file);
            String trained = file.metadata().getOrDefault(METADATA, "{}");
            JsonNode settings = Json.parse(trained, path + ", " + METADATA);
            List<String> unknown = new ArrayList<>();
            modules.forEach((name, module) -> {
                String place = place(name, flat, known, layers);
                if (place == null) {
                    unknown.add(name);
                } else {
                    Tensor target = Objects.requireNonNull(known.get(place));
                    changes.computeIfAbsent(place, _ -> new ArrayList<>())
                            .add(change(path, file, name, module, target, weight, settings));
                }
            });
            if (!unknown.isEmpty()) {
                throw new DiffusionException("--lora: " + path + " changes " + unknown.size() + " of " + modules.size()
                        + " places that " + components.name() + " does not have, such as "
                        + String.join(", ", unknown.subList(0, Math.min(SHOWN, unknown.size())))
                        + "; it is for another base model");
            }
        }
    }

    private static void collect(
            String part, Iterable<Tensor> parameters, Map<String, Tensor> known, Map<String, String> flat) {
        for (Tensor parameter : parameters) {
            String name = parameter.name();
            if (name.endsWith(".weight") && parameter.rank() >= 2) {
                String module = name.substring(0, name.length() - ".weight".length());
                known.put(key(part, name), parameter);
                flat.put(part + "/" + module.replace('.', '_'), key(part, name));
            }
        }
    }

    private static Map<String, Module> modules(Path path, SafeTensors file) {
        Map<String, Module> modules = new LinkedHashMap<>();
        for (String name : file.names()) {
            Matcher matcher = KEY.matcher(name);
            if (!matcher.matches()) {
                throw new DiffusionException("--lora: " + path + " has the weight " + name
                        + ", expected lora_down, lora_up (or lora_A, lora_B) and alpha; other kinds are not supported");
            }
            String module = matcher.group(1) != null ? matcher.group(1) : matcher.group(2);
            Module entry = modules.computeIfAbsent(module, _ -> new Module());
            if (name.endsWith(".alpha")) {
                entry.alpha = name;
            } else if (name.contains("lora_B") || name.contains("lora_up") || name.contains("lora.up")) {
                entry.up = name;
            } else {
                entry.down = name;
            }
        }
        if (modules.isEmpty()) {
            throw new DiffusionException("--lora: " + path + " has no weights");
        }
        return modules;
    }

    /** Which weight a module of the file means, or null. */
    private static @Nullable String place(
            String name, Map<String, String> flat, Map<String, Tensor> known, int layers) {
        for (Map.Entry<String, String> prefix : KOHYA.entrySet()) {
            if (name.startsWith(prefix.getKey())) {
                String rest = name.substring(prefix.getKey().length());
                String found = flat.get(prefix.getValue() + "/" + rest);
                return found != null ? found : flat.get("unet/" + fromOriginal(rest, layers));
            }
        }
        int dot = name.indexOf('.');
        if (dot < 0) {
            return null;
        }
        String part = name.substring(0, dot);
        String module = name.substring(dot + 1).replace(".processor.", ".");
        module = module.endsWith("to_out") ? module + ".0" : module;
        String weight = key(part, module + ".weight");
        return known.containsKey(weight) ? weight : null;
    }

    /** kohya's names for SDXL are the original ones with underscores. */
    private static String fromOriginal(String flatName, int layers) {
        Matcher matcher = ORIGINAL_PLACE.matcher(flatName);
        if (!matcher.matches()) {
            return flatName;
        }
        String rest = matcher.group(4) != null ? matcher.group(4) : matcher.group(6);
        String place = matcher.group(1) != null
                ? matcher.group(1) + "_blocks." + matcher.group(2) + "." + matcher.group(3)
                : "middle_block." + matcher.group(5);
        String dotted = rest.replaceFirst("^(in_layers|out_layers|emb_layers)_(\\d)$", "$1.$2");
        String[] found = {flatName};
        WeightSource.originalUNet(layers)
                .parameters("model.diffusion_model." + place + "." + dotted + ".weight", (name, _) -> found[0] = name);
        return found[0].replaceFirst("\\.weight$", "").replace('.', '_');
    }

    private static Change change(
            Path path, SafeTensors file, String name, Module module, Tensor target, double weight, JsonNode settings) {
        if (module.up == null || module.down == null) {
            throw new DiffusionException("--lora: " + path + " has only one half of the change of " + name
                    + ", expected lora_down and lora_up");
        }
        int[] up = file.shape(module.up);
        int[] down = file.shape(module.down);
        int rank = down[0];
        long inputs = Arrays.stream(down).skip(1).asLongStream().reduce(1, (a, b) -> a * b);
        if (up[0] != target.dim(0) || up.length < 2 || up[1] != rank || inputs != target.sizeFrom(1)) {
            throw new DiffusionException(
                    "--lora: " + path + " changes " + name + " by " + Arrays.toString(up) + " times "
                            + Arrays.toString(down) + ", the model's weight is " + Arrays.toString(target.shape())
                            + "; it is for another base model");
        }
        double alpha = module.alpha == null ? alpha(path, name, rank, settings) : file.floats(module.alpha)[0];
        return new Change(file.floats(module.up), file.floats(module.down), rank, (float) (weight * alpha / rank));
    }

    /** alpha as peft's settings have it, which diffusers writes into the file's metadata; without any, the rank. */
    private static double alpha(Path path, String name, int rank, JsonNode settings) {
        int dot = name.indexOf('.');
        String part = dot < 0 ? "" : name.substring(0, dot + 1);
        double alpha = settings.path(part + "lora_alpha").asDouble(rank);
        String module = name.substring(part.length());
        for (Map.Entry<String, JsonNode> entry :
                settings.path(part + "alpha_pattern").properties()) {
            try {
                if (module.matches("(.*\\.)?(" + entry.getKey() + ")")) {
                    alpha = entry.getValue().asDouble();
                    break;
                }
            } catch (PatternSyntaxException e) {
                throw new DiffusionException(
                        "--lora: " + path + ": expected regular expressions in alpha_pattern, found " + entry.getKey(),
                        e);
            }
        }
        return settings.path(part + "use_rslora").asBoolean() ? alpha * Math.sqrt(rank) : alpha;
    }

    @Override
    public Consumer<MemorySegment> apply(String part, Tensor parameter, Consumer<MemorySegment> values) {
        List<Change> list = changes.get(key(part, parameter.name()));
        if (list == null) {
            return values;
        }
        return to -> {
            values.accept(to);
            int rows = parameter.dim(0);
            int columns = parameter.sizeFrom(1);
            for (Change change : list) {
                for (int i = 0; i < rows; i++) {
                    float[] sum = new float[columns];
                    for (int r = 0; r < change.rank; r++) {
                        float factor = change.up[i * change.rank + r];
                        for (int j = 0; j < columns; j++) {
                            sum[j] += factor * change.down[r * columns + j];
                        }
                    }
                    for (int j = 0; j < columns; j++) {
                        long at = (long) i * columns + j;
                        to.setAtIndex(FLOAT, at, to.getAtIndex(FLOAT, at) + change.scale * sum[j]);
                    }
                }
            }
        };
    }
}
