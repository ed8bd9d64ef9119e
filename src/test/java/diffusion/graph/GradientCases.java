package diffusion.graph;

import diffusion.graph.MatrixOp.Window;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import diffusion.graph.TrainOp.VlbLoss;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;

/** Small graphs through every op that has a gradient. */
final class GradientCases {
    /** A graph, the values of its inputs and weights, and which of them the gradient is wanted by. */
    record Case(String name, Graph graph, Map<Tensor, float[]> values, List<Tensor> wanted, Tensor y) {
        @Override
        public String toString() {
            return name;
        }
    }

    private final List<Case> cases = new ArrayList<>();
    private final Random random = new Random(11);
    private Graph g = new Graph("case");
    private Map<Tensor, float[]> values = new LinkedHashMap<>();
    private List<Tensor> wanted = new ArrayList<>();

    static List<Case> all() {
        GradientCases all = new GradientCases();
        all.matrices();
        all.points();
        all.layouts();
        all.losses();
        all.twoLevelNet();
        return all.cases;
    }

    private void add(String name, Tensor y) {
        cases.add(new Case(name, g, values, wanted, y));
        g = new Graph("case");
        values = new LinkedHashMap<>();
        wanted = new ArrayList<>();
    }

    private Tensor fixed(float[] data, int... shape) {
        Tensor tensor = g.input("fixed", shape);
        values.put(tensor, data);
        return tensor;
    }

    private float[] gaussian(int size, double scale) {
        float[] data = new float[size];
        for (int i = 0; i < size; i++) {
            data[i] = (float) (random.nextGaussian() * scale);
        }
        return data;
    }

    /** An input the gradient is wanted by. */
    private Tensor in(int... shape) {
        Tensor tensor = g.input("x" + wanted.size(), shape);
        values.put(tensor, gaussian(tensor.size(), 1));
        wanted.add(tensor);
        return tensor;
    }

    /** A weight the gradient is wanted by; few large terms keep the outputs near 1. */
    private Tensor weight(int... shape) {
        Tensor tensor = new Tensor("w" + wanted.size(), Tensor.Role.PARAMETER, shape);
        double scale = shape.length == 1 ? 0.5 : 1 / Math.sqrt(tensor.sizeFrom(1));
        values.put(tensor, gaussian(tensor.size(), scale));
        wanted.add(tensor);
        return tensor;
    }

    /** The factors of a norm: about 1. */
    private Tensor gain(int channels) {
        Tensor tensor = weight(channels);
        float[] data = gaussian(channels, 0.2);
        for (int i = 0; i < channels; i++) {
            data[i]++;
        }
        values.put(tensor, data);
        return tensor;
    }

    /** An input whose elements stay on their side of the kink at 0. */
    private Tensor awayFromZero(int... shape) {
        Tensor tensor = in(shape);
        float[] data = gaussian(tensor.size(), 1);
        for (int i = 0; i < data.length; i++) {
            data[i] += Math.copySign(0.5f, data[i]);
        }
        values.put(tensor, data);
        return tensor;
    }

    private void matrices() {
        add("conv", g.conv2d(in(2, 3, 5, 4), weight(4, 3, 3, 3), weight(4), Window.of(1, 1)));
        add("conv without bias", g.conv2d(in(1, 2, 4, 4), weight(3, 2, 1, 1), null, Window.of(1, 0)));
        add("conv down", g.conv2d(in(2, 2, 6, 5), weight(3, 2, 3, 3), weight(3), new Window(2, 0, 0, 1, 1)));
        add("linear", g.linear(in(2, 3, 5), weight(4, 5), weight(4)));
        add("linear without bias", g.linear(in(3, 5), weight(2, 5), null));
        add("attention", g.attention(in(2, 3, 4), in(2, 5, 4), in(2, 5, 4), 2, 0.7f));
        add("causal attention", g.attention(in(2, 4, 4), in(2, 4, 4), in(2, 4, 4), 2, 0.7f, true));
        Tensor x = in(1, 4, 6);
        add("self-attention", g.attention(x, x, x, 1, 0.4f));
    }

    private void points() {
        add("norm", g.groupNorm(in(2, 6, 3, 2), gain(6), weight(6), 3, 1e-5f, false));
        add("norm and silu", g.groupNorm(in(2, 4, 3, 3), gain(4), weight(4), 2, 1e-5f, true));
        for (PointOp.Function function : PointOp.Function.values()) {
            add(function.name(), g.activation(awayFromZero(2, 7), function));
        }
        add("gate", g.gate(in(2, 3, 8), PointOp.Function.GELU));
        add("layer norm", g.layerNorm(in(2, 3, 5), gain(5), weight(5), 1e-5f));
        add("add", g.add(in(2, 5), in(2, 5), 0.5f, -2));
        Tensor x = in(2, 5);
        add("add to itself", g.add(x, x));
        add("scale", g.scale(in(3), -1.5f));
        add("add channel", g.addChannel(in(2, 3, 2, 2), in(2, 3)));
        add("modulate", g.modulate(in(2, 3, 2, 2), in(2, 6)));
        add("combination", g.linearCombination(List.of(in(2, 4), in(2, 4)), fixed(gaussian(2, 1), 2)));
        add("combination of one", g.linearCombination(List.of(in(2, 4)), fixed(gaussian(1, 1), 1)));
        add("combination each", g.linearCombination(List.of(in(2, 4), in(2, 4)), fixed(gaussian(4, 1), 2, 2)));
        g.withDropout(fixed(new float[] {12345}, 1));
        add("dropout twice", g.dropout(g.dropout(in(3, 9), 0.3f), 0.4f));
    }

    private void layouts() {
        add("reshape", g.reshape(in(2, 3, 4), 6, 4));
        add("transpose", g.transpose(in(2, 3, 4)));
        Tensor x = in(2, 2, 3);
        add("concat, one part twice", g.concat(List.of(x, in(2, 1, 3), x), 1));
        add("slice", g.slice(in(2, 5, 3), 1, 1, 3));
        add("upsample", g.upsample(in(2, 2, 3, 2), 2, 3));
        add("pool", g.avgPool(in(2, 2, 5, 4), 2, 2));
        add("embedding", g.embedding(fixed(new float[] {2, 0, 2, 3}, 4), weight(5, 3)));
    }

    private void losses() {
        for (Distance distance : Distance.values()) {
            Tensor y = g.activation("loss", 1);
            // Half of the distances below delta, half above, none near a kink.
            float[] target = {3, 0, -3, 0, 3, -2};
            Tensor x = in(2, 3);
            values.put(x, new float[] {0.1f, 0.4f, 0.2f, -0.5f, 0.3f, 0.1f});
            g.append(new Loss(x, fixed(target, 2, 3), fixed(new float[] {0.5f, 2}, 2), y, distance, 0.9f));
            add("loss " + distance, y);
        }
        Tensor y = g.activation("loss", 1);
        g.append(new CrossEntropy(in(3, 4), fixed(new float[] {0, 3, 1}, 3), y));
        add("cross entropy", y);
        for (float first : new float[] {0, 1}) {
            y = g.activation("loss", 1);
            float[] picture = {0.3f, -1, 1, 0.5f, -0.2f, 0};
            float[] mean = {0.35f, -0.98f, 0.95f, 0.42f, -0.25f, 0.1f};
            float[] c = {-5, -6, -4, first, -4.5f, -5, -3, first};
            g.append(new VlbLoss(
                    in(2, 3), fixed(picture, 2, 3), fixed(mean, 2, 3), fixed(picture, 2, 3), fixed(c, 2, 4), y));
            add("variational bound, " + (first == 1 ? "first" : "later") + " step", y);
        }
    }

    /** A U-Net in small: time embedding, two resolutions, attention at the lower one, a skip connection. */
    private void twoLevelNet() {
        Tensor x = in(2, 3, 4, 6);
        Tensor frequencies = fixed(new float[] {1, 0.1f, 0.01f, 0.001f}, 4);
        Tensor time = g.sinusoidalEmbedding(fixed(new float[] {3, 721}, 2), frequencies, 8, true, false);
        time = g.activation(g.linear(time, weight(8, 8), weight(8)), PointOp.Function.SILU);
        time = g.add(time, g.embedding(fixed(new float[] {1, 2}, 2), weight(3, 8)));

        Tensor h = g.conv2d(x, weight(4, 3, 3, 3), weight(4), Window.of(1, 1)); // [2, 4, 4, 6]
        Tensor skip = h;
        h = g.groupNorm(h, gain(4), weight(4), 2, 1e-5f, true);
        h = g.addChannel(h, g.linear(time, weight(4, 8), weight(4)));
        h = g.conv2d(h, weight(6, 4, 3, 3), weight(6), Window.of(2, 1)); // [2, 6, 2, 3]

        Tensor tokens = g.groupNorm(g.reshape(h, 2, 6, 6), gain(6), weight(6), 3, 1e-5f, false);
        tokens = g.transpose(tokens); // [2, 6 positions, 6]
        tokens = g.attention(
                g.linear(tokens, weight(6, 6), weight(6)),
                g.linear(tokens, weight(6, 6), null), // softmax takes no notice of a bias of the keys
                g.linear(tokens, weight(6, 6), weight(6)),
                2,
                2); // sharp enough for the queries to matter
        h = g.add(h, g.reshape(g.transpose(tokens), 2, 6, 2, 3), 0.7f, 1.5f);
        h = g.modulate(h, g.linear(time, weight(12, 8), weight(12)));

        h = g.concat(List.of(g.upsample(h, 2, 2), skip), 1); // [2, 10, 4, 6]
        h = g.groupNorm(h, gain(10), weight(10), 5, 1e-5f, true);
        add("two-level net", g.conv2d(h, weight(3, 10, 3, 3), weight(3), Window.of(1, 1)));
        assert Arrays.equals(cases.getLast().y().shape(), x.shape());
    }
}
