package diffusion.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A prompt cut into pieces of one weight each, by the syntax of AUTOMATIC1111's web UI.
 *
 * <p>{@code (word)} is 1.1 times as important, {@code [word]} 1.1 times less, {@code (word:1.3)} 1.3 times; brackets nest and
 * multiply; a backslash takes a bracket literally; {@code BREAK} starts a new chunk of tokens.
 *
 * @param pieces in order
 */
public record Prompt(List<Piece> pieces) {
    /** Text of one weight; {@code breaks} says that a new chunk starts before it. */
    public record Piece(String text, double weight, boolean breaks) {}

    /**
     * Up to 75 tokens framed for the encoder.
     *
     * @param ids start, tokens, end and padding
     * @param weights one for each id
     */
    public record Chunk(int[] ids, float[] weights) {
        /** Whether any token is weighted. */
        public boolean isWeighted() {
            for (float weight : weights) {
                if (weight != 1) {
                    return true;
                }
            }
            return false;
        }
    }

    private static final double STEP = 1.1;
    private static final Pattern NUMBER = Pattern.compile(":\\s*([+-]?(?:\\d+\\.?\\d*|\\.\\d+))\\s*\\)");
    private static final Pattern BREAK = Pattern.compile("\\s*\\bBREAK\\b\\s*");

    /** Copies the list. */
    public Prompt {
        pieces = List.copyOf(pieces);
    }

    /** The text as it is, brackets and all. */
    public static Prompt plain(String text) {
        return new Prompt(List.of(new Piece(text, 1, false)));
    }

    /** Reads the syntax; brackets that are never closed count to the end. */
    public static Prompt parse(String text) {
        List<StringBuilder> texts = new ArrayList<>(List.of(new StringBuilder()));
        List<Double> weights = new ArrayList<>(List.of(1.0));
        List<Integer> round = new ArrayList<>();
        List<Integer> square = new ArrayList<>();
        int i = 0;
        while (i < text.length()) {
            char c = text.charAt(i);
            Matcher number = NUMBER.matcher(text).region(i, text.length());
            if (c == '\\' && i + 1 < text.length() && "()[]\\".indexOf(text.charAt(i + 1)) >= 0) {
                texts.getLast().append(text.charAt(i + 1));
                i += 2;
            } else if (c == '(' || c == '[') {
                (c == '(' ? round : square).add(texts.size());
                next(texts, weights);
                i++;
            } else if (c == ':' && !round.isEmpty() && number.lookingAt()) {
                scale(weights, round.removeLast(), Double.parseDouble(number.group(1)));
                next(texts, weights);
                i = number.end();
            } else if (c == ')' && !round.isEmpty() || c == ']' && !square.isEmpty()) {
                scale(weights, (c == ')' ? round : square).removeLast(), c == ')' ? STEP : 1 / STEP);
                next(texts, weights);
                i++;
            } else {
                texts.getLast().append(c);
                i++;
            }
        }
        round.forEach(from -> scale(weights, from, STEP));
        square.forEach(from -> scale(weights, from, 1 / STEP));
        List<Piece> pieces = new ArrayList<>();
        for (int k = 0; k < texts.size(); k++) {
            String[] parts = BREAK.split(texts.get(k), -1);
            for (int p = 0; p < parts.length; p++) {
                if (!parts[p].isEmpty() || p > 0) {
                    pieces.add(new Piece(parts[p], weights.get(k), p > 0));
                }
            }
        }
        return new Prompt(pieces);
    }

    private static void next(List<StringBuilder> texts, List<Double> weights) {
        texts.add(new StringBuilder());
        weights.add(1.0);
    }

    private static void scale(List<Double> weights, int from, double factor) {
        for (int k = from; k < weights.size(); k++) {
            weights.set(k, weights.get(k) * factor);
        }
    }

    /** The prompt as chunks that an encoder takes; an empty prompt is one chunk. */
    public List<Chunk> chunks(CLIPTokenizer tokenizer) {
        int room = tokenizer.maxLength() - 2;
        List<Chunk> chunks = new ArrayList<>();
        List<Integer> ids = new ArrayList<>();
        List<Float> weights = new ArrayList<>();
        for (Piece piece : pieces) {
            if (piece.breaks) {
                chunks.add(chunk(tokenizer, ids, weights));
            }
            for (int id : tokenizer.tokens(piece.text)) {
                if (ids.size() == room) {
                    chunks.add(chunk(tokenizer, ids, weights));
                }
                ids.add(id);
                weights.add((float) piece.weight);
            }
        }
        if (!ids.isEmpty() || chunks.isEmpty()) {
            chunks.add(chunk(tokenizer, ids, weights));
        }
        return chunks;
    }

    private static Chunk chunk(CLIPTokenizer tokenizer, List<Integer> ids, List<Float> weights) {
        float[] all = new float[tokenizer.maxLength()];
        Arrays.fill(all, 1);
        for (int i = 0; i < weights.size(); i++) {
            all[i + 1] = weights.get(i);
        }
        Chunk chunk = new Chunk(tokenizer.frame(ids), all);
        ids.clear();
        weights.clear();
        return chunk;
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder();
        pieces.forEach(piece -> text.append(String.format(Locale.ROOT, "[%s x%.3f]", piece.text, piece.weight)));
        return text.toString();
    }
}
