package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.JsonFields;
import diffusion.nn.LayerNorm;
import diffusion.nn.Linear;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The text encoder of CLIP (Radford et al. 2021) and OpenCLIP, as transformers' CLIPTextModel and
 * CLIPTextModelWithProjection.
 */
public final class CLIPTextModel {
    /**
     * The config.json, with transformers' names and defaults.
     *
     * @param eosTokenId the token whose state is the pooled text; 2, in old configs, stands for the largest id
     * @param projectionDim size of the projected pooled text; 0 for a model without
     * @param json the object itself
     */
    public record Config(
            int vocabSize,
            int hiddenSize,
            int intermediateSize,
            int numHiddenLayers,
            int numAttentionHeads,
            int maxPositionEmbeddings,
            String hiddenAct,
            double layerNormEps,
            int eosTokenId,
            int projectionDim,
            JsonNode json) {
        /** Reads the object; throws where it asks for what is not supported. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            boolean projects = json.path("architectures").path(0).asText().equals("CLIPTextModelWithProjection");
            Config config = new Config(
                    f.integer("vocab_size", 49408),
                    f.integer("hidden_size", 512),
                    f.integer("intermediate_size", 2048),
                    f.integer("num_hidden_layers", 12),
                    f.integer("num_attention_heads", 8),
                    f.integer("max_position_embeddings", 77),
                    f.choice("hidden_act", "quick_gelu", "quick_gelu", "gelu"),
                    f.number("layer_norm_eps", 1e-5),
                    f.integer("eos_token_id", 49407),
                    projects ? f.integer("projection_dim", 512) : 0,
                    json);
            if (config.vocabSize < 1
                    || config.numHiddenLayers < 1
                    || config.maxPositionEmbeddings < 1
                    || config.intermediateSize < 1) {
                throw f.wrong(
                        "vocab_size, num_hidden_layers, max_position_embeddings, intermediate_size",
                        "positive numbers",
                        "%d, %d, %d, %d"
                                .formatted(
                                        config.vocabSize,
                                        config.numHiddenLayers,
                                        config.maxPositionEmbeddings,
                                        config.intermediateSize));
            }
            if (config.numAttentionHeads < 1 || config.hiddenSize % config.numAttentionHeads != 0) {
                throw f.wrong(
                        "num_attention_heads",
                        "a divisor of hidden_size " + config.hiddenSize,
                        String.valueOf(config.numAttentionHeads));
            }
            return config;
        }

        /** The same with more entries in the table of tokens. */
        public Config withVocabSize(int size) {
            return new Config(
                    size,
                    hiddenSize,
                    intermediateSize,
                    numHiddenLayers,
                    numAttentionHeads,
                    maxPositionEmbeddings,
                    hiddenAct,
                    layerNormEps,
                    eosTokenId,
                    projectionDim,
                    json);
        }
    }

    private record Layer(
            LayerNorm norm1, Linear q, Linear k, Linear v, Linear out, LayerNorm norm2, Linear fc1, Linear fc2) {
        static Layer at(Scope scope, Config config) {
            int size = config.hiddenSize;
            Scope attention = scope.child("self_attn");
            return new Layer(
                    new LayerNorm(scope.child("layer_norm1"), size, (float) config.layerNormEps),
                    new Linear(attention.child("q_proj"), size, size),
                    new Linear(attention.child("k_proj"), size, size),
                    new Linear(attention.child("v_proj"), size, size),
                    new Linear(attention.child("out_proj"), size, size),
                    new LayerNorm(scope.child("layer_norm2"), size, (float) config.layerNormEps),
                    new Linear(scope.child("mlp.fc1"), size, config.intermediateSize),
                    new Linear(scope.child("mlp.fc2"), config.intermediateSize, size));
        }

        Tensor apply(Graph g, Tensor x, int heads, Function act) {
            Tensor h = norm1.apply(g, x);
            float scale = (float) (1 / Math.sqrt((double) x.dim(2) / heads));
            h = g.attention(q.apply(g, h), k.apply(g, h), v.apply(g, h), heads, scale, true);
            Tensor y = g.add(x, out.apply(g, h));
            h = g.activation(fc1.apply(g, norm2.apply(g, y)), act);
            return g.add(y, fc2.apply(g, h));
        }
    }

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final Tensor token_embedding; // [vocabulary, hidden]
    private final Tensor position_embedding; // [positions, hidden]
    private final List<Layer> layers = new ArrayList<>();
    private final LayerNorm final_layer_norm;
    private final @Nullable Linear text_projection;

    /** Declares the weights of a configuration. */
    public CLIPTextModel(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        Scope text = root.child("text_model");
        Init init = new Init.Normal(0.02f);
        int size = config.hiddenSize;
        token_embedding = text.child("embeddings.token_embedding").declare("weight", init, config.vocabSize, size);
        position_embedding =
                text.child("embeddings.position_embedding").declare("weight", init, config.maxPositionEmbeddings, size);
        for (int i = 0; i < config.numHiddenLayers; i++) {
            layers.add(Layer.at(text.child("encoder.layers", i), config));
        }
        final_layer_norm = new LayerNorm(text.child("final_layer_norm"), size, (float) config.layerNormEps);
        text_projection = config.projectionDim == 0
                ? null
                : new Linear(root.child("text_projection"), size, config.projectionDim, false);
    }

    /**
     * Records the encoder up to each layer.
     *
     * @param ids token ids [N * tokens]
     * @param n the number of texts
     * @return transformers' hidden_states: the embeddings, then every layer's output [N, tokens, hidden]
     */
    public List<Tensor> hiddenStates(Graph g, Tensor ids, int n) {
        int tokens = ids.dim(0) / n;
        float[] positions = new float[n * tokens];
        for (int i = 0; i < positions.length; i++) {
            positions[i] = i % tokens;
        }
        Tensor position = g.embedding(g.constant("positions", positions, positions.length), position_embedding);
        Tensor h = g.add(g.embedding(ids, token_embedding), position);
        h = g.reshape(h, n, tokens, config.hiddenSize);
        List<Tensor> states = new ArrayList<>(List.of(h));
        Function act = config.hiddenAct.equals("gelu") ? Function.GELU : Function.QUICK_GELU;
        for (Layer layer : layers) {
            h = layer.apply(g, h, config.numAttentionHeads, act);
            states.add(h);
        }
        return states;
    }

    /** The final normalisation: of the last hidden state, transformers' last_hidden_state. */
    public Tensor finalLayerNorm(Graph g, Tensor h) {
        return final_layer_norm.apply(g, h);
    }

    /**
     * The pooled text [N, hidden], or [N, projection_dim] for a model with projection.
     *
     * @param last the last hidden state after {@link #finalLayerNorm}
     * @param end for each text i, i * tokens + {@link #endOf}, [N]
     */
    public Tensor pooled(Graph g, Tensor last, Tensor end) {
        Tensor pooled = g.embedding(end, g.reshape(last, last.size() / config.hiddenSize, config.hiddenSize));
        return text_projection == null ? pooled : text_projection.apply(g, pooled);
    }

    /** The place among a text's tokens whose state stands for the text. */
    public int endOf(int[] ids) {
        int best = 0;
        for (int i = 0; i < ids.length; i++) {
            if (config.eosTokenId != 2 && ids[i] == config.eosTokenId) {
                return i;
            }
            if (config.eosTokenId == 2 && ids[i] > ids[best]) {
                best = i;
            }
        }
        return best;
    }

    /** The table of tokens [vocab_size, hidden_size]. */
    public Tensor tokenEmbedding() {
        return token_embedding;
    }

    /** The weights, by checkpoint name. */
    public Parameters parameters() {
        return parameters;
    }

    /** The configuration. */
    public Config config() {
        return config;
    }
}
