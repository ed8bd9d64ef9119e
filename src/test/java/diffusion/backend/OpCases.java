package diffusion.backend;

import diffusion.graph.LayoutOp;
import diffusion.graph.MatrixOp;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Op;
import diffusion.graph.PointOp;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;

/** For every op a list of cases with awkward sizes; what every backend must get right. */
final class OpCases {
    /**
     * One op on given values.
     *
     * @param terms the length of its longest sum, from which the tolerance follows
     * @param runs how often it is run, for ops that keep a state
     */
    record Case(String name, Op op, Map<Tensor, float[]> values, int terms, int runs) {
        @Override
        public String toString() {
            return op.getClass().getSimpleName() + " " + name;
        }
    }

    private final List<Case> cases = new ArrayList<>();
    private final Random random = new Random(1);
    private Map<Tensor, float[]> values = new LinkedHashMap<>();

    static List<Case> all() {
        OpCases all = new OpCases();
        all.convolutions();
        all.matrices();
        all.points();
        all.layouts();
        all.training();
        all.sampling();
        all.longStrides();
        return all.cases;
    }

    private Tensor in(int... shape) {
        return value(new Tensor("in", Tensor.Role.INPUT, shape), 1, 0);
    }

    private Tensor state(int... shape) {
        return value(new Tensor("state", Tensor.Role.STATE, shape), 1, 0);
    }

    private static Tensor out(int... shape) {
        return new Tensor("out", Tensor.Role.ACTIVATION, shape);
    }

    private Tensor value(Tensor tensor, double scale, double shift) {
        float[] data = new float[tensor.size()];
        for (int i = 0; i < data.length; i++) {
            data[i] = (float) (random.nextGaussian() * scale + shift);
        }
        values.put(tensor, data);
        return tensor;
    }

    private Tensor fixed(float[] data, int... shape) {
        Tensor tensor = new Tensor("fixed", Tensor.Role.INPUT, shape);
        values.put(tensor, data);
        return tensor;
    }

    /** A model's mean that is not many standard deviations off, where likelihoods would vanish. */
    private Tensor near(Tensor picture) {
        float[] data = Objects.requireNonNull(values.get(picture)).clone();
        for (int i = 0; i < data.length; i++) {
            data[i] += (float) random.nextGaussian() * 0.05f;
        }
        return fixed(data, picture.shape());
    }

    private Tensor whole(int below, int count) {
        float[] data = new float[count];
        for (int i = 0; i < count; i++) {
            data[i] = random.nextInt(below);
        }
        return fixed(data, count);
    }

    private void add(String name, int terms, Op op) {
        add(name, terms, 1, op);
    }

    private void add(String name, int terms, int runs, Op op) {
        cases.add(new Case(name, op, values, terms, runs));
        values = new LinkedHashMap<>();
    }

    private void convolutions() {
        int[][] shapes = { // n, c, h, w, k, r, s, stride, top, left, bottom, right
            {1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0},
            {1, 3, 7, 5, 4, 3, 3, 1, 1, 1, 1, 1},
            {2, 17, 8, 8, 33, 3, 3, 1, 1, 1, 1, 1},
            {5, 12, 7, 7, 13, 3, 3, 1, 1, 1, 1, 1},
            {3, 1, 28, 28, 31, 3, 3, 1, 1, 1, 1, 1},
            {3, 9, 17, 37, 14, 3, 3, 1, 1, 1, 1, 1},
            {1, 8, 16, 1030, 9, 3, 3, 1, 1, 1, 1, 1},
            {1, 32, 13, 11, 12, 1, 1, 1, 0, 0, 0, 0},
            {2, 33, 7, 7, 64, 1, 1, 1, 0, 0, 0, 0},
            {2, 8, 9, 9, 24, 3, 3, 2, 1, 1, 1, 1},
            {3, 5, 8, 10, 7, 3, 3, 2, 0, 0, 1, 1},
            {1, 4, 12, 12, 5, 5, 5, 1, 2, 2, 2, 2},
            {2, 3, 15, 17, 6, 7, 7, 2, 3, 3, 3, 3},
            {1, 2, 6, 6, 3, 3, 3, 1, 0, 0, 0, 0},
            {1, 6, 33, 34, 9, 3, 1, 1, 1, 0, 1, 0},
            {70, 2, 3, 3, 2, 3, 3, 1, 1, 1, 1, 1},
            {2, 64, 16, 16, 64, 3, 3, 1, 1, 1, 1, 1},
            {1, 130, 5, 7, 70, 3, 3, 1, 1, 1, 1, 1},
            {3, 127, 4, 4, 31, 1, 1, 1, 0, 0, 0, 0},
            {2, 3, 1, 9, 5, 3, 3, 1, 1, 1, 1, 1},
            {2, 3, 9, 1, 5, 3, 3, 1, 1, 1, 1, 1},
            {1, 2, 3, 3, 4, 5, 5, 1, 2, 2, 2, 2},
            {1, 8, 7, 7, 6, 1, 1, 2, 0, 0, 0, 0},
            {1, 4, 10, 11, 5, 3, 3, 3, 1, 1, 1, 1},
            {2, 3, 6, 7, 4, 3, 2, 1, 2, 0, 1, 3},
        };
        convolutions(shapes);
    }

    /** Windows that leave out rows and columns. */
    private void longStrides() {
        convolutions(new int[][] {
            {3, 4, 5, 5, 6, 1, 1, 2, 0, 0, 0, 0},
            {3, 4, 6, 8, 6, 1, 1, 2, 0, 0, 0, 0},
            {2, 3, 7, 7, 5, 1, 1, 3, 0, 0, 0, 0},
            {3, 3, 8, 8, 5, 2, 2, 3, 0, 0, 0, 0},
            {3, 3, 5, 7, 5, 2, 2, 3, 0, 0, 0, 0},
        });
    }

    private void convolutions(int[][] shapes) {
        for (int[] s : shapes) {
            Window window = new Window(s[7], s[8], s[9], s[10], s[11]);
            int height = window.outHeight(s[2], s[5]);
            int width = window.outWidth(s[3], s[6]);
            String name = java.util.Arrays.toString(s);
            int[] x = {s[0], s[1], s[2], s[3]};
            int[] w = {s[4], s[1], s[5], s[6]};
            int[] y = {s[0], s[4], height, width};
            int depth = s[1] * s[5] * s[6];
            add(name, depth, new MatrixOp.Conv2d(in(x), in(w), in(s[4]), out(y), window));
            add(name + " no bias", depth, new MatrixOp.Conv2d(in(x), in(w), null, out(y), window));
            int back = s[4] * s[5] * s[6];
            add(name, back, new MatrixOp.Conv2dGradInput(in(y), in(w), out(x), window));
            int pixels = s[0] * height * width;
            add(name, pixels, new MatrixOp.Conv2dGradWeight(in(x), in(y), state(w), state(s[4]), window));
        }
    }

    private void matrices() {
        for (int[] s : new int[][] {
            {1, 1, 1}, {3, 7, 5}, {33, 31, 17}, {127, 64, 96}, {13, 600, 2}, {600, 3, 40}, {5, 1300, 400}
        }) {
            String name = s[0] + "x" + s[1] + " to " + s[2];
            add(name, s[1], new MatrixOp.Linear(in(s[0], s[1]), in(s[2], s[1]), in(s[2]), out(s[0], s[2])));
            add(name, s[1], new MatrixOp.Linear(in(1, s[0], s[1]), in(s[2], s[1]), null, out(1, s[0], s[2])));
            add(name, s[2], new MatrixOp.LinearGradInput(in(s[0], s[2]), in(s[2], s[1]), out(s[0], s[1])));
            add(
                    name,
                    s[0],
                    new MatrixOp.LinearGradWeight(in(s[0], s[1]), in(s[0], s[2]), state(s[2], s[1]), state(s[2])));
        }
        int[][] attentions = {
            {1, 1, 1, 1, 1},
            {2, 7, 7, 12, 3},
            {1, 33, 17, 8, 1},
            {3, 49, 49, 64, 4},
            {1, 100, 3, 40, 2},
            {2, 5, 9, 4, 4},
            {1, 3, 700, 16, 2},
            {1, 64, 64, 160, 1}
        };
        for (int[] s : attentions) {
            String name = java.util.Arrays.toString(s);
            float scale = (float) (1 / Math.sqrt((double) s[3] / s[4]));
            int[] q = {s[0], s[1], s[3]};
            int[] k = {s[0], s[2], s[3]};
            int terms = s[2] * s[3] / s[4];
            add(name, terms, new MatrixOp.Attention(in(q), in(k), in(k), out(q), s[4], scale));
            terms *= s[1];
            add(
                    name,
                    terms,
                    new MatrixOp.AttentionGrad(in(q), in(k), in(k), in(q), out(q), out(k), out(k), s[4], scale));
        }
        for (int[] s : new int[][] {{1, 1, 1, 1}, {2, 7, 6, 2}, {1, 77, 24, 3}, {2, 130, 16, 1}}) {
            String name = "causal " + java.util.Arrays.toString(s);
            int[] shape = {s[0], s[1], s[2]};
            int terms = s[1] * s[2] / s[3];
            add(name, terms, new MatrixOp.Attention(in(shape), in(shape), in(shape), out(shape), s[3], 0.3f, true));
            add(
                    name,
                    terms * s[1],
                    new MatrixOp.AttentionGrad(
                            in(shape),
                            in(shape),
                            in(shape),
                            in(shape),
                            out(shape),
                            out(shape),
                            out(shape),
                            s[3],
                            0.3f,
                            true));
        }
        int[] same = {2, 9, 12};
        Tensor x = in(same);
        add("of one tensor", 36, new MatrixOp.Attention(x, x, x, out(same), 3, 0.5f));
        x = in(same);
        add(
                "of one tensor",
                324,
                new MatrixOp.AttentionGrad(x, x, x, in(same), out(same), out(same), out(same), 3, 0.5f));
        // Logits of some hundreds: their rounding errors are those of the weights, and exp overflows without care.
        add("sharp", amplified(36, 300), new MatrixOp.Attention(in(same), in(same), in(same), out(same), 3, 100));
    }

    /** Terms whose rounding errors reach the result multiplied by {@code factor}. */
    private static int amplified(int terms, int factor) {
        return terms * factor * factor;
    }

    private void points() {
        for (int[] s :
                new int[][] {{1, 1, 1, 1, 1}, {2, 6, 3, 5, 3}, {3, 32, 7, 7, 8}, {2, 64, 13, 11, 32}, {1, 33, 31, 1, 11}
                }) {
            int[] x = {s[0], s[1], s[2], s[3]};
            int size = s[1] / s[4] * s[2] * s[3];
            for (boolean silu : new boolean[] {false, true}) {
                String name = java.util.Arrays.toString(s) + (silu ? " silu" : "");
                add(name, size, new PointOp.GroupNorm(in(x), in(s[1]), in(s[1]), out(x), s[4], 1e-5f, silu));
                add(
                        name,
                        size * s[0],
                        new PointOp.GroupNormGrad(
                                in(x), in(s[1]), in(s[1]), in(x), out(x), state(s[1]), state(s[1]), s[4], 1e-5f, silu));
            }
            String name = java.util.Arrays.toString(s);
            for (PointOp.Function f : PointOp.Function.values()) {
                Tensor wide = value(new Tensor("wide", Tensor.Role.INPUT, x), 4, 0);
                add(name + f, 8, new PointOp.Activation(wide, out(x), f));
                wide = value(new Tensor("wide", Tensor.Role.INPUT, x), 4, 0);
                add(name + f, 8, new PointOp.ActivationGrad(wide, in(x), out(x), f));
            }
            add(name, 2, new PointOp.Add(in(x), in(x), out(x), 0.5f, -2));
            add(name + " alone", 1, new PointOp.Add(in(x), null, out(x), 3, 0));
            add(name, 2, new PointOp.AddChannel(in(x), in(s[0], s[1]), out(x)));
            add(name, s[2] * s[3], new PointOp.SumChannel(in(x), out(s[0], s[1])));
            add(name, 3, new PointOp.Modulate(in(x), in(s[0], 2 * s[1]), out(x)));
            add(
                    name,
                    s[2] * s[3],
                    new PointOp.ModulateGrad(in(x), in(s[0], 2 * s[1]), in(x), out(x), out(s[0], 2 * s[1])));
            add(name, 3, new PointOp.LinearCombination(List.of(in(x), in(x), in(x)), in(3), out(x)));
            add(name + " each", 2, new PointOp.LinearCombination(List.of(in(x), in(x)), in(s[0], 2), out(x)));
            add(name, 1, new PointOp.Dropout(in(x), fixed(new float[] {16777215}, 1), out(x), 3, 0.3f));
        }
        for (int[] s : new int[][] {{1, 1}, {3, 5}, {2, 33}, {9, 64}}) {
            String name = java.util.Arrays.toString(s);
            for (PointOp.Function f : new PointOp.Function[] {PointOp.Function.GELU, PointOp.Function.SILU}) {
                add(name + f, 8, new PointOp.Gate(in(s[0], 2 * s[1]), out(s), f));
                add(name + f, 8, new PointOp.GateGrad(in(s[0], 2 * s[1]), in(s), out(s[0], 2 * s[1]), f));
            }
        }
        add("features", 35, new PointOp.GroupNorm(in(5, 35), in(35), in(35), out(5, 35), 1, 1e-5f, false));
        for (int[] x : new int[][] {{3, 10}, {2, 10, 17}}) {
            String name = java.util.Arrays.toString(x);
            int pixels = x.length == 2 ? 1 : x[2];
            int size = 5 * pixels;
            add(name, size, new PointOp.GroupNorm(in(x), in(10), in(10), out(x), 2, 1e-5f, true));
            add(
                    name,
                    3 * size,
                    new PointOp.GroupNormGrad(
                            in(x), in(10), in(10), in(x), out(x), state(10), state(10), 2, 1e-5f, true));
            add(name, 2, new PointOp.AddChannel(in(x), in(x[0], 10), out(x)));
            add(name, pixels, new PointOp.SumChannel(in(x), out(x[0], 10)));
            add(name, 3, new PointOp.Modulate(in(x), in(x[0], 20), out(x)));
            add(name, pixels, new PointOp.ModulateGrad(in(x), in(x[0], 20), in(x), out(x), out(x[0], 20)));
            Tensor twice = in(x);
            add(name + " to itself", 2, new PointOp.Add(twice, twice, out(x), 1, 1));
            add(name + " of one", 1, new PointOp.LinearCombination(List.of(in(x)), in(x[0], 1), out(x)));
        }
        // Far from zero, where the mean of squares less the square of the mean has no correct digit left.
        int[] far = {2, 8, 3, 3};
        Tensor x = value(new Tensor("far", Tensor.Role.INPUT, far), 1, 1000);
        add("far from zero", amplified(36, 1000), new PointOp.GroupNorm(x, in(8), in(8), out(far), 2, 1e-5f, false));
    }

    private void layouts() {
        for (int[] s : new int[][] {{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 17, 8, 4}, {1, 33, 6, 31}}) {
            String name = java.util.Arrays.toString(s);
            int n = s[0];
            int c = s[1];
            int h = s[2];
            int w = s[3];
            add(name, 1, new LayoutOp.Reshape(in(s), out(n, c * h * w)));
            add(name, 1, new LayoutOp.Transpose(in(n, c, h * w), out(n, h * w, c)));
            add(
                    name,
                    1,
                    new LayoutOp.Concat(
                            List.of(in(n, c, h, w), in(n, 5, h, w), in(n, 1, h, w)), out(n, c + 6, h, w), 1));
            add(name, 1, new LayoutOp.Concat(List.of(in(n, c, h, w), in(2, c, h, w)), out(n + 2, c, h, w), 0));
            add(name, 1, new LayoutOp.Slice(in(n, c + 4, h, w), out(s), 1, 3));
            add(name, 1, new LayoutOp.Slice(in(n + 2, c, h, w), out(s), 0, 1));
            add(name, 1, new LayoutOp.Slice(in(n, c, h, w + 3), out(s), 3, 2));
            add(name, 1, new LayoutOp.Slice(in(n, c, h + 1, w), out(s), 2, 1));
            add(name, 1, new LayoutOp.Concat(List.of(in(n, c, h, w), in(n, c, 3, w)), out(n, c, h + 3, w), 2));
            add(name, 1, new LayoutOp.Concat(List.of(in(n, c), in(n, h), in(n, 1)), out(n, c + h + 1), 1));
            Tensor part = in(n, c, h, w);
            add(name + " twice", 1, new LayoutOp.Concat(List.of(part, part), out(n, c, h, 2 * w), 3));
            add(name, 1, new LayoutOp.SliceGrad(in(s), out(n, c + 4, h, w), 1, 3));
            add(name, 1, new LayoutOp.SliceGrad(in(s), out(n + 2, c, h, w), 0, 0));
            add(name, 1, new LayoutOp.SliceGrad(in(s), out(n, c, h + 1, w), 2, 1));
            add(name, 1, new LayoutOp.SliceGrad(in(s), out(n, c, h, w + 3), 3, 2));
            add(name, 1, new LayoutOp.Upsample(in(s), out(n, c, 2 * h, 2 * w)));
            add(name, 1, new LayoutOp.Upsample(in(n, c, 1, 1), out(n, c, h, w)));
            add(name, 6, new LayoutOp.UpsampleGrad(in(n, c, 2 * h, 3 * w), out(s)));
            add(name, 4, new LayoutOp.AvgPool(in(n, c, 2 * h + 1, 2 * w), out(s), 2, 2));
            add(name, 1, new LayoutOp.AvgPoolGrad(in(s), out(n, c, 2 * h + 1, 2 * w), 2, 2));
            add(name, 3, new LayoutOp.AvgPool(in(n, c, 3 * h + 2, w), out(s), 3, 1));
            add(name, 1, new LayoutOp.AvgPoolGrad(in(s), out(n, c, 3 * h, 4 * w + 3), 3, 4));
            add(name, 1, new LayoutOp.Embedding(whole(c, 9), in(c, w), out(9, w)));
            add(name, 9, new LayoutOp.EmbeddingGrad(whole(c, 9), in(9, w), state(c, w)));
            Tensor t = fixed(new float[] {0, 1, 17.5f, 999}, 4);
            add(name, 1, new LayoutOp.SinusoidalEmbedding(t, in(c), out(4, 2 * c + 1), true, false));
            t = fixed(new float[] {0.01f, 1, 17.5f, 999}, 4);
            add(name, 1, new LayoutOp.SinusoidalEmbedding(t, in(c), out(4, 2 * c), false, true));
        }
    }

    private void training() {
        for (int[] s : new int[][] {{1, 1}, {3, 7}, {4, 33}, {5, 127}}) {
            int n = s[0];
            int k = s[1];
            String name = n + "x" + k;
            add(name, 1, new TrainOp.Fill(out(s), 1.5f));
            for (TrainOp.Distance d : TrainOp.Distance.values()) {
                add(name + d, n * k, new TrainOp.Loss(in(s), in(s), in(n), out(1), d, 0.7f));
                add(name + d, 2, new TrainOp.LossGrad(in(s), in(s), in(n), in(1), out(s), d, 0.7f));
            }
            add(name, n * k, new TrainOp.CrossEntropy(in(s), whole(k, n), out(1)));
            add(name, k, new TrainOp.CrossEntropyGrad(in(s), whole(k, n), in(1), out(s)));
            for (float first : new float[] {0, 1}) {
                float[] c = new float[4 * n];
                for (int i = 0; i < n; i++) {
                    System.arraycopy(new float[] {-5, -6, -4, first}, 0, c, 4 * i, 4);
                }
                Tensor picture = value(new Tensor("x0", Tensor.Role.INPUT, s), 0.8, 0);
                Tensor mean = near(picture);
                add(name + first, n * k, new TrainOp.VlbLoss(in(s), in(s), mean, picture, fixed(c, n, 4), out(1)));
                picture = value(new Tensor("x0", Tensor.Role.INPUT, s), 0.8, 0);
                mean = near(picture);
                add(
                        name + first,
                        64,
                        new TrainOp.VlbLossGrad(in(s), in(s), mean, picture, fixed(c, n, 4), in(1), out(s)));
            }
            add(name, n * k, new TrainOp.GlobalNorm(List.of(in(s), in(k), in(1)), out(1)));
            for (TrainOp.Optimizer rule : TrainOp.Optimizer.values()) {
                for (float maxNorm : new float[] {0, 1, 100}) {
                    float[] hyper = {0.01f, 0.9f, 0.99f, 1e-8f, 0.02f, 0.1f, 0.01f, 0.5f, maxNorm};
                    Tensor square = value(new Tensor("v", Tensor.Role.STATE, s), 0.1, 1);
                    Tensor norm = fixed(new float[] {maxNorm == 0 ? Float.NaN : 4}, 1);
                    add(
                            name + rule + ", norm " + maxNorm,
                            4,
                            3,
                            new TrainOp.OptimizerStep(
                                    state(s), state(s), state(s), square, norm, fixed(hyper, hyper.length), rule));
                }
            }
            add(name, 2, 2, new TrainOp.Ema(in(s), state(s), fixed(new float[] {0.9f}, 1)));
        }
        int[] pictures = {3, 2, 5, 3};
        for (TrainOp.Distance d : TrainOp.Distance.values()) {
            add("pictures " + d, 90, new TrainOp.Loss(in(pictures), in(pictures), in(3), out(1), d, 0.7f));
            add(
                    "pictures " + d,
                    2,
                    new TrainOp.LossGrad(in(pictures), in(pictures), in(3), in(1), out(pictures), d, 0.7f));
        }
        float[] hopeless = {2000, 0, -2000, 1, 2, 3};
        add("hopeless", 6, new TrainOp.CrossEntropy(fixed(hopeless, 2, 3), fixed(new float[] {2, 0}, 2), out(1)));
    }

    private void sampling() {
        float[] base = new float[SamplerStep.H + 3];
        base[SamplerStep.PX] = 1.5f;
        base[SamplerStep.PM] = -0.7f;
        base[SamplerStep.CLIP_MIN] = Float.NEGATIVE_INFINITY;
        base[SamplerStep.CLIP_MAX] = Float.POSITIVE_INFINITY;
        base[SamplerStep.CX] = 0.4f;
        base[SamplerStep.CM] = 0.2f;
        base[SamplerStep.C0] = 0.9f;
        float[] clipped = with(base, SamplerStep.CLIP_MIN, -1, SamplerStep.CLIP_MAX, 1, SamplerStep.NOISE, 0.3f);
        float[] threshold = with(base, SamplerStep.THRESHOLD_RATIO, 0.6f, SamplerStep.THRESHOLD_MAX, 1.2f);
        float[] history = with(
                base,
                SamplerStep.PUSH,
                1,
                SamplerStep.EX,
                0.5f,
                SamplerStep.E0,
                -1,
                SamplerStep.H,
                0.3f,
                SamplerStep.H + 2,
                -2);
        float[] range = with(
                base, SamplerStep.NOISE, 1, SamplerStep.VARIANCE, 2, SamplerStep.VAR_MIN, -3, SamplerStep.VAR_MAX, -1);
        float[] langevin = with(clipped, SamplerStep.VARIANCE, 3, SamplerStep.VAR_MIN, 0.2);
        step("plain", base, 1, false);
        step("Langevin", langevin, 1, false);
        step("clipped, noise", clipped, 1, false);
        step("threshold", threshold, 1, true);
        step("threshold below one", with(threshold, SamplerStep.THRESHOLD_MAX, 0.5f), 1, true);
        step("history", history, 1, true);
        float[] clippedToo = with(threshold, SamplerStep.CLIP_MIN, -0.1, SamplerStep.CLIP_MAX, 0.1);
        step("threshold instead of clip", clippedToo, 1, true);
        step("threshold at the largest", with(threshold, SamplerStep.THRESHOLD_RATIO, 1), 1, true);
        step("learned range", range, 2, false);
        step("learned range, x0", with(range, SamplerStep.PUSH, 1, SamplerStep.E0, 2, SamplerStep.H, 0.5), 2, true);
        float[] learned = with(base, SamplerStep.NOISE, 1, SamplerStep.VARIANCE, 1);
        for (int[] s : new int[][] {{2, 3, 5, 7}}) {
            Tensor model = value(new Tensor("m", Tensor.Role.INPUT, s[0], 2 * s[1], s[2], s[3]), 0.1, 2);
            add("learned", 8, new SamplerStep(state(s), model, in(s), List.of(), fixed(learned, learned.length), null));
        }
        int[] odd = {5, 1, 3, 3};
        float[] push = with(base, SamplerStep.PUSH, 1, SamplerStep.EM, 1);
        Tensor c = fixed(push, push.length);
        add("no history", 8, 2, new SamplerStep(state(odd), in(odd), in(odd), List.of(), c, out(odd)));
        push = with(push, SamplerStep.H, 0.5);
        c = fixed(push, push.length);
        add("one entry", 8, 3, new SamplerStep(state(odd), in(odd), in(odd), List.of(state(odd)), c, null));
    }

    private void step(String name, float[] c, int widen, boolean x0) {
        for (int[] s : new int[][] {{1, 1, 1, 1}, {2, 3, 5, 7}, {3, 1, 28, 28}}) {
            Tensor model = in(s[0], widen * s[1], s[2], s[3]);
            Tensor noise = in(s);
            if (c[SamplerStep.NOISE] == 0) {
                java.util.Arrays.fill(values.get(noise), Float.NaN);
            }
            List<Tensor> history = List.of(state(s), state(s), state(s));
            Tensor out = x0 ? out(s) : null;
            add(
                    name + java.util.Arrays.toString(s),
                    8,
                    2,
                    new SamplerStep(state(s), model, noise, history, fixed(c, c.length), out));
        }
    }

    private static float[] with(float[] base, double... pairs) {
        float[] c = base.clone();
        for (int i = 0; i < pairs.length; i += 2) {
            c[(int) pairs[i]] = (float) pairs[i + 1];
        }
        return c;
    }
}
