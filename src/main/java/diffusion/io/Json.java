package diffusion.io;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.core.util.DefaultIndenter;
import com.fasterxml.jackson.core.util.DefaultPrettyPrinter;
import com.fasterxml.jackson.core.util.Separators;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.json.JsonMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import java.io.IOException;
import java.nio.charset.CharacterCodingException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/** JSON files: strict reading (duplicate keys and trailing text are errors), pretty atomic writing. */
public final class Json {
    /** No JSON file of a model is larger; a file that is was given by mistake. */
    private static final long MAX_BYTES = 64L << 20;

    private static final JsonMapper MAPPER = JsonMapper.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
            // Python writes infinities, as in lambda_min_clipped of published scheduler configs.
            .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
            .build();

    private static final ObjectWriter PRETTY = MAPPER.writer(new DefaultPrettyPrinter(
                    Separators.createDefaultInstance().withObjectFieldValueSpacing(Separators.Spacing.AFTER))
            .withObjectIndenter(new DefaultIndenter("  ", "\n"))
            .withArrayIndenter(new DefaultIndenter("  ", "\n")));

    private Json() {}

    /** An empty object to fill. */
    public static ObjectNode object() {
        return MAPPER.createObjectNode();
    }

    /** The content of a JSON file. */
    public static JsonNode read(Path path) {
        try {
            if (Files.size(path) > MAX_BYTES) {
                throw new DiffusionException(path + " has " + Files.size(path)
                        + " bytes, expected a JSON file of at most " + MAX_BYTES + "; is it the right file?");
            }
            return parse(Files.readString(path), path.toString());
        } catch (NoSuchFileException e) {
            throw new DiffusionException("no such file: " + path + "; check the path", e);
        } catch (CharacterCodingException e) {
            throw new DiffusionException(path + " is not text in UTF-8; expected a JSON file", e);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check its mode", e);
        }
    }

    /** The value of a JSON text; {@code source} names it in messages. */
    public static JsonNode parse(String text, String source) {
        try {
            JsonNode node = MAPPER.readTree(text);
            if (node == null || node.isMissingNode()) {
                throw new DiffusionException(source + " is empty; expected JSON");
            }
            return node;
        } catch (JsonProcessingException e) {
            String message = e.getOriginalMessage() == null ? "syntax error" : e.getOriginalMessage();
            String at = e.getLocation() == null
                    ? ""
                    : " at line " + e.getLocation().getLineNr() + ", column "
                            + e.getLocation().getColumnNr();
            throw new DiffusionException(
                    source + " is not valid JSON" + at + ": "
                            + message.lines().findFirst().orElse("") + "; correct it",
                    e);
        }
    }

    /** A node as indented text with a newline at the end. */
    public static String pretty(JsonNode node) {
        try {
            return PRETTY.writeValueAsString(node) + "\n";
        } catch (JsonProcessingException e) {
            throw new IllegalArgumentException(e);
        }
    }

    /** Writes a node as indented text, atomically. */
    public static void write(Path path, JsonNode node) {
        AtomicFiles.write(path, pretty(node));
    }
}
