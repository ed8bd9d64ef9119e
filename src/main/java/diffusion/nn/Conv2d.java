package diffusion.nn;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import org.jspecify.annotations.Nullable;

/** A 2-d convolution, as torch.nn.Conv2d. */
public final class Conv2d {
    private final String name;
    private final Tensor weight; // [out, in, kernel, kernel]
    private final @Nullable Tensor bias; // [out]
    private final Window window;

    /** A layer with torch's initialisation, uniform within 1 / sqrt(fan in). */
    public Conv2d(Scope scope, int in, int out, int kernel, Window window) {
        this(scope, in, out, kernel, window, true);
    }

    /** A layer with or without bias. */
    public Conv2d(Scope scope, int in, int out, int kernel, Window window, boolean hasBias) {
        name = scope.name();
        Init init = new Init.Uniform((float) (1 / Math.sqrt((double) in * kernel * kernel)));
        weight = scope.declare("weight", init, out, in, kernel, kernel);
        bias = hasBias ? scope.declare("bias", init, out) : null;
        this.window = window;
    }

    /** A 3x3 convolution that keeps the size of the picture. */
    public static Conv2d same3x3(Scope scope, int in, int out) {
        return new Conv2d(scope, in, out, 3, Window.of(1, 1));
    }

    /** [N, in, H, W] to [N, out, H', W']. */
    public Tensor apply(Graph g, Tensor x) {
        return g.scope(name, () -> g.conv2d(x, weight, bias, window));
    }
}
