package diffusion.graph;

/** What the layers of self-attention of a graph do in place of plain attention; diffusers' attention processors. */
@FunctionalInterface
public interface AttentionProcessor {
    /**
     * Records the attention of one layer.
     *
     * @param layer the layer's name in the checkpoint
     * @param q [B, N, C], and k and v in the same shape
     * @return [B, N, C]
     */
    Tensor apply(Graph g, String layer, Tensor q, Tensor k, Tensor v, int heads, float scale);
}
