package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.function.BiFunction;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/**
 * One half of an autoencoder over inputs [C, H, W] of one size, whole or in tiles that overlap by a quarter and whose results
 * are blended; diffusers' tiled_encode and tiled_decode of AutoencoderKL.
 */
final class TiledNetwork implements AutoCloseable {
    private static final double OVERLAP = 0.25;

    /**
     * The sizes of what goes in and comes out.
     *
     * @param tile edge of a tile of the input; 0 for one that covers all
     * @param multiplier elements of the output, down and across, for every {@code divisor} of the input
     */
    record Sizes(int channels, int height, int width, int tile, int multiplier, int divisor) {}

    private record Size(int height, int width) {}

    private record Part(Graph graph, Tensor input, Tensor output) {}

    /** What became of a tile, [C, height, width]. */
    private record Result(float[] values, int height, int width) {}

    private final Sizes sizes;
    private final int tile;
    private final int stride;
    private final Map<Size, Part> parts = new LinkedHashMap<>();
    private final Program program;

    /** Records and compiles {@code network}; its weights are the caller's to fill. */
    TiledNetwork(Backend backend, String name, Sizes sizes, BiFunction<Graph, Tensor, Tensor> network) {
        this.sizes = sizes;
        boolean cut = sizes.tile > 0 && (sizes.height > sizes.tile || sizes.width > sizes.tile);
        tile = cut ? sizes.tile : Math.max(sizes.height, sizes.width);
        stride = cut ? (int) (tile * (1 - OVERLAP)) : tile;
        for (int i = 0; i < sizes.height; i += stride) {
            for (int j = 0; j < sizes.width; j += stride) {
                parts.computeIfAbsent(size(i, j), size -> {
                    Graph graph = new Graph(name + " " + size.height + "x" + size.width);
                    Tensor input = graph.input("input", 1, sizes.channels, size.height, size.width);
                    return new Part(graph, input, graph.output(network.apply(graph, input)));
                });
            }
        }
        program = backend.compile(parts.values().stream().map(Part::graph).toList());
    }

    /** The compiled network. */
    Program program() {
        return program;
    }

    /** Whether the network reads a parameter. */
    boolean reads(Tensor parameter) {
        return parts.values().stream().anyMatch(part -> part.graph.tensors().contains(parameter));
    }

    private Size size(int i, int j) {
        return new Size(Math.min(tile, sizes.height - i), Math.min(tile, sizes.width - j));
    }

    private int scaled(int length) {
        return length * sizes.multiplier / sizes.divisor;
    }

    /**
     * Runs it.
     *
     * @param input [C, H, W]
     * @param prepare what is done to each tile before
     * @return [C', H', W']
     */
    float[] run(float[] input, UnaryOperator<float[]> prepare) {
        int channels = parts.values().iterator().next().output.dim(1);
        float[] all = new float[channels * scaled(sizes.height) * scaled(sizes.width)];
        int blend = (int) (scaled(tile) * OVERLAP);
        int keep = scaled(tile) - blend;
        Result[] above = new Result[(sizes.width + stride - 1) / stride];
        for (int i = 0; i < sizes.height; i += stride) {
            Result left = null;
            for (int j = 0; j < sizes.width; j += stride) {
                Result now = run(input, i, j, prepare);
                int column = j / stride;
                if (i > 0) {
                    blend(above[column], now, blend, true);
                }
                if (left != null) {
                    blend(left, now, blend, false);
                }
                above[column] = now;
                left = now;
                place(now, all, channels, i / stride * keep, column * keep, stride == tile ? null : keep);
            }
        }
        return all;
    }

    private Result run(float[] input, int top, int left, UnaryOperator<float[]> prepare) {
        Size size = size(top, left);
        Part part = Objects.requireNonNull(parts.get(size));
        float[] cut = new float[part.input.size()];
        for (int c = 0; c < sizes.channels; c++) {
            for (int i = 0; i < size.height; i++) {
                int from = (c * sizes.height + top + i) * sizes.width + left;
                System.arraycopy(input, from, cut, (c * size.height + i) * size.width, size.width);
            }
        }
        program.write(part.input, prepare.apply(cut));
        program.run(part.graph);
        return new Result(program.read(part.output), scaled(size.height), scaled(size.width));
    }

    /** The first rows of {@code b} fade in over the last rows of {@code a}; or columns. */
    private static void blend(Result a, Result b, int wanted, boolean rows) {
        int extent = Math.min(wanted, rows ? Math.min(a.height, b.height) : Math.min(a.width, b.width));
        int height = rows ? extent : b.height;
        int width = rows ? b.width : extent;
        int channels = b.values.length / (b.height * b.width);
        for (int c = 0; c < channels; c++) {
            for (int y = 0; y < height; y++) {
                for (int x = 0; x < width; x++) {
                    float share = (float) (rows ? y : x) / extent;
                    int row = rows ? a.height - extent + y : y;
                    int column = rows ? x : a.width - extent + x;
                    int from = (c * a.height + row) * a.width + column;
                    int to = (c * b.height + y) * b.width + x;
                    b.values[to] = a.values[from] * (1 - share) + b.values[to] * share;
                }
            }
        }
    }

    /** Copies a result to its place, all of it or the first {@code keep} rows and columns. */
    private void place(Result result, float[] all, int channels, int top, int left, @Nullable Integer keep) {
        int down = scaled(sizes.height);
        int across = scaled(sizes.width);
        int rows = Math.min(keep == null ? result.height : Math.min(result.height, keep), down - top);
        int columns = Math.min(keep == null ? result.width : Math.min(result.width, keep), across - left);
        for (int c = 0; c < channels; c++) {
            for (int y = 0; y < rows; y++) {
                System.arraycopy(
                        result.values,
                        (c * result.height + y) * result.width,
                        all,
                        (c * down + top + y) * across + left,
                        columns);
            }
        }
    }

    @Override
    public void close() {
        program.close();
    }
}
