package diffusion.metrics;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.SafeTensors;
import diffusion.nn.Pooling;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The network whose features the field compares (Szegedy et al. 2016; Heusel et al. 2017): mirrors pytorch-fid's InceptionV3,
 * that is torchvision's with TensorFlow's poolings of 2015.
 *
 * <p>Widths are those of the file. Batch norms become part of the convolutions before them.
 */
final class InceptionV3 {
    /** Sides of the pictures it sees. */
    static final int SIDE = 299;

    private static final double EPS = 0.001;
    private static final int TORCHVISION_CLASSES = 1000;
    private static final List<String> STATISTICS =
            List.of(".bn.weight", ".bn.bias", ".bn.running_mean", ".bn.running_var");

    /** A convolution and the norm after it, by the name both have in the file. */
    private record Unit(String name, Tensor weight, Tensor bias) {}

    private final Path path;
    private final SafeTensors file;
    private final Parameters parameters = new Parameters();
    private final List<Unit> units = new ArrayList<>();
    private final Set<String> read = new HashSet<>();

    /** The network of an open file; {@code path} is its name in messages. */
    InceptionV3(Path path, SafeTensors file) {
        this.path = path;
        this.file = file;
        if (file.contains("fc.weight") && file.shape("fc.weight")[0] == TORCHVISION_CLASSES) {
            throw new DiffusionException(path + ": found torchvision's weights, of ImageNet's 1000 classes, expected"
                    + " those that FID is defined by, pytorch-fid's pt_inception-2015-12-05, of 1008");
        }
    }

    /** Records the network on x[N, 3, 299, 299] in [-1, 1]; the result is pool3, [N, 2048]. */
    Tensor apply(Graph g, Tensor x) {
        Tensor h = unit(g, "Conv2d_1a_3x3", x, 3, 3, Window.of(2, 0));
        h = unit(g, "Conv2d_2a_3x3", h, 3, 3, Window.of(1, 0));
        h = same(g, "Conv2d_2b_3x3", h, 3, 3);
        h = Pooling.halved(g, h); // [N, 64, 73, 73]
        h = same(g, "Conv2d_3b_1x1", h, 1, 1);
        h = unit(g, "Conv2d_4a_3x3", h, 3, 3, Window.of(1, 0));
        h = Pooling.halved(g, h); // [N, 192, 35, 35]
        for (String name : List.of("Mixed_5b", "Mixed_5c", "Mixed_5d")) {
            h = fives(g, name, h);
        }
        h = reduced(g, "Mixed_6a", h); // [N, 768, 17, 17]
        for (String name : List.of("Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e")) {
            h = sevens(g, name, h);
        }
        h = reducedAgain(g, "Mixed_7a", h); // [N, 1280, 8, 8]
        h = forks(g, "Mixed_7b", h, Pooling.average(g, h));
        h = forks(g, "Mixed_7c", h, Pooling.largest(g, h)); // the odd one out in the network of 2015
        h = g.avgPool(h, h.dim(2), h.dim(3));
        requireNoOthers();
        return g.reshape(h, h.dim(0), h.dim(1));
    }

    /** Writes the weights into a program of the graph. */
    void load(Program program) {
        for (Unit unit : units) {
            float[] weight = file.floats(unit.name + ".conv.weight");
            float[][] norm =
                    STATISTICS.stream().map(key -> file.floats(unit.name + key)).toArray(float[][]::new);
            float[] bias = new float[norm[0].length];
            int each = weight.length / bias.length;
            for (int k = 0; k < bias.length; k++) {
                double scale = norm[0][k] / Math.sqrt(norm[3][k] + EPS);
                bias[k] = (float) (norm[1][k] - norm[2][k] * scale);
                for (int i = k * each; i < (k + 1) * each; i++) {
                    weight[i] = (float) (weight[i] * scale);
                }
            }
            program.write(unit.weight, weight);
            program.write(unit.bias, bias);
        }
    }

    private Tensor fives(Graph g, String name, Tensor x) {
        Tensor one = same(g, name + ".branch1x1", x, 1, 1);
        Tensor five = same(g, name + ".branch5x5_1", x, 1, 1);
        five = same(g, name + ".branch5x5_2", five, 5, 5);
        Tensor three = same(g, name + ".branch3x3dbl_1", x, 1, 1);
        three = same(g, name + ".branch3x3dbl_2", three, 3, 3);
        three = same(g, name + ".branch3x3dbl_3", three, 3, 3);
        Tensor pool = same(g, name + ".branch_pool", Pooling.average(g, x), 1, 1);
        return g.concat(List.of(one, five, three, pool), 1);
    }

    private Tensor reduced(Graph g, String name, Tensor x) {
        Tensor three = unit(g, name + ".branch3x3", x, 3, 3, Window.of(2, 0));
        Tensor twice = same(g, name + ".branch3x3dbl_1", x, 1, 1);
        twice = same(g, name + ".branch3x3dbl_2", twice, 3, 3);
        twice = unit(g, name + ".branch3x3dbl_3", twice, 3, 3, Window.of(2, 0));
        return g.concat(List.of(three, twice, Pooling.halved(g, x)), 1);
    }

    private Tensor sevens(Graph g, String name, Tensor x) {
        Tensor one = same(g, name + ".branch1x1", x, 1, 1);
        Tensor seven = same(g, name + ".branch7x7_1", x, 1, 1);
        seven = same(g, name + ".branch7x7_2", seven, 1, 7);
        seven = same(g, name + ".branch7x7_3", seven, 7, 1);
        Tensor twice = same(g, name + ".branch7x7dbl_1", x, 1, 1);
        twice = same(g, name + ".branch7x7dbl_2", twice, 7, 1);
        twice = same(g, name + ".branch7x7dbl_3", twice, 1, 7);
        twice = same(g, name + ".branch7x7dbl_4", twice, 7, 1);
        twice = same(g, name + ".branch7x7dbl_5", twice, 1, 7);
        Tensor pool = same(g, name + ".branch_pool", Pooling.average(g, x), 1, 1);
        return g.concat(List.of(one, seven, twice, pool), 1);
    }

    private Tensor reducedAgain(Graph g, String name, Tensor x) {
        Tensor three = same(g, name + ".branch3x3_1", x, 1, 1);
        three = unit(g, name + ".branch3x3_2", three, 3, 3, Window.of(2, 0));
        Tensor seven = same(g, name + ".branch7x7x3_1", x, 1, 1);
        seven = same(g, name + ".branch7x7x3_2", seven, 1, 7);
        seven = same(g, name + ".branch7x7x3_3", seven, 7, 1);
        seven = unit(g, name + ".branch7x7x3_4", seven, 3, 3, Window.of(2, 0));
        return g.concat(List.of(three, seven, Pooling.halved(g, x)), 1);
    }

    private Tensor forks(Graph g, String name, Tensor x, Tensor pooled) {
        Tensor one = same(g, name + ".branch1x1", x, 1, 1);
        Tensor three = same(g, name + ".branch3x3_1", x, 1, 1);
        Tensor across = same(g, name + ".branch3x3_2a", three, 1, 3);
        Tensor down = same(g, name + ".branch3x3_2b", three, 3, 1);
        Tensor twice = same(g, name + ".branch3x3dbl_1", x, 1, 1);
        twice = same(g, name + ".branch3x3dbl_2", twice, 3, 3);
        Tensor twiceAcross = same(g, name + ".branch3x3dbl_3a", twice, 1, 3);
        Tensor twiceDown = same(g, name + ".branch3x3dbl_3b", twice, 3, 1);
        Tensor pool = same(g, name + ".branch_pool", pooled, 1, 1);
        return g.concat(List.of(one, across, down, twiceAcross, twiceDown, pool), 1);
    }

    /** A unit that keeps the size of the picture. */
    private Tensor same(Graph g, String name, Tensor x, int height, int width) {
        int top = height / 2;
        int left = width / 2;
        return unit(g, name, x, height, width, new Window(1, top, left, top, left));
    }

    private Tensor unit(Graph g, String name, Tensor x, int height, int width, Window window) {
        String key = name + ".conv.weight";
        int[] shape = shape(key, 4);
        require(key, shape, shape[0], x.dim(1), height, width);
        for (String statistic : STATISTICS) {
            require(name + statistic, shape(name + statistic, 1), shape[0]);
        }
        Unit unit = new Unit(
                name,
                parameters.declare(name + ".weight", new Init.Constant(0), shape),
                parameters.declare(name + ".bias", new Init.Constant(0), shape[0]));
        units.add(unit);
        return g.scope(name, () -> g.activation(g.conv2d(x, unit.weight, unit.bias, window), Function.RELU));
    }

    private int[] shape(String key, int rank) {
        if (!file.contains(key)) {
            throw new DiffusionException(
                    path + ": found no " + key + " among " + file.names().size()
                            + " tensors; expected pytorch-fid's InceptionV3 with torchvision's names, in safetensors");
        }
        read.add(key);
        int[] shape = file.shape(key);
        if (shape.length != rank) {
            throw new DiffusionException(
                    path + ": " + key + ": expected " + rank + " dimensions, found " + Arrays.toString(shape));
        }
        return shape;
    }

    private void require(String key, int[] found, int... expected) {
        if (!Arrays.equals(found, expected)) {
            throw new DiffusionException(path + ": " + key + ": expected " + Arrays.toString(expected) + ", found "
                    + Arrays.toString(found));
        }
    }

    /** The layer that names classes and the counts of batches seen have no part in features. */
    private void requireNoOthers() {
        List<String> others = file.names().stream()
                .filter(name -> !read.contains(name)
                        && !name.startsWith("fc.")
                        && !name.startsWith("AuxLogits.")
                        && !name.endsWith(".num_batches_tracked"))
                .toList();
        if (!others.isEmpty()) {
            throw new DiffusionException(
                    path + ": found " + others.size() + " tensors that InceptionV3 has not, such as "
                            + others.getFirst() + "; expected pytorch-fid's weights");
        }
    }
}
