package diffusion.graph;

/** Tensors that do not fit together, found while a graph is built. */
public final class ShapeException extends IllegalArgumentException {
    private static final long serialVersionUID = 1L;

    /** Names the layer (its checkpoint name), what was expected and what was found. */
    public ShapeException(String where, String expected, String found) {
        super(where + ": expected " + expected + ", found " + found);
    }
}
