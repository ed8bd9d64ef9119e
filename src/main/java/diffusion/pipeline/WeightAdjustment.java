package diffusion.pipeline;

import diffusion.graph.Tensor;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;

/** A change to weights on their way from the file to a program, such as a LoRA's. */
@FunctionalInterface
public interface WeightAdjustment {
    /** No change. */
    WeightAdjustment NONE = (_, _, values) -> values;

    /**
     * What writes the changed elements of a parameter, given what writes those of the file.
     *
     * @param part of the pipeline: unet, text_encoder or text_encoder_2
     */
    Consumer<MemorySegment> apply(String part, Tensor parameter, Consumer<MemorySegment> values);
}
