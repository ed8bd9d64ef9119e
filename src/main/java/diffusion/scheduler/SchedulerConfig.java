package diffusion.scheduler;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import com.fasterxml.jackson.databind.node.TextNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * The content of a {@code scheduler_config.json}: a class name and diffusers' keys, complete with their defaults.
 *
 * <p>Values are Boolean, Integer, Double, String or float[]; a key has the type of its default. Immutable.
 */
public final class SchedulerConfig {
    private static final String CLASS_NAME = "_class_name";

    /** Keys that old releases of diffusers wrote into published configs and that no scheduler reads any more. */
    private static final Set<String> OBSOLETE = Set.of("tensor_format", "timestep_values");

    private final String className;
    private final Map<String, Object> values;
    /** What was said rather than left at a default, keys of other classes too: it is what passes to another class. */
    private final Map<String, JsonNode> given;

    private SchedulerConfig(String className, Map<String, Object> values, Map<String, JsonNode> given) {
        this.className = className;
        this.values = values;
        this.given = given;
    }

    /** The defaults of a class. */
    public static SchedulerConfig defaults(String className) {
        return new SchedulerConfig(
                className,
                new LinkedHashMap<>(SchedulerFactory.find(className).defaults().get()),
                new LinkedHashMap<>());
    }

    /** The config in a file, or in {@code scheduler_config.json} of a folder. */
    public static SchedulerConfig read(Path path) {
        Path file = Files.isDirectory(path) ? path.resolve("scheduler_config.json") : path;
        return of(Json.read(file), file.toString());
    }

    /**
     * The config in a JSON object; {@code source} names it in messages.
     *
     * @throws DiffusionException if the class or a key is unknown, or a value has the wrong type
     */
    public static SchedulerConfig of(JsonNode json, String source) {
        if (!json.path(CLASS_NAME).isTextual()) {
            throw new DiffusionException(
                    source + " has no \"_class_name\"; expected the name of a scheduler, such as DDPMScheduler");
        }
        SchedulerConfig config = defaults(json.path(CLASS_NAME).textValue());
        for (Map.Entry<String, JsonNode> field : json.properties()) {
            String key = field.getKey();
            if (key.equals("predict_epsilon")) {
                // what prediction_type was called before diffusers 0.10
                String type = field.getValue().asBoolean() ? "epsilon" : "sample";
                config.put("prediction_type", TextNode.valueOf(type), source);
            } else if (!key.startsWith("_") && !OBSOLETE.contains(key)) {
                config.put(key, field.getValue(), source);
            }
        }
        return config;
    }

    private void put(String key, JsonNode value, String source) {
        given.put(key, value);
        Object old = values.get(key);
        if (old == null) {
            if (SchedulerFactory.knows(key)) {
                return; // published configs keep the keys of schedulers they were made from
            }
            throw new DiffusionException(source + " has the key \"" + key + "\", which " + className
                    + " does not know; expected one of " + String.join(", ", values.keySet()));
        }
        if (value.isNull()) {
            return; // null asks for the default
        }
        Object converted = switch (old) {
            case Boolean b when value.isBoolean() -> value.booleanValue();
            case Integer i when value.canConvertToExactIntegral() && value.canConvertToInt() -> value.intValue();
            case Double d
            when value.isNumber() && (Double.isFinite(value.doubleValue()) || d.isInfinite()) -> value.doubleValue();
            case String s when value.isTextual() -> value.textValue();
            case float[] f when value.isArray() -> floats(key, value, source);
            default ->
                throw new DiffusionException(source + " has \"" + key + "\": " + value + ", expected " + kind(old)
                        + " such as " + (old instanceof float[] ? "[0.1, 0.2]" : old));
        };
        values.put(key, converted);
    }

    private static float[] floats(String key, JsonNode array, String source) {
        float[] result = new float[array.size()];
        for (int i = 0; i < result.length; i++) {
            if (!array.get(i).isNumber()) {
                throw new DiffusionException(source + " has " + array.get(i) + " in \"" + key + "\", expected numbers");
            }
            result[i] = array.get(i).floatValue();
        }
        return result;
    }

    private static String kind(Object value) {
        return switch (value) {
            case Boolean b -> "true or false";
            case Integer i -> "an integer";
            case Double d -> "a number";
            case float[] f -> "a list of numbers";
            default -> "a text";
        };
    }

    /** A copy with one value changed; its type must be that of the key. */
    public SchedulerConfig with(String key, Object value) {
        Object old = values.get(key);
        Object fitting = old instanceof Double && value instanceof Integer i ? Double.valueOf(i) : value;
        if (old == null || old.getClass() != fitting.getClass()) {
            throw new DiffusionException("found " + key + " = " + value + " for " + className + ", expected "
                    + (old == null ? "one of " + String.join(", ", values.keySet()) : kind(old)));
        }
        SchedulerConfig copy = new SchedulerConfig(className, new LinkedHashMap<>(values), new LinkedHashMap<>(given));
        copy.values.put(key, fitting);
        ObjectNode node = Json.object();
        put(node, key, fitting);
        if (node.has(key)) {
            copy.given.put(key, node.get(key));
        }
        return copy;
    }

    /** This config for another class, as {@code from_config}: what was given passes over, the rest takes that class's defaults. */
    public SchedulerConfig as(String otherClass) {
        SchedulerConfig other = defaults(otherClass);
        given.forEach((key, value) -> other.put(key, value, className));
        return other;
    }

    /** Name of the scheduler class. */
    public String className() {
        return className;
    }

    /** Whether the class has this key. */
    public boolean has(String key) {
        return values.containsKey(key);
    }

    /** An integer value. */
    public int integer(String key) {
        return (Integer) get(key);
    }

    /** A real value. */
    public double number(String key) {
        return (Double) get(key);
    }

    /** A Boolean value. */
    public boolean flag(String key) {
        return (Boolean) get(key);
    }

    /** A text value. */
    public String text(String key) {
        return (String) get(key);
    }

    /** A list of numbers, empty for null. */
    public float[] numbers(String key) {
        return ((float[]) get(key)).clone();
    }

    private Object get(String key) {
        Object value = values.get(key);
        if (value == null) {
            throw new IllegalArgumentException(className + " has no key " + key);
        }
        return value;
    }

    /** The JSON object diffusers reads. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.put(CLASS_NAME, className);
        values.forEach((key, value) -> put(json, key, value));
        given.forEach((key, value) -> {
            if (!values.containsKey(key)) {
                json.set(key, value);
            }
        });
        return json;
    }

    private static void put(ObjectNode json, String key, Object value) {
        switch (value) {
            case Boolean b -> json.put(key, b);
            case Integer i -> json.put(key, i);
            case Double d when d.isNaN() -> json.putNull(key);
            case Double d when d.isInfinite() -> {} // JSON has no such number, and it is the default
            case String s when s.isEmpty() -> json.putNull(key);
            case Double d -> json.put(key, d);
            case String s -> json.put(key, s);
            case float[] f when f.length == 0 -> json.putNull(key);
            case float[] f -> {
                ArrayNode array = json.putArray(key);
                for (float v : f) {
                    array.add(v);
                }
            }
            default -> throw new IllegalStateException(key);
        }
    }

    /** Writes {@code scheduler_config.json} into a folder, atomically. */
    public void write(Path folder) {
        Json.write(folder.resolve("scheduler_config.json"), toJson());
    }
}
