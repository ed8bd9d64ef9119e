package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Json;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/**
 * How a picture was made, read from the text that AUTOMATIC1111's web UI and this project write into PNG files under
 * "parameters".
 *
 * @param fields such as Steps, Sampler, CFG scale, Seed and Size
 */
record PictureSettings(String prompt, @Nullable String negative, Map<String, String> fields) {
    private static final String PROMPT = "Prompt";

    private static final Pattern LAST_LINE = Pattern.compile("(?s)(.*?)(?:^|\\n)(Steps: \\d+.*)$");
    private static final Pattern NEGATIVE = Pattern.compile("(?s)(.*?)(?:^|\\n)Negative prompt: (.*)");
    /** Fields that are followed, and those that say nothing about the picture; a number after one tells the second and so on. */
    private static final Set<String> KNOWN = Set.of(
            "Autoencoder",
            "CFG scale",
            "Clip skip",
            "Embedding",
            "Empty negative prompt",
            "Guidance rescale",
            "Guide",
            "Guide classifier",
            "LoRA",
            "Model",
            "Model hash",
            "Pictures",
            "Plain prompt",
            "Prediction type",
            "Prompt",
            "RNG",
            "Refiner",
            "Refiner LoRA",
            "Refiner switch at",
            "Sampler",
            "Schedule type",
            "Seed",
            "Size",
            "Steps",
            "Tiled decoding",
            "Version",
            "Weights",
            SamplingOptions.SAVING);

    private static final Set<String> USUAL_SCHEDULES = Set.of("Automatic", "Uniform", "Karras", "Exponential");

    private static final Pattern FIELD =
            Pattern.compile("\\s*([^:,]+):\\s*(\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\"|[^,]*)(?:,|$)");

    static PictureSettings read(Path path) {
        String text = Images.readText(path).get("parameters");
        Matcher last = LAST_LINE.matcher(text == null ? "" : text.strip());
        if (text == null || !last.matches()) {
            throw new DiffusionException("--from: expected a PNG file with \"parameters\" of this project or of"
                    + " AUTOMATIC1111's web UI, found " + (text == null ? "none" : "others") + " in " + path);
        }
        String prompt = last.group(1);
        String negative = null;
        Matcher parts = NEGATIVE.matcher(prompt);
        if (parts.matches()) {
            prompt = parts.group(1);
            negative = parts.group(2).strip();
        }
        Map<String, String> fields = new LinkedHashMap<>();
        Matcher field = FIELD.matcher(last.group(2));
        while (field.find()) {
            String value = field.group(2).strip();
            boolean quoted = value.length() > 1 && value.startsWith("\"") && value.endsWith("\"");
            fields.put(
                    field.group(1).strip(),
                    quoted ? Json.parse(value, "--from: " + path).asText() : value);
        }
        return new PictureSettings(prompt.strip(), negative, fields);
    }

    /** Adds fields for values of one kind, which {@link #all} reads. */
    static void putAll(Map<String, Object> fields, String key, List<String> values) {
        for (int i = 0; i < values.size(); i++) {
            fields.put(numbered(key, i), values.get(i));
        }
    }

    /** All values of one kind. */
    List<String> all(String key) {
        return all(key, fields.get(key));
    }

    private List<String> all(String key, @Nullable String first) {
        List<String> values = new ArrayList<>();
        for (String value = first; value != null; value = fields.get(numbered(key, values.size()))) {
            values.add(value);
        }
        return values;
    }

    private static String numbered(String key, int index) {
        return index == 0 ? key : key + " " + (index + 1);
    }

    /** Adds fields for the prompts after the first, which {@link #prompts} reads. */
    static void putPrompts(Map<String, Object> fields, List<String> prompts) {
        for (int i = 1; i < prompts.size(); i++) {
            fields.put(numbered(PROMPT, i), prompts.get(i));
        }
    }

    /** The prompts of the pictures, which take turns. */
    List<String> prompts() {
        return all(PROMPT, prompt);
    }

    /** Names of the fields that nothing here follows, such as those of other programs. */
    List<String> unknown() {
        return fields.keySet().stream()
                .filter(key -> key.equals("Schedule type")
                        ? !USUAL_SCHEDULES.contains(fields.get(key))
                        : !KNOWN.contains(key.replaceFirst(" \\d+$", "")))
                .toList();
    }

    /** A whole number, or null where the file does not say. */
    @Nullable
    Long whole(String key) {
        return parsed(key, "a whole number", Long::valueOf);
    }

    /** A number, or null where the file does not say. */
    @Nullable
    Double number(String key) {
        return parsed(key, "a number", Double::valueOf);
    }

    private <T> @Nullable T parsed(String key, String expected, Function<String, T> parser) {
        String value = fields.get(key);
        try {
            return value == null ? null : parser.apply(value);
        } catch (NumberFormatException e) {
            throw new DiffusionException(
                    "--from: expected " + expected + " for " + key + ", found \"" + value + "\" in the picture's text",
                    e);
        }
    }

    /** The width in pixels, or null. */
    @Nullable
    Integer width() {
        return side(0);
    }

    /** The height in pixels, or null. */
    @Nullable
    Integer height() {
        return side(1);
    }

    private @Nullable Integer side(int index) {
        String size = fields.getOrDefault("Size", "");
        return size.matches("\\d{1,6}x\\d{1,6}") ? (Integer) Integer.parseInt(size.split("x", -1)[index]) : null;
    }

    /** The sampler, with the schedule that newer versions of the web UI write apart. */
    @Nullable
    String sampler() {
        String sampler = fields.get("Sampler");
        String schedule = fields.getOrDefault("Schedule type", "");
        boolean spaced = schedule.equals("Karras") || schedule.equals("Exponential");
        return sampler == null || !spaced || sampler.endsWith(schedule) ? sampler : sampler + " " + schedule;
    }
}
