package diffusion.io;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** The {@code *.safetensors.index.json} of a sharded checkpoint: which file holds which tensor. */
final class SafeTensorsIndex {
    private SafeTensorsIndex() {}

    /** Tensor names by shard file name. */
    static Map<String, Set<String>> read(Path path) {
        JsonNode root = Json.read(path);
        JsonNode weightMap = root.path("weight_map");
        if (!weightMap.isObject()) {
            throw new DiffusionException(path + " has no object \"weight_map\"; expected the index of a sharded"
                    + " safetensors checkpoint");
        }
        Map<String, Set<String>> shards = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> entry : weightMap.properties()) {
            String file = entry.getValue().isTextual() ? entry.getValue().textValue() : "";
            if (!isPlainName(file)) {
                throw new DiffusionException(path + ": tensor " + entry.getKey() + " is in " + entry.getValue()
                        + ", expected the name of a .safetensors file beside the index");
            }
            shards.computeIfAbsent(file, f -> new LinkedHashSet<>()).add(entry.getKey());
        }
        return shards;
    }

    /** An index must not lead out of its folder. */
    private static boolean isPlainName(String file) {
        return file.endsWith(".safetensors")
                && file.chars().noneMatch(c -> c == '/' || c == '\\' || c == ':' || c < ' ');
    }
}
