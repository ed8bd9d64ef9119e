package diffusion.nn;

import diffusion.graph.AttentionProcessor;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Set;

/**
 * Self-attention that takes its style from another picture: {@code softmax(tau q' Ks^T / sqrt(d)) Vs} with {@code q' = gamma
 * qc + (1 - gamma) q} (Chung, Hyun and Heo 2024, StyleID, equations 2 to 4). The content's and the style's own runs go on in
 * the same batch, so that nothing of them is stored.
 *
 * @param states pictures of a batch: the results first, then the content, last the style. Of a guided network's batch each
 *     half is one of these
 * @param layers names of the layers that follow the rule; all others attend plainly
 * @param gamma how much of the content's query is kept, 0 to 1
 * @param tau what the logits are multiplied by; above 1 for sharper attention
 */
public record StyleInjection(int states, Set<String> layers, float gamma, float tau) implements AttentionProcessor {
    /** Pictures of a batch that are no results. */
    public static final int COMPANIONS = 2;

    /** Copies the set. */
    public StyleInjection {
        layers = Set.copyOf(layers);
    }

    @Override
    public Tensor apply(Graph g, String layer, Tensor q, Tensor k, Tensor v, int heads, float scale) {
        if (!layers.contains(layer)) {
            return g.attention(q, k, v, heads, scale);
        }
        int results = states - COMPANIONS;
        List<Tensor> queries = new ArrayList<>();
        List<Tensor> keys = new ArrayList<>();
        List<Tensor> values = new ArrayList<>();
        for (int first = 0; first < q.dim(0); first += states) {
            int content = first + results;
            List<Tensor> kept = Collections.nCopies(results, g.slice(q, 0, content, 1));
            queries.add(g.add(g.concat(kept, 0), g.slice(q, 0, first, results), tau * gamma, tau * (1 - gamma)));
            queries.add(g.slice(q, 0, content, COMPANIONS));
            keys.add(ofStyle(g, k, content));
            values.add(ofStyle(g, v, content));
        }
        return g.attention(g.concat(queries, 0), g.concat(keys, 0), g.concat(values, 0), heads, scale);
    }

    /** Rows of one batch: the style's for every result, then the content's and the style's own. */
    private Tensor ofStyle(Graph g, Tensor x, int content) {
        Tensor style = g.slice(x, 0, content + 1, 1);
        List<Tensor> rows = new ArrayList<>(Collections.nCopies(states - COMPANIONS, style));
        rows.add(g.slice(x, 0, content, COMPANIONS));
        return g.concat(rows, 0);
    }
}
