package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.Tensor;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * What the deep levels of a U-Net give to its topmost one, kept from one run for later ones (DeepCache, Ma et al. 2023,
 * section 3.2).
 *
 * <p>The first graph that a network is recorded in with this goes through all levels and keeps them; every later one is
 * shallow: the topmost level alone, on what was kept. Compiled together they share weights and what is kept.
 */
public final class DeepFeatures {
    private @Nullable Tensor kept; // [R, C, H, W], a state

    /** Whether a graph keeps them already, so that the next is shallow. */
    boolean areKept() {
        return kept != null;
    }

    /** What was kept, [R, C, H, W]. */
    Tensor kept() {
        return java.util.Objects.requireNonNull(kept);
    }

    /** Keeps {@code features}. */
    void keep(Graph g, Tensor features) {
        kept = g.state("deep_features", features.shape());
        Tensor one = g.constant("one", new float[] {1}, 1);
        g.append(new LinearCombination(List.of(features), one, kept));
    }
}
