package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.CLIPTextModel;
import diffusion.text.Prompt;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Consumer;

/** Texts as one encoder sees them; the encoder is loaded for the purpose and released. */
final class TextEncoding {
    /**
     * A text.
     *
     * @param states [chunks * tokens, features]
     * @param pooled [features] of the first chunk, projected where the encoder projects
     */
    record Encoded(float[] states, float[] pooled) {}

    private TextEncoding() {}

    /**
     * Encodes prompts, all to the same number of chunks: shorter ones are continued with empty chunks.
     *
     * @param skips how many of the last layers are left out, for each prompt; 0 for none
     * @param normalised whether the final normalisation follows
     */
    static List<Encoded> encode(
            Backend backend,
            StableDiffusionComponents.Text text,
            List<Prompt> prompts,
            List<Integer> skips,
            boolean normalised,
            WeightAdjustment adjustment) {
        List<List<Prompt.Chunk>> chunks = new ArrayList<>();
        prompts.forEach(prompt -> chunks.add(new ArrayList<>(prompt.chunks(text.tokenizer()))));
        int longest = chunks.stream().mapToInt(List::size).max().orElse(1);
        Prompt.Chunk empty = Prompt.plain("").chunks(text.tokenizer()).getFirst();
        chunks.forEach(list -> {
            while (list.size() < longest) {
                list.add(empty);
            }
        });
        CLIPTextModel stored = new CLIPTextModel(text.config());
        int known = text.config().vocabSize();
        int more = text.embeddings().length / text.config().hiddenSize();
        CLIPTextModel model = new CLIPTextModel(text.config().withVocabSize(known + more));
        int tokens = text.tokenizer().maxLength();
        Graph graph = new Graph("text encoder");
        Tensor ids = graph.input("ids", tokens);
        Tensor end = graph.input("end", 1);
        List<Tensor> states = model.hiddenStates(graph, ids, 1);
        Tensor last = model.finalLayerNorm(graph, states.getLast());
        Map<Integer, Tensor> outputs = new HashMap<>();
        for (int skip : skips) {
            outputs.computeIfAbsent(skip, _ -> {
                Tensor kept = states.get(Math.max(0, states.size() - 1 - skip));
                return graph.output(!normalised ? kept : skip == 0 ? last : model.finalLayerNorm(graph, kept));
            });
        }
        Tensor pooled = graph.output(model.pooled(graph, last, end));
        try (Program program = backend.compile(List.of(graph))) {
            text.weights().load(stored.parameters(), tensor -> used(graph, model, tensor), (tensor, values) -> {
                Consumer<MemorySegment> changed = adjustment.apply(text.part(), tensor, values);
                if (tensor.equals(stored.tokenEmbedding())) {
                    program.fill(model.tokenEmbedding(), to -> extend(changed, text.embeddings(), to));
                } else {
                    program.fill(same(model, tensor), changed);
                }
            });
            Map<List<Float>, Encoded> cache = new HashMap<>();
            List<Encoded> encoded = new ArrayList<>();
            for (int p = 0; p < chunks.size(); p++) {
                List<Prompt.Chunk> list = chunks.get(p);
                int skip = skips.get(p);
                Tensor output = Objects.requireNonNull(outputs.get(skip));
                int features = text.config().hiddenSize();
                float[] all = new float[longest * tokens * features];
                float[] first = {};
                for (int i = 0; i < longest; i++) {
                    Prompt.Chunk chunk = list.get(i);
                    Encoded one = cache.computeIfAbsent(key(chunk, skip), _ -> {
                        program.write(ids, floats(chunk.ids()));
                        program.write(end, new float[] {model.endOf(chunk.ids())});
                        program.run(graph);
                        return new Encoded(weigh(program.read(output), chunk), program.read(pooled));
                    });
                    System.arraycopy(one.states, 0, all, i * tokens * features, tokens * features);
                    first = i == 0 ? one.pooled : first;
                }
                encoded.add(new Encoded(all, first));
            }
            return encoded;
        }
    }

    private static boolean used(Graph graph, CLIPTextModel model, Tensor stored) {
        return graph.tensors().contains(same(model, stored));
    }

    private static Tensor same(CLIPTextModel model, Tensor stored) {
        return Objects.requireNonNull(model.parameters().find(stored.name()));
    }

    /** A table of tokens with further rows at its end. */
    private static void extend(Consumer<MemorySegment> table, float[] rows, MemorySegment to) {
        long known = to.byteSize() - (long) rows.length * Float.BYTES;
        table.accept(to.asSlice(0, known));
        MemorySegment.copy(MemorySegment.ofArray(rows), 0, to, known, (long) rows.length * Float.BYTES);
    }

    private static List<Float> key(Prompt.Chunk chunk, int skip) {
        List<Float> key = new ArrayList<>(List.of((float) skip));
        for (int i = 0; i < chunk.ids().length; i++) {
            key.addAll(List.of((float) chunk.ids()[i], chunk.weights()[i]));
        }
        return key;
    }

    /** Every token's state times its weight, then all of them scaled so that their mean is what it was. */
    private static float[] weigh(float[] states, Prompt.Chunk chunk) {
        if (!chunk.isWeighted()) {
            return states;
        }
        int features = states.length / chunk.weights().length;
        float[] weighted = new float[states.length];
        double before = 0;
        double after = 0;
        for (int i = 0; i < states.length; i++) {
            weighted[i] = states[i] * chunk.weights()[i / features];
            before += states[i];
            after += weighted[i];
        }
        float scale = (float) (before / after);
        for (int i = 0; i < weighted.length; i++) {
            weighted[i] *= scale;
        }
        return weighted;
    }

    private static float[] floats(int[] values) {
        float[] floats = new float[values.length];
        for (int i = 0; i < values.length; i++) {
            floats[i] = values[i];
        }
        return floats;
    }
}
