package diffusion.text;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.model.Golden;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** The ids of transformers' CLIPTokenizer over CLIP's own vocabulary. */
class CLIPTokenizerTest {
    private static final Golden GOLDEN = Golden.read("tokens");

    @ParameterizedTest
    @CsvSource({"plain, <|endoftext|>", "padded, !"})
    void idsAgree(String name, String pad) {
        CLIPTokenizer tokenizer = CLIPTokenizer.standard(pad);
        JsonNode texts = GOLDEN.facts().path("texts");
        for (int i = 0; i < texts.size(); i++) {
            String text = texts.path(i).textValue();
            assertThat(tokenizer.tokens(text))
                    .as(text)
                    .isEqualTo(ints(GOLDEN.facts().path(name).path(i)));
            assertThat(IntStream.of(tokenizer.encode(text)).boxed().toList())
                    .as(text)
                    .isEqualTo(ints(GOLDEN.facts().path(name + "_77").path(i)));
        }
    }

    @Test
    void idsAgreeOverAllOfUnicode() {
        CLIPTokenizer tokenizer = CLIPTokenizer.standard("<|endoftext|>");
        float[] starts = GOLDEN.floats("starts");
        float[] hashes = GOLDEN.floats("hashes");
        List<String> different = new ArrayList<>();
        for (int block = 0; block < starts.length; block++) {
            int start = (int) starts[block];
            String text = IntStream.range(start, start + 256)
                    .mapToObj(c -> "a" + Character.toString(c) + "B")
                    .collect(Collectors.joining(" "));
            int hash = 1;
            for (int token : tokenizer.tokens(text)) {
                hash = 31 * hash + token;
            }
            if ((float) Integer.toUnsignedLong(hash) != hashes[block]) {
                different.add(Integer.toHexString(start));
            }
        }
        // In these the reference knows letters of Unicode 17, and Java 25 those of Unicode 16.
        assertThat(different).isSubsetOf("a700", "16e00");
    }

    private static List<Integer> ints(JsonNode array) {
        List<Integer> values = new ArrayList<>();
        array.forEach(value -> values.add(value.intValue()));
        return values;
    }
}
