package diffusion.graph;

import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * The weights of a model by checkpoint name, in the order they were declared.
 *
 * <p>One store may serve many graphs (several batch sizes, training and sampling): all of them then share the weights.
 */
public final class Parameters {
    /** How a weight starts before training; the host draws it (torch's default initialisations). */
    public sealed interface Init {
        /** Uniform on [-bound, bound]. */
        record Uniform(float bound) implements Init {}

        /** Normal with mean 0. */
        record Normal(float std) implements Init {}

        /** Every element the same. */
        record Constant(float value) implements Init {}
    }

    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, Init> inits = new LinkedHashMap<>();

    /** Declares a weight; throws if the name is taken. */
    public Tensor declare(String name, Init init, int... shape) {
        Tensor tensor = new Tensor(name, Tensor.Role.PARAMETER, shape);
        if (tensors.putIfAbsent(name, tensor) != null) {
            throw new IllegalArgumentException("parameter " + name + " is declared twice");
        }
        inits.put(name, init);
        return tensor;
    }

    /** The weight of that name, or null. */
    public @Nullable Tensor find(String name) {
        return tensors.get(name);
    }

    /** All weights in declaration order. */
    public Collection<Tensor> all() {
        return Collections.unmodifiableCollection(tensors.values());
    }

    /** How the weight starts before training. */
    public Init init(Tensor parameter) {
        Init init = inits.get(parameter.name());
        if (init == null) {
            throw new IllegalArgumentException("no parameter named " + parameter.name());
        }
        return init;
    }

    /** The number of elements of all weights together. */
    public long count() {
        return tensors.values().stream().mapToLong(Tensor::size).sum();
    }
}
