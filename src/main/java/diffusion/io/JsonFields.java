package diffusion.io;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.function.Predicate;
import java.util.stream.Collectors;
import org.jspecify.annotations.Nullable;

/**
 * Typed access to the fields of a configuration object, with defaults; remembers what was asked for, so that a key nobody
 * knows is an error rather than a silent difference.
 */
public final class JsonFields {
    private final JsonNode node;
    private final String source;
    private final Set<String> known = new HashSet<>();

    /** Fields of {@code node}; {@code source} names the file in errors. */
    public JsonFields(JsonNode node, String source) {
        if (!node.isObject()) {
            throw new DiffusionException(source + ": expected a JSON object, found " + kind(node));
        }
        this.node = node;
        this.source = source;
    }

    /** Fields of the object in a JSON file. */
    public static JsonFields read(Path path) {
        return new JsonFields(Json.read(path), path.toString());
    }

    /** A whole number, or the default if the key is absent or null. */
    public int integer(String key, int fallback) {
        JsonNode value = find(key, JsonFields::isInt, "a whole number");
        return value == null ? fallback : value.intValue();
    }

    /** A whole number, or null. */
    public @Nullable Integer integerOrNull(String key) {
        JsonNode value = find(key, JsonFields::isInt, "a whole number or null");
        return value == null ? null : (Integer) value.intValue();
    }

    /** A number. */
    public double number(String key, double fallback) {
        JsonNode value = find(key, JsonFields::isFinite, "a number");
        return value == null ? fallback : value.doubleValue();
    }

    /** True or false. */
    public boolean flag(String key, boolean fallback) {
        JsonNode value = find(key, JsonNode::isBoolean, "true or false");
        return value == null ? fallback : value.booleanValue();
    }

    /** A string. */
    public String text(String key, String fallback) {
        String value = textOrNull(key);
        return value == null ? fallback : value;
    }

    /** A string, or null. */
    public @Nullable String textOrNull(String key) {
        JsonNode value = find(key, JsonNode::isTextual, "a string");
        return value == null ? null : value.textValue();
    }

    /** One of several strings. */
    public String choice(String key, String fallback, String... choices) {
        String value = text(key, fallback);
        if (!List.of(choices).contains(value)) {
            throw wrong(key, "one of " + String.join(", ", choices), "\"" + value + "\"");
        }
        return value;
    }

    /** A list of strings. */
    public List<String> texts(String key, List<String> fallback) {
        List<JsonNode> items = items(key, JsonNode::isTextual, "strings");
        return items == null
                ? fallback
                : items.stream().map(JsonNode::textValue).toList();
    }

    /** A list of whole numbers. */
    public List<Integer> integers(String key, List<Integer> fallback) {
        List<JsonNode> items = items(key, JsonFields::isInt, "whole numbers");
        return items == null ? fallback : items.stream().map(JsonNode::intValue).toList();
    }

    /** One whole number for all of {@code count} places, or a list with one for each. */
    public List<Integer> integerForEach(String key, int fallback, int count) {
        JsonNode value = node.get(key);
        if (value == null || !value.isArray()) {
            return Collections.nCopies(count, integer(key, fallback));
        }
        return counted(key, integers(key, List.of()), count);
    }

    /** True or false for all of {@code count} places, or a list with one for each. */
    public List<Boolean> flagForEach(String key, boolean fallback, int count) {
        JsonNode value = node.get(key);
        if (value == null || !value.isArray()) {
            return Collections.nCopies(count, flag(key, fallback));
        }
        List<JsonNode> items = items(key, JsonNode::isBoolean, "true or false");
        return counted(
                key,
                items == null
                        ? List.of()
                        : items.stream().map(JsonNode::booleanValue).toList(),
                count);
    }

    /** Throws unless the key has its default, which is all that this project supports. */
    public void requireDefault(String key, Object supported) {
        known.add(key);
        JsonNode value = node.get(key);
        if (value != null && !value.isNull() && !value.asText().equals(supported.toString())) {
            throw new DiffusionException(source + ": \"" + key + "\" is " + kind(value)
                    + ", of which this version supports only " + supported);
        }
    }

    private <T> List<T> counted(String key, List<T> items, int count) {
        if (items.size() != count) {
            throw wrong(key, count + " entries", String.valueOf(items.size()));
        }
        return items;
    }

    /** A list of numbers. */
    public List<Double> numbers(String key, List<Double> fallback) {
        List<JsonNode> items = items(key, JsonFields::isFinite, "numbers");
        return items == null
                ? fallback
                : items.stream().map(JsonNode::doubleValue).toList();
    }

    /** An object within, or null. */
    public @Nullable JsonFields objectOrNull(String key) {
        JsonNode value = find(key, JsonNode::isObject, "an object");
        return value == null ? null : new JsonFields(value, source + ": " + key);
    }

    /** Accepts a key without looking at it. */
    public void ignore(String key) {
        known.add(key);
    }

    /** Throws if there is a key that was never asked for; those that begin with an underscore are comments. */
    public void requireNoOthers() {
        node.fieldNames().forEachRemaining(key -> {
            if (!key.startsWith("_") && !known.contains(key)) {
                throw new DiffusionException(source + ": unknown key \"" + key + "\"; this version knows "
                        + String.join(", ", known.stream().sorted().toList()));
            }
        });
    }

    /** Throws unless all of the values, which belong to {@code keys} in this order, are above 0. */
    public void requirePositive(String keys, Number... values) {
        if (!Arrays.stream(values).allMatch(value -> value.doubleValue() > 0)) {
            String found = Arrays.stream(values).map(String::valueOf).collect(Collectors.joining(", "));
            throw wrong(keys, "positive numbers", found);
        }
    }

    /** The error for a value that is not allowed. */
    public DiffusionException wrong(String key, String expected, String found) {
        return new DiffusionException(source + ": expected " + expected + " for \"" + key + "\", found " + found);
    }

    private @Nullable List<JsonNode> items(String key, Predicate<JsonNode> fits, String expected) {
        JsonNode value = find(key, JsonNode::isArray, "a list of " + expected);
        if (value == null) {
            return null;
        }
        List<JsonNode> items = new ArrayList<>();
        for (JsonNode item : value) {
            if (!fits.test(item)) {
                throw wrong(key, "a list of " + expected, "an item that is " + kind(item));
            }
            items.add(item);
        }
        return items;
    }

    private @Nullable JsonNode find(String key, Predicate<JsonNode> fits, String expected) {
        known.add(key);
        JsonNode value = node.get(key);
        if (value == null || value.isNull()) {
            return null;
        }
        if (!fits.test(value)) {
            throw wrong(key, expected, kind(value));
        }
        return value;
    }

    /** Whether a number is whole and fits an int: a larger one would wrap around silently. */
    private static boolean isInt(JsonNode value) {
        return value.isIntegralNumber() && value.canConvertToInt();
    }

    /** Whether a number fits a double: 1e999 would become infinite. */
    private static boolean isFinite(JsonNode value) {
        return value.isNumber() && Double.isFinite(value.doubleValue());
    }

    private static String kind(JsonNode node) {
        String text = node.toString();
        return text.length() > 60 ? text.substring(0, 60) + "..." : text;
    }
}
