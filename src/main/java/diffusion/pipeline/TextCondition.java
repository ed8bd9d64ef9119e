package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.text.Prompt;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/**
 * What the U-Net is to follow, for all pictures of a run and, last, for the negative prompt of a guided one.
 *
 * @param context texts, each [tokens, features]
 * @param pooled texts, each [pooledFeatures]
 */
record TextCondition(List<float[]> context, List<float[]> pooled, int tokens, int features, int pooledFeatures) {
    /** The shapes alone, for prompts of one chunk. */
    static TextCondition empty(StableDiffusionComponents components) {
        int tokens = components.texts().getFirst().tokenizer().maxLength();
        int pooled = components.texts().getLast().config().projectionDim();
        return new TextCondition(List.of(), List.of(), tokens, features(components), pooled);
    }

    private static int features(StableDiffusionComponents components) {
        return components.texts().stream()
                .mapToInt(text -> text.config().hiddenSize())
                .sum();
    }

    /** All prompts, then the negative one if the run is guided, by every encoder; features side by side. */
    static TextCondition encode(
            Backend backend,
            StableDiffusionComponents components,
            WeightAdjustment adjustment,
            StableDiffusionPipeline.Request request,
            boolean guided) {
        List<Prompt> prompts = new ArrayList<>(request.prompts());
        boolean zeros = guided && request.negative() == null && components.zerosForEmptyPrompt();
        if (guided) {
            prompts.add(request.negative() == null ? Prompt.plain("") : request.negative());
        }
        boolean xl = components.isXL();
        // The negative prompt keeps all layers, as in diffusers; SDXL never uses the last.
        List<Integer> skips =
                new ArrayList<>(Collections.nCopies(request.prompts().size(), request.clipSkip() + (xl ? 1 : 0)));
        if (guided) {
            skips.add(xl ? 1 : 0);
        }
        List<List<TextEncoding.Encoded>> encoded = new ArrayList<>();
        for (StableDiffusionComponents.Text text : components.texts()) {
            encoded.add(TextEncoding.encode(backend, text, prompts, skips, !xl, adjustment));
        }
        List<float[]> context = new ArrayList<>();
        List<float[]> pooled = new ArrayList<>();
        int features = features(components);
        for (int i = 0; i < prompts.size(); i++) {
            int row = i;
            float[] joined = join(
                    components,
                    encoded.stream().map(list -> list.get(row).states()).toList(),
                    features);
            float[] last = encoded.getLast().get(i).pooled();
            boolean zero = zeros && i == prompts.size() - 1;
            context.add(zero ? new float[joined.length] : joined);
            pooled.add(zero ? new float[last.length] : last);
        }
        return new TextCondition(
                context, pooled, context.getFirst().length / features, features, pooled.getFirst().length);
    }

    /** Rows of several matrices side by side; all have the same number of rows. */
    private static float[] join(StableDiffusionComponents components, List<float[]> parts, int features) {
        List<Integer> widths = components.texts().stream()
                .map(text -> text.config().hiddenSize())
                .toList();
        int rows = parts.getFirst().length / widths.getFirst();
        float[] all = new float[rows * features];
        for (int row = 0; row < rows; row++) {
            int at = row * features;
            for (int p = 0; p < parts.size(); p++) {
                int width = widths.get(p);
                System.arraycopy(parts.get(p), row * width, all, at, width);
                at += width;
            }
        }
        return all;
    }
}
