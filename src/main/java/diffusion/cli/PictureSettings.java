package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
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
    private static final Pattern LAST_LINE = Pattern.compile("(?s)(.*?)(?:^|\\n)(Steps: \\d+.*)$");
    private static final Pattern NEGATIVE = Pattern.compile("(?s)(.*?)(?:^|\\n)Negative prompt: (.*)");
    private static final Pattern FIELD = Pattern.compile("\\s*([^:,]+):\\s*(\"(?:\\\\.|[^\"\\\\])*\"|[^,]*)(?:,|$)");

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
            boolean quoted = value.length() > 1 && value.startsWith("\"");
            fields.put(
                    field.group(1).strip(),
                    quoted ? value.substring(1, value.length() - 1).replaceAll("\\\\(.)", "$1") : value);
        }
        return new PictureSettings(prompt.strip(), negative, fields);
    }

    /** A whole number, or null. */
    @Nullable
    Long whole(String key) {
        String value = fields.get(key);
        return value != null && value.matches("\\d{1,18}") ? (Long) Long.parseLong(value) : null;
    }

    /** A number, or null. */
    @Nullable
    Double number(String key) {
        String value = fields.get(key);
        return value != null && value.matches("[+-]?\\d*\\.?\\d+") ? (Double) Double.parseDouble(value) : null;
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
