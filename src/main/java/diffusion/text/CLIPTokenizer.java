package diffusion.text;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.AtomicFiles;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.zip.GZIPInputStream;

/**
 * CLIP's byte-pair encoding (Radford et al. 2021; Sennrich et al. 2016), with the ids of transformers' CLIPTokenizer.
 *
 * <p>Text is brought to NFC, runs of white space become one space, letters become small; then it is cut into words, whose
 * UTF-8 bytes are merged pair by pair in the order the merges were learned.
 */
public final class CLIPTokenizer {
    private static final String START = "<|startoftext|>";
    private static final String END = "<|endoftext|>";
    private static final String WORD_END = "</w>";
    private static final Pattern WORD =
            Pattern.compile("'s|'t|'re|'ve|'m|'ll|'d|\\p{L}+|\\p{N}|[^\\p{IsWhite_Space}\\p{L}\\p{N}]+");
    private static final Pattern SPACE = Pattern.compile("\\p{IsWhite_Space}+");
    private static final String[] BYTES = bytes();

    private final Map<String, Integer> vocabulary;
    private final Map<String, Integer> ranks = new HashMap<>();
    private final Map<String, List<Integer>> cache = new HashMap<>();
    private final Pattern specials;
    private final String padToken;
    private final int maxLength;
    private Map<String, List<Integer>> added = Map.of();

    private CLIPTokenizer(Map<String, Integer> vocabulary, List<String> merges, String padToken, int maxLength) {
        this.vocabulary = vocabulary;
        this.padToken = padToken;
        this.maxLength = maxLength;
        for (String merge : merges) {
            ranks.putIfAbsent(merge, ranks.size());
        }
        specials = Pattern.compile(List.of(START, END, padToken).stream()
                .distinct()
                .map(Pattern::quote)
                .collect(Collectors.joining("|")));
    }

    /** Printable stand-ins for all bytes, as GPT-2 chose them: a byte that is a visible Latin-1 character is itself. */
    private static String[] bytes() {
        String[] names = new String[256];
        int next = 256;
        for (int b = 0; b < 256; b++) {
            boolean visible = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            names[b] = String.valueOf((char) (visible ? b : next++));
        }
        return names;
    }

    /** The tokenizer of CLIP itself, whose vocabulary is in the jar; single-file checkpoints carry none. */
    public static CLIPTokenizer standard(String padToken) {
        List<String> merges = new ArrayList<>();
        InputStream resource =
                Objects.requireNonNull(CLIPTokenizer.class.getResourceAsStream("/clip/merges.txt.gz"), "merges");
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(new GZIPInputStream(resource), StandardCharsets.UTF_8))) {
            reader.lines().skip(1).forEach(merges::add);
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        Map<String, Integer> vocabulary = new LinkedHashMap<>();
        // OpenAI's order: visible bytes first, then the others.
        List<String> bytes = Arrays.stream(BYTES)
                .sorted((a, b) -> Boolean.compare(a.charAt(0) > 255, b.charAt(0) > 255))
                .toList();
        bytes.forEach(name -> vocabulary.put(name, vocabulary.size()));
        bytes.forEach(name -> vocabulary.put(name + WORD_END, vocabulary.size()));
        merges.forEach(merge -> vocabulary.put(merge.replace(" ", ""), vocabulary.size()));
        vocabulary.put(START, vocabulary.size());
        vocabulary.put(END, vocabulary.size());
        return new CLIPTokenizer(vocabulary, merges, padToken, 77);
    }

    /** Reads a tokenizer folder: vocab.json and merges.txt, or tokenizer.json; and tokenizer_config.json. */
    public static CLIPTokenizer read(Path folder) {
        Map<String, Integer> vocabulary = new LinkedHashMap<>();
        List<String> merges = new ArrayList<>();
        Path vocab = folder.resolve("vocab.json");
        Path pairs = folder.resolve("merges.txt");
        Path both = folder.resolve("tokenizer.json");
        if (Files.exists(vocab) && Files.exists(pairs)) {
            readVocabulary(Json.read(vocab), vocab, vocabulary);
            try {
                Files.readAllLines(pairs).stream()
                        .filter(line -> !line.startsWith("#version") && !line.isBlank())
                        .forEach(merges::add);
            } catch (IOException e) {
                throw new DiffusionException("cannot read " + pairs + ": " + e.getMessage() + "; check the file", e);
            }
        } else if (Files.exists(both)) {
            JsonNode json = Json.read(both);
            readVocabulary(json.path("model").path("vocab"), both, vocabulary);
            for (JsonNode merge : json.path("model").path("merges")) {
                merges.add(
                        merge.isArray()
                                ? merge.path(0).asText() + " " + merge.path(1).asText()
                                : merge.asText());
            }
            json.path("added_tokens")
                    .forEach(token -> vocabulary.putIfAbsent(
                            token.path("content").asText(), token.path("id").asInt()));
        } else {
            throw new DiffusionException(folder + ": expected vocab.json and merges.txt, or tokenizer.json, found"
                    + " neither; is it a tokenizer folder?");
        }
        for (String special : List.of(START, END)) {
            if (!vocabulary.containsKey(special)) {
                throw new DiffusionException(
                        folder + ": expected the token " + special + " of a CLIP vocabulary, found none");
            }
        }
        String pad = END;
        int length = 77;
        for (String name : List.of("special_tokens_map.json", "tokenizer_config.json")) {
            Path path = folder.resolve(name);
            if (Files.exists(path)) {
                JsonNode json = Json.read(path);
                JsonNode token = json.path("pad_token");
                pad = token.isObject() ? token.path("content").asText(pad) : token.asText(pad);
                double given = json.path("model_max_length").asDouble(length);
                length = given < 1e6 ? (int) given : length; // transformers writes 1e30 for none
            }
        }
        if (!vocabulary.containsKey(pad)) {
            throw new DiffusionException(folder + ": the pad_token \"" + pad + "\" is not in the vocabulary");
        }
        return new CLIPTokenizer(vocabulary, merges, pad, length);
    }

    /** Writes vocab.json, merges.txt and the configuration as transformers' CLIPTokenizer reads them. */
    public void write(Path folder) {
        ObjectNode ids = Json.object();
        vocabulary.forEach(ids::put);
        Json.write(folder.resolve("vocab.json"), ids);
        StringBuilder merges = new StringBuilder("#version: 0.2\n");
        ranks.entrySet().stream()
                .sorted(Map.Entry.comparingByValue())
                .forEach(merge -> merges.append(merge.getKey()).append('\n'));
        AtomicFiles.write(folder.resolve("merges.txt"), merges.toString());
        ObjectNode specialTokens = Json.object();
        specialTokens.put("bos_token", START);
        specialTokens.put("eos_token", END);
        specialTokens.put("unk_token", END);
        specialTokens.put("pad_token", padToken);
        Json.write(folder.resolve("special_tokens_map.json"), specialTokens);
        ObjectNode config = specialTokens.deepCopy();
        config.put("tokenizer_class", "CLIPTokenizer");
        config.put("model_max_length", maxLength);
        config.put("do_lower_case", true);
        config.put("add_prefix_space", false);
        config.put("errors", "replace");
        Json.write(folder.resolve("tokenizer_config.json"), config);
    }

    /** The token that fills texts up to {@link #maxLength}. */
    public String padToken() {
        return padToken;
    }

    private static void readVocabulary(JsonNode json, Path source, Map<String, Integer> vocabulary) {
        for (Map.Entry<String, JsonNode> entry : json.properties()) {
            if (!entry.getValue().canConvertToInt()) {
                throw new DiffusionException(
                        source + ": expected a token number for \"" + entry.getKey() + "\", found " + entry.getValue());
            }
            vocabulary.put(entry.getKey(), entry.getValue().intValue());
        }
    }

    /** The same with further tokens, each of one or more ids; found anywhere in a text, capital letters or not. */
    public CLIPTokenizer withTokens(Map<String, List<Integer>> tokens) {
        CLIPTokenizer more = new CLIPTokenizer(
                vocabulary,
                ranks.entrySet().stream()
                        .sorted(Map.Entry.comparingByValue())
                        .map(Map.Entry::getKey)
                        .toList(),
                padToken,
                maxLength);
        more.added = Map.copyOf(tokens);
        return more;
    }

    /** The ids of a text, without start, end and padding. */
    public List<Integer> tokens(String text) {
        if (added.isEmpty()) {
            return known(text);
        }
        // Longer tokens first, so that none is taken for the beginning of another.
        String any = added.keySet().stream()
                .sorted(Comparator.comparingInt(String::length).reversed())
                .map(Pattern::quote)
                .collect(Collectors.joining("|"));
        Matcher token = Pattern.compile(any, Pattern.CASE_INSENSITIVE | Pattern.UNICODE_CASE)
                .matcher(text);
        List<Integer> ids = new ArrayList<>();
        int from = 0;
        while (token.find()) {
            ids.addAll(known(text.substring(from, token.start())));
            added.forEach((name, own) -> {
                if (name.equalsIgnoreCase(token.group())) {
                    ids.addAll(own);
                }
            });
            from = token.end();
        }
        ids.addAll(known(text.substring(from)));
        return ids;
    }

    private List<Integer> known(String text) {
        List<Integer> ids = new ArrayList<>();
        Matcher special = specials.matcher(text);
        int from = 0;
        while (special.find()) {
            addWords(text.substring(from, special.start()), ids);
            ids.add(id(special.group()));
            from = special.end();
        }
        addWords(text.substring(from), ids);
        return ids;
    }

    /** Start, up to {@link #maxLength} - 2 tokens, end, and padding to {@link #maxLength}. */
    public int[] encode(String text) {
        return frame(tokens(text));
    }

    /** Tokens between start and end, cut or padded to {@link #maxLength}. */
    public int[] frame(List<Integer> tokens) {
        int[] ids = new int[maxLength];
        Arrays.fill(ids, padId());
        int count = Math.min(tokens.size(), maxLength - 2);
        ids[0] = startId();
        for (int i = 0; i < count; i++) {
            ids[i + 1] = tokens.get(i);
        }
        ids[count + 1] = endId();
        return ids;
    }

    /** Tokens of an encoded text, with start and end. */
    public int maxLength() {
        return maxLength;
    }

    /** The further tokens. */
    public Map<String, List<Integer>> added() {
        return added;
    }

    /** Ids by token. */
    public Map<String, Integer> vocabulary() {
        return Collections.unmodifiableMap(vocabulary);
    }

    /** The largest id and one. */
    public int size() {
        return vocabulary.values().stream().mapToInt(Integer::intValue).max().orElse(-1) + 1;
    }

    private int startId() {
        return id(START);
    }

    private int endId() {
        return id(END);
    }

    private int padId() {
        return id(padToken);
    }

    private int id(String token) {
        Integer id = vocabulary.get(token);
        return id != null ? id : Objects.requireNonNull(vocabulary.get(END));
    }

    private void addWords(String text, List<Integer> ids) {
        String plain =
                SPACE.matcher(Normalizer.normalize(text, Normalizer.Form.NFC)).replaceAll(" ");
        Matcher words = WORD.matcher(lower(plain));
        while (words.find()) {
            ids.addAll(cache.computeIfAbsent(words.group(), this::word));
        }
    }

    /** Letter by letter: the small form of a letter must not depend on its neighbours, as it does for a final sigma. */
    private static String lower(String text) {
        StringBuilder small = new StringBuilder();
        text.codePoints().forEach(c -> small.append(Character.toString(c).toLowerCase(Locale.ROOT)));
        return small.toString();
    }

    private List<Integer> word(String word) {
        List<String> parts = new ArrayList<>();
        for (byte b : word.getBytes(StandardCharsets.UTF_8)) {
            parts.add(BYTES[b & 0xff]);
        }
        parts.set(parts.size() - 1, parts.getLast() + WORD_END);
        while (parts.size() > 1) {
            int best = -1;
            int lowest = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < parts.size(); i++) {
                Integer rank = ranks.get(parts.get(i) + " " + parts.get(i + 1));
                if (rank != null && rank < lowest) {
                    lowest = rank;
                    best = i;
                }
            }
            if (best < 0) {
                break;
            }
            parts.set(best, parts.get(best) + parts.remove(best + 1));
        }
        return parts.stream().map(this::id).toList();
    }
}
