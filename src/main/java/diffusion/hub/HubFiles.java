package diffusion.hub;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
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
    private static final Set<String> PARTS =
            Set.of("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler");
    /** Stem, variant, number of a shard, and whether it is the index. */
    private static final Pattern WEIGHTS = Pattern.compile(
            "(diffusion_pytorch_model|model)(?:\\.(\\w+))??(-\\d+-of-\\d+)?\\.safetensors(\\.index(?:\\.(\\w+))?\\.json)?");

    private HubFiles() {}

    /** The needed files, small ones first. */
    static List<String> needed(List<String> files, @Nullable String variant, String repository) {
        List<String> needed = new ArrayList<>();
        Map<String, Map<String, List<String>>> weights = new LinkedHashMap<>(); // by part and variant
        for (String path : files) {
            requireInside(path);
            String[] steps = path.split("/", -1);
            if (path.equals("model_index.json")) {
                needed.add(path);
            } else if (steps.length == 2 && PARTS.contains(steps[0])) {
                Matcher matcher = WEIGHTS.matcher(steps[1]);
                if (matcher.matches()) {
                    String kind = matcher.group(2) != null ? matcher.group(2) : matcher.group(5);
                    weights.computeIfAbsent(steps[0], _ -> new LinkedHashMap<>())
                            .computeIfAbsent(kind == null ? "" : kind, _ -> new ArrayList<>())
                            .add(path);
                } else if (steps[1].endsWith(".json") || steps[1].endsWith(".txt")) {
                    needed.add(path);
                }
            }
        }
        if (!needed.contains("model_index.json")) {
            throw new DiffusionException(
                    repository + ": expected model_index.json of a diffusers pipeline, found none; "
                            + "a single-file checkpoint must be downloaded by other means");
        }
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
