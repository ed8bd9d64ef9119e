package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** All levels of a U-Net, between its first and its last convolution. */
record UNetLevels(List<UNetBlock> down, @Nullable UNetBlock middle, List<UNetBlock> up) {
    /**
     * Records them.
     *
     * @param x [N, C, H, W]
     * @param deep what a full run keeps and a shallow one goes on from; null where every run is full
     * @return [N, C, H, W]
     */
    Tensor apply(Graph g, Tensor x, @Nullable Tensor temb, @Nullable Tensor context, @Nullable DeepFeatures deep) {
        List<Tensor> skips = new ArrayList<>(List.of(x));
        if (deep != null && deep.areKept()) {
            down.getFirst().applyLayers(g, x, temb, context, skips);
            return up.getLast().applyUp(g, deep.kept(), temb, context, skips);
        }
        Tensor h = x;
        for (UNetBlock block : down) {
            h = block.applyDown(g, h, temb, context, skips);
        }
        if (middle != null) {
            h = middle.applyMiddle(g, h, temb, context);
        }
        for (UNetBlock block : up.subList(0, up.size() - 1)) {
            h = block.applyUp(g, h, temb, context, skips);
        }
        if (deep != null) {
            deep.keep(g, h);
        }
        return up.getLast().applyUp(g, h, temb, context, skips);
    }
}
