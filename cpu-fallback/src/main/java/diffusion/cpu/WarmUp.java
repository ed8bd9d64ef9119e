package diffusion.cpu;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Has the JVM compile the kernels of a U-Net before a picture needs them, for as long as the model is being read.
 *
 * <p>Until its optimising compiler has seen a kernel at work, every operation on a vector is a call that allocates, and a picture's
 * worth of these takes seconds, half of them spent compiling the calls themselves. A graph of tiny tensors calls the same
 * kernels as often in a fraction of that. Compiled or not, a kernel gives the same bits.
 */
final class WarmUp {
    /** Runs after which most kernels have been called often enough to be compiled, and when it has gone on long enough. */
    private static final int LEAST = 12;

    private static final int MOST = 200;

    /** Of the pictures: neither their rows nor all of their pixels fill whole vectors. */
    private static final int SIZE = 14;

    private static final int CHANNELS = 8;
    private static final int GROUPS = 4;

    private static volatile @Nullable Thread running;
    private static volatile boolean wanted;

    private final Graph g = new Graph("warm-up");
    private final List<Tensor> weights = new ArrayList<>();

    private WarmUp() {}

    /** Begins, in a thread of its own. */
    static void start() {
        wanted = true;
        running = Thread.ofPlatform().daemon().name("diffusion-warm-up").start(() -> new WarmUp().run());
    }

    /** Lets what was started end and waits for it; called before every run. */
    static void end() {
        Thread thread = running;
        if (thread == null || thread.equals(Thread.currentThread())) {
            return;
        }
        wanted = false;
        try {
            thread.join();
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
        running = null;
    }

    private void run() {
        record();
        try (CpuProgram program = new CpuProgram(new Crew(1), List.of(g))) {
            for (int i = 0; i < LEAST || (wanted && i < MOST); i++) {
                for (Tensor weight : weights) { // anew: packing is to be compiled, too
                    program.fill(weight, zeros -> zeros.fill((byte) 0));
                }
                program.run(g);
            }
        }
    }

    /** A convolution, normalisation or product of each kind: both sizes of minimal filtering, odd sizes, few rows. */
    private void record() {
        Tensor x = g.state("x", 2, CHANNELS, SIZE, SIZE);
        Tensor time =
                g.sinusoidalEmbedding(g.input("timestep", 2), g.constant("f", new float[4], 4), CHANNELS, true, true);
        time = g.activation(linear(g.add(time, g.embedding(g.input("label", 2), weight(2, CHANNELS)))), Function.SILU);
        Tensor h = conv(norm(g.linearCombination(List.of(x), g.input("scale", 1))), 3, Window.of(1, 1));
        Tensor down = conv(norm(g.addChannel(h, time)), 3, Window.of(2, 1));
        down = conv(norm(down), 3, Window.of(1, 1));
        int[] picture = down.shape(); // [N, C, 7, 7]
        Tensor tokens = g.transpose(g.reshape(norm(down, false), 2, CHANNELS, picture[2] * picture[3]));
        tokens = linear(g.attention(linear(tokens), linear(tokens), linear(tokens), 1, 1));
        down = g.add(down, g.reshape(g.transpose(tokens), picture));
        Tensor up = g.upsample(down, 2, 2);
        up = conv(g.concat(List.of(up, h), 1), 1, Window.of(1, 0));
        g.output(g.add(up, x, 0.5f, 0.5f));
    }

    private Tensor weight(int... shape) {
        Tensor weight = new Tensor("w" + weights.size(), Tensor.Role.PARAMETER, shape);
        weights.add(weight);
        return weight;
    }

    private Tensor conv(Tensor x, int size, Window window) {
        return g.conv2d(x, weight(CHANNELS, x.dim(1), size, size), weight(CHANNELS), window);
    }

    private Tensor linear(Tensor x) {
        return g.linear(x, weight(CHANNELS, x.dim(-1)), weight(CHANNELS));
    }

    private Tensor norm(Tensor x) {
        return norm(x, true);
    }

    private Tensor norm(Tensor x, boolean silu) {
        return g.groupNorm(x, weight(CHANNELS), weight(CHANNELS), GROUPS, 1e-5f, silu);
    }
}
