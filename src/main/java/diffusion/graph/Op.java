package diffusion.graph;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * One node of a graph, at the size of a layer; its records, in one file a family, are the list of everything a backend must be able to do.
 *
 * <p>A backend is one exhaustive switch over this interface; {@code diffusion.backend.reference} says in naive loops what
 * each op means. Naming: {@code x} in, {@code y} out, {@code dy} the gradient of the loss by {@code y}. Gradients of
 * activations are overwritten; gradients of parameters ({@code dw}, {@code dBias}, {@code dGamma}, {@code dBeta},
 * {@code dTable}) are added to, so that micro-batches accumulate; {@link TrainOp.OptimizerStep} clears them. No op may run in
 * place except where a STATE or PARAMETER tensor is named as updated.
 */
public sealed interface Op permits MatrixOp, PointOp, LayoutOp, TrainOp, SamplerStep {
    /** Tensors this op reads. */
    List<Tensor> reads();

    /** Tensors this op writes or updates. */
    List<Tensor> writes();

    /** The tensors that are not null. */
    static List<Tensor> list(@Nullable Tensor... tensors) {
        List<Tensor> present = new ArrayList<>();
        for (Tensor tensor : tensors) {
            if (tensor != null) {
                present.add(tensor);
            }
        }
        return present;
    }
}
