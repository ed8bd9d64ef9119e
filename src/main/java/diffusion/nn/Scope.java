package diffusion.nn;

import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;

/**
 * A place in a checkpoint: the store of weights and the dotted prefix of the names declared here.
 *
 * @param parameters where weights are declared
 * @param name the prefix without a final dot; empty at the root
 */
public record Scope(Parameters parameters, String name) {
    /** The root of a checkpoint. */
    public static Scope root(Parameters parameters) {
        return new Scope(parameters, "");
    }

    /** The place {@code child} below this one. */
    public Scope child(String child) {
        return new Scope(parameters, path(child));
    }

    /** Element {@code index} of the list {@code child} below this one. */
    public Scope child(String child, int index) {
        return child(child + "." + index);
    }

    /** Declares a weight of this place. */
    public Tensor declare(String weight, Init init, int... shape) {
        return parameters.declare(path(weight), init, shape);
    }

    private String path(String part) {
        return name.isEmpty() ? part : name + "." + part;
    }
}
