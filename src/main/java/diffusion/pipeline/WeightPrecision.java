package diffusion.pipeline;

import diffusion.graph.Tensor;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import diffusion.io.RoundedElements;
import java.lang.foreign.MemorySegment;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * What weights are rounded to while they are loaded, and may then be kept as: matrices and 1x1 convolutions whose rows are
 * whole blocks; other weights of two axes or more become fp16 where blocks were asked for, and tables of tokens and vectors stay
 * what they are. Weights that are stored in as few bits are left alone. Sums are of floats whatever the precision.
 */
public enum WeightPrecision implements WeightAdjustment {
    /** As floats, nothing rounded. */
    FP32(GgmlType.F32),
    FP16(GgmlType.F16),
    BF16(GgmlType.BF16),
    /** Blocks of 32 signed bytes with a scale, as in GGUF files. */
    Q8_0(GgmlType.Q8_0),
    /** Blocks of 32 signed nibbles with a scale, as in GGUF files. */
    Q4_0(GgmlType.Q4_0);

    private final GgmlType type;

    WeightPrecision(GgmlType type) {
        this.type = type;
    }

    /** Another change first, then rounding; {@code precision} is null for none. */
    public static WeightAdjustment after(WeightAdjustment first, @Nullable WeightPrecision precision) {
        return precision == null
                ? first
                : (part, parameter, values) -> precision.apply(part, parameter, first.apply(part, parameter, values));
    }

    @Override
    public Consumer<MemorySegment> apply(String part, Tensor parameter, Consumer<MemorySegment> values) {
        if (this == FP32) {
            return to -> values.accept(to); // no longer known to fit in less
        }
        if (parameter.rank() < 2 || parameter.name().endsWith("embedding.weight")) {
            return values;
        }
        boolean matrix = parameter.sizeFrom(2) == 1 && parameter.dim(1) % type.block() == 0;
        GgmlType as = type.block() == 1 || matrix ? type : GgmlType.F16;
        boolean stored = values instanceof Elements elements && bits(elements.type()) <= bits(as);
        return stored ? values : new RoundedElements(parameter.name(), values, parameter.size(), as);
    }

    private static int bits(GgmlType type) {
        return type.bytes() * Byte.SIZE / type.block();
    }
}
