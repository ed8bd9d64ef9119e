package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.io.SafeTensors;
import diffusion.text.CLIPTokenizer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;

/**
 * Learned words (Gal et al. 2022): tokens of one or more vectors in the files of diffusers, AUTOMATIC1111 and, with one key for
 * each text encoder, of Stable Diffusion XL; diffusers' load_textual_inversion.
 */
public final class TextualInversion {
    private static final String WEB_UI = "emb_params";
    private static final List<String> XL = List.of("clip_l", "clip_g");

    private TextualInversion() {}

    /**
     * Adds the tokens of a safetensors file to a checkpoint's text encoders.
     *
     * @param token what stands for it in prompts; null for the name in the file or, where that is none, of the file
     * @throws DiffusionException if the vectors do not fit the model, or the token is known already
     */
    public static StableDiffusionComponents add(
            StableDiffusionComponents components, Path path, @Nullable String token) {
        List<StableDiffusionComponents.Text> texts = new ArrayList<>(components.texts());
        try (SafeTensors file = SafeTensors.open(path)) {
            String name = token != null ? token : nameOf(path, file);
            boolean two = file.names().containsAll(XL);
            if (!two && file.names().size() != 1) {
                throw new DiffusionException(
                        "--embedding: " + path + " has " + file.names().size()
                                + " tensors, expected one, or clip_l and clip_g of Stable Diffusion XL; is it an embedding?");
            }
            if (two != texts.size() > 1) {
                throw new DiffusionException("--embedding: " + path + " is for " + (two ? 2 : 1) + " text encoders, "
                        + components.name() + " has " + texts.size() + "; it is for another base model");
            }
            for (int i = 0; i < texts.size(); i++) {
                String key = two ? XL.get(i) : file.names().iterator().next();
                texts.set(i, with(texts.get(i), path, name, file.shape(key), file.floats(key)));
            }
        }
        return components.withTexts(texts);
    }

    private static String nameOf(Path path, SafeTensors file) {
        String first = file.names().stream().findFirst().orElse("");
        boolean unnamed = first.equals(WEB_UI) || file.names().size() != 1;
        return unnamed ? String.valueOf(path.getFileName()).replaceFirst("\\.[^.]*$", "") : first;
    }

    private static StableDiffusionComponents.Text with(
            StableDiffusionComponents.Text text, Path path, String token, int[] shape, float[] values) {
        int width = text.config().hiddenSize();
        if (shape.length < 1 || shape.length > 2 || shape[shape.length - 1] != width || values.length == 0) {
            throw new DiffusionException("--embedding: " + path + " holds vectors of shape " + Arrays.toString(shape)
                    + ", the " + text.part() + " takes " + width + " numbers a token; it is for another base model");
        }
        CLIPTokenizer tokenizer = text.tokenizer();
        boolean known = tokenizer.vocabulary().containsKey(token)
                || tokenizer.added().keySet().stream().anyMatch(token::equalsIgnoreCase);
        if (token.isBlank() || known) {
            throw new DiffusionException("--embedding: the token \"" + token + "\" of " + path
                    + (known ? " is in the vocabulary already" : " is empty")
                    + "; give another with --embedding FILE:TOKEN");
        }
        int first = text.config().vocabSize() + text.embeddings().length / width;
        Map<String, List<Integer>> added = new HashMap<>(tokenizer.added());
        added.put(
                token,
                IntStream.range(first, first + values.length / width).boxed().toList());
        float[] rows = Arrays.copyOf(text.embeddings(), text.embeddings().length + values.length);
        System.arraycopy(values, 0, rows, text.embeddings().length, values.length);
        return new StableDiffusionComponents.Text(
                text.part(), text.config(), text.weights(), tokenizer.withTokens(added), rows);
    }
}
