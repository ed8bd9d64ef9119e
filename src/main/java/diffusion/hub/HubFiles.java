package diffusion.hub;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Which files of a repository a pipeline needs: configurations, tokenizers and one set of weights a part; never code or pickles. */
final class HubFiles {
    private static final Set<String> PARTS = Set.of(
            "unet",
            "vae",
            "vqvae",
            "text_encoder",
            "text_encoder_2",
            "tokenizer",
            "tokenizer_2",
            "scheduler",
            "low_res_scheduler");
    /** What a model without parts has at the root, as the first ones for DDPM do. */
    private static final Set<String> ROOT = Set.of("model_index.json", "config.json", "scheduler_config.json");
    /** Stem, variant, number of a shard, and whether it is the index. */
    private static final Pattern WEIGHTS = Pattern.compile(
            "(diffusion_pytorch_model|model)(?:\\.(\\w+))??(-\\d+-of-\\d+)?\\.safetensors(\\.index(?:\\.(\\w+))?\\.json)?");

    private HubFiles() {}

    /** The needed files, small ones first. */
    static List<String> needed(List<String> files, @Nullable String variant, String repository) {
        List<String> needed = new ArrayList<>();
        Map<String, Map<String, List<String>>> weights = new LinkedHashMap<>(); // by part and variant
        boolean parts = files.contains("unet/config.json");
        for (String path : files) {
            requireInside(path);
            int slash = path.indexOf('/');
            String part = path.substring(0, Math.max(0, slash));
            String name = path.substring(slash + 1);
            if (slash < 0 ? parts : !PARTS.contains(part)) {
                if (path.equals("model_index.json")) {
                    needed.add(path);
                }
                continue;
            }
            Matcher matcher = WEIGHTS.matcher(name);
            if (matcher.matches()) {
                String kind = matcher.group(2) != null ? matcher.group(2) : matcher.group(5);
                weights.computeIfAbsent(part, _ -> new LinkedHashMap<>())
                        .computeIfAbsent(kind == null ? "" : kind, _ -> new ArrayList<>())
                        .add(path);
            } else if (slash < 0 ? ROOT.contains(name) : name.matches("[^/]+\\.(json|txt)")) {
                needed.add(path);
            }
        }
        if (!needed.contains("model_index.json") && !needed.contains("config.json")) {
            throw new DiffusionException(repository
                    + ": expected model_index.json of a diffusers pipeline or the config.json of a model, found"
                    + " neither; a single-file checkpoint must be downloaded by other means");
        }
        requireVariant(weights.values(), variant, repository);
        weights.forEach((part, variants) -> {
            List<String> chosen = variants.get(variant == null ? "" : variant);
            if (chosen == null) {
                chosen = variants.size() == 1 || variants.get("") == null
                        ? variants.values().iterator().next()
                        : variants.get("");
            }
            needed.addAll(chosen);
        });
        if (weights.isEmpty()) {
            throw new DiffusionException(
                    repository + ": expected weights in safetensors files, found none; pickled files are not read");
        }
        needed.sort(Comparator.comparing((String path) -> path.endsWith(".safetensors")));
        return needed;
    }

    /** Some part must have the weights that are asked for; others may have one set only. */
    private static void requireVariant(
            Collection<Map<String, List<String>>> parts, @Nullable String variant, String repository) {
        if (variant == null || parts.isEmpty() || parts.stream().anyMatch(part -> part.containsKey(variant))) {
            return;
        }
        List<String> found = parts.stream()
                .flatMap(part -> part.keySet().stream())
                .filter(name -> !name.isEmpty())
                .distinct()
                .toList();
        throw new DiffusionException(repository + ": expected weights of the variant " + variant + ", found "
                + (found.isEmpty() ? "none of any; leave --variant out" : String.join(", ", found)));
    }

    /** A listing must not lead out of its folder. */
    private static void requireInside(String path) {
        boolean plain = !path.isEmpty()
                && !path.startsWith("/")
                && path.chars().noneMatch(c -> c == '\\' || c == ':' || c < ' ')
                && List.of(path.split("/", -1)).stream()
                        .noneMatch(step -> step.isEmpty() || step.equals(".") || step.equals(".."));
        if (!plain) {
            throw new DiffusionException("the listing of the hub has the path \"" + path
                    + "\", which leads out of its folder; nothing is read");
        }
    }
}
