package diffusion.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Reads and checks the header of a safetensors file, which is untrusted: nothing larger than it is allocated. */
final class SafeTensorsHeader {
    static final int MAX_HEADER = 100_000_000;

    private static final JsonFactory JSON = JsonFactory.builder()
            .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
            .disable(com.fasterxml.jackson.core.JsonFactory.Feature.INTERN_FIELD_NAMES)
            .build();

    private final Path path;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private long dataStart;

    private SafeTensorsHeader(Path path) {
        this.path = path;
    }

    /** A tensor of the file; {@code begin} and {@code end} count bytes from the end of the header. */
    @SuppressWarnings("ArrayRecordComponent") // private to this package, never compared
    record Entry(DType dtype, int[] shape, long begin, long end) {}

    /** Reads the header at the start of {@code channel}. */
    static SafeTensorsHeader read(Path path, FileChannel channel) throws IOException {
        SafeTensorsHeader header = new SafeTensorsHeader(path);
        long fileSize = channel.size();
        byte[] json = header.readJson(channel, fileSize);
        header.parse(json);
        header.dataStart = 8L + json.length;
        header.checkLayout(fileSize - header.dataStart);
        return header;
    }

    Map<String, Entry> entries() {
        return entries;
    }

    Map<String, String> metadata() {
        return metadata;
    }

    long dataStart() {
        return dataStart;
    }

    private byte[] readJson(FileChannel channel, long fileSize) throws IOException {
        ByteBuffer prefix = ByteBuffer.allocate(8).order(ByteOrder.LITTLE_ENDIAN);
        readFully(channel, prefix);
        if (prefix.position() < 8) {
            throw bad("found a file of " + fileSize + " bytes, expected at least 10; download it again");
        }
        long length = prefix.getLong(0);
        if (length < 2 || length > MAX_HEADER || length > fileSize - 8) {
            String other = otherFormat(prefix.array());
            if (other != null) {
                throw bad(other);
            }
            throw bad("its header claims " + Long.toUnsignedString(length) + " bytes, expected 2 to "
                    + Math.min(MAX_HEADER, fileSize - 8) + " in a file of " + fileSize
                    + " bytes; the file is truncated or not safetensors, download it again");
        }
        ByteBuffer json = ByteBuffer.allocate((int) length);
        readFully(channel, json);
        if (json.hasRemaining()) {
            throw bad("its header ends after " + json.position() + " of " + length + " bytes; download it again");
        }
        return json.array();
    }

    private static void readFully(FileChannel channel, ByteBuffer buffer) throws IOException {
        while (buffer.hasRemaining()) {
            if (channel.read(buffer) < 0) {
                return;
            }
        }
    }

    private static @Nullable String otherFormat(byte[] start) {
        String text = new String(start, StandardCharsets.ISO_8859_1);
        if (text.startsWith("version ")) {
            return "it is a Git LFS pointer, not the weights; fetch the file itself (git lfs pull)";
        }
        if (text.startsWith("PK")) {
            return "it is a zip archive, as PyTorch's .bin and .ckpt are; convert it to safetensors";
        }
        boolean printable = text.chars().allMatch(c -> (c >= ' ' && c < 127) || c == '\n' || c == '\r' || c == '\t');
        return printable ? "it is a text file; give a file in safetensors format" : null;
    }

    private void parse(byte[] json) throws IOException {
        var reader = new InputStreamReader(new ByteArrayInputStream(json), StandardCharsets.UTF_8.newDecoder());
        try (JsonParser parser = JSON.createParser(reader)) {
            expect(parser, parser.nextToken(), JsonToken.START_OBJECT, "the header", "an object");
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals("__metadata__")) {
                    parseMetadata(parser);
                } else {
                    entries.put(name, parseEntry(parser, name));
                }
            }
            if (parser.nextToken() != null) {
                throw bad("its header goes on after the closing brace; expected spaces only");
            }
        } catch (JsonProcessingException e) {
            throw new DiffusionException(
                    message("its header is not valid JSON (" + firstLine(e) + "); the file is damaged or not"
                            + " safetensors, download it again"),
                    e);
        } catch (CharacterCodingException e) {
            throw new DiffusionException(
                    message("its header is not UTF-8 text; the file is damaged or not safetensors, download it again"),
                    e);
        }
    }

    private static String firstLine(JsonProcessingException e) {
        String text = e.getOriginalMessage();
        return text == null ? "unknown error" : shorten(text.lines().findFirst().orElse(""), 120);
    }

    private void parseMetadata(JsonParser parser) throws IOException {
        expect(parser, parser.currentToken(), JsonToken.START_OBJECT, "__metadata__", "an object of strings");
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            expect(parser, parser.nextToken(), JsonToken.VALUE_STRING, "__metadata__." + key, "a string");
            metadata.put(key, parser.getText());
        }
    }

    private Entry parseEntry(JsonParser parser, String name) throws IOException {
        expect(parser, parser.currentToken(), JsonToken.START_OBJECT, quote(name), "an object");
        DType dtype = null;
        long[] shape = null;
        long[] offsets = null;
        while (parser.nextToken() == JsonToken.FIELD_NAME) {
            String key = parser.currentName();
            JsonToken value = parser.nextToken();
            switch (key) {
                case "dtype" -> {
                    expect(parser, value, JsonToken.VALUE_STRING, quote(name) + ".dtype", "a string");
                    dtype = DType.find(parser.getText());
                    if (dtype == null) {
                        throw bad("tensor " + quote(name) + " has dtype " + quote(parser.getText())
                                + ", expected one of " + DType.all());
                    }
                }
                case "shape" -> shape = parseLongs(parser, quote(name) + ".shape");
                case "data_offsets" -> offsets = parseLongs(parser, quote(name) + ".data_offsets");
                default ->
                    throw bad("tensor " + quote(name) + " has the key " + quote(key)
                            + ", expected dtype, shape and data_offsets");
            }
        }
        if (dtype == null || shape == null || offsets == null) {
            throw bad("tensor " + quote(name) + " lacks one of dtype, shape and data_offsets");
        }
        return checkEntry(name, dtype, shape, offsets);
    }

    private long[] parseLongs(JsonParser parser, String what) throws IOException {
        expect(parser, parser.currentToken(), JsonToken.START_ARRAY, what, "an array of integers");
        List<Long> values = new ArrayList<>();
        while (parser.nextToken() != JsonToken.END_ARRAY) {
            expect(parser, parser.currentToken(), JsonToken.VALUE_NUMBER_INT, what, "non-negative integers");
            if (parser.getNumberType() == JsonParser.NumberType.BIG_INTEGER || parser.getLongValue() < 0) {
                throw bad(what + " holds " + shorten(parser.getText(), 40) + ", expected 0 to " + Long.MAX_VALUE);
            }
            values.add(parser.getLongValue());
        }
        return values.stream().mapToLong(Long::longValue).toArray();
    }

    private Entry checkEntry(String name, DType dtype, long[] shape, long[] offsets) {
        if (offsets.length != 2 || offsets[0] > offsets[1]) {
            throw bad("tensor " + quote(name) + " has data_offsets " + shorten(Arrays.toString(offsets), 60)
                    + ", expected [begin, end] with begin <= end");
        }
        int[] sizes = new int[shape.length];
        long bytes = dtype.bytes();
        for (int i = 0; i < shape.length; i++) {
            if (shape[i] > Integer.MAX_VALUE || Math.multiplyHigh(bytes, shape[i]) != 0 || bytes * shape[i] < 0) {
                throw bad("tensor " + quote(name) + " has shape " + shorten(Arrays.toString(shape), 60)
                        + ", which is larger than any file");
            }
            sizes[i] = (int) shape[i];
            bytes *= shape[i];
        }
        if (bytes != offsets[1] - offsets[0]) {
            throw bad("tensor " + quote(name) + " has " + (offsets[1] - offsets[0]) + " bytes, expected " + bytes
                    + " for " + dtype + " of shape " + shorten(Arrays.toString(shape), 60));
        }
        return new Entry(dtype, sizes, offsets[0], offsets[1]);
    }

    /** The tensors must cover the data without overlap and without holes, as the format demands. */
    private void checkLayout(long dataSize) {
        long position = 0;
        List<Map.Entry<String, Entry>> sorted = new ArrayList<>(entries.entrySet());
        sorted.sort(Comparator.comparingLong(
                        (Map.Entry<String, Entry> e) -> e.getValue().begin())
                .thenComparingLong(e -> e.getValue().end()));
        for (Map.Entry<String, Entry> tensor : sorted) {
            Entry entry = tensor.getValue();
            if (entry.end() > dataSize) {
                throw bad("tensor " + quote(tensor.getKey()) + " ends at byte " + entry.end() + " of the data, but the"
                        + " file has " + dataSize + "; it is truncated, download it again");
            }
            if (entry.begin() != position) {
                String what = entry.begin() < position ? "overlaps the tensor before it" : "leaves a hole before it";
                throw bad("tensor " + quote(tensor.getKey()) + " " + what + ": begins at " + entry.begin()
                        + ", expected " + position + "; write the file again");
            }
            position = entry.end();
        }
        if (position != dataSize) {
            throw bad("its data has " + dataSize + " bytes, expected " + position
                    + " for the tensors in its header; download it again");
        }
    }

    private void expect(JsonParser parser, @Nullable JsonToken found, JsonToken expected, String what, String words)
            throws IOException {
        if (found != expected) {
            String text = found == null ? "nothing" : shorten(parser.getText(), 40);
            throw bad(what + " is " + text + ", expected " + words);
        }
    }

    private static String quote(String text) {
        return "\"" + shorten(text, 100) + "\"";
    }

    /** Keeps messages on one short line whatever the file holds. */
    private static String shorten(String text, int max) {
        String clean = text.length() > max ? text.substring(0, max) + "..." : text;
        return clean.codePoints()
                .map(c -> Character.isISOControl(c) || c == 0x2028 || c == 0x2029 ? '?' : c)
                .collect(StringBuilder::new, StringBuilder::appendCodePoint, StringBuilder::append)
                .toString();
    }

    private String message(String what) {
        return "cannot read " + path + " as safetensors: " + what;
    }

    private DiffusionException bad(String what) {
        return new DiffusionException(message(what));
    }
}
