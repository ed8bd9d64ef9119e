package diffusion.graph;

import diffusion.graph.LayoutOp.AvgPool;
import diffusion.graph.LayoutOp.Concat;
import diffusion.graph.LayoutOp.Embedding;
import diffusion.graph.LayoutOp.Reshape;
import diffusion.graph.LayoutOp.SinusoidalEmbedding;
import diffusion.graph.LayoutOp.Slice;
import diffusion.graph.LayoutOp.Transpose;
import diffusion.graph.LayoutOp.Upsample;
import diffusion.graph.MatrixOp.Attention;
import diffusion.graph.MatrixOp.Conv2d;
import diffusion.graph.MatrixOp.Linear;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.PointOp.Activation;
import diffusion.graph.PointOp.Add;
import diffusion.graph.PointOp.AddChannel;
import diffusion.graph.PointOp.Dropout;
import diffusion.graph.PointOp.Function;
import diffusion.graph.PointOp.GroupNorm;
import diffusion.graph.PointOp.LinearCombination;
import diffusion.graph.PointOp.Modulate;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * A computation recorded once for one batch shape: ops in the order they run.
 *
 * <p>The methods named after layers check shapes, append one op and return its result. {@link #scope} names the layer in
 * progress, so that a shape error says where in the checkpoint it is.
 */
public final class Graph {
    private final String name;
    private final List<Op> ops = new ArrayList<>();
    private final Set<Tensor> outputs = new LinkedHashSet<>();
    private final Map<Tensor, float[]> constants = new LinkedHashMap<>();
    private String scope = "";
    private int serial;
    private @Nullable Tensor dropoutSeed;
    private int dropouts;
    private AttentionProcessor selfAttention = (g, _, q, k, v, heads, scale) -> g.attention(q, k, v, heads, scale);

    /** An empty graph. */
    public Graph(String name) {
        this.name = name;
    }

    /** The name, for reports. */
    public String name() {
        return name;
    }

    /** The ops in the order they run. */
    public List<Op> ops() {
        return Collections.unmodifiableList(ops);
    }

    /** Tensors the host will read after a run, which keep their memory. */
    public Set<Tensor> outputs() {
        return Collections.unmodifiableSet(outputs);
    }

    /** Tensors whose values are known when the graph is built. */
    public Map<Tensor, float[]> constants() {
        return Collections.unmodifiableMap(constants);
    }

    /** Every tensor the ops mention, in order of appearance. */
    public Set<Tensor> tensors() {
        Set<Tensor> all = new LinkedHashSet<>();
        for (Op op : ops) {
            all.addAll(op.reads());
            all.addAll(op.writes());
        }
        all.addAll(outputs);
        return all;
    }

    /** Runs {@code body} with {@code layer} as the name of new tensors and in error messages. */
    public <T> T scope(String layer, Supplier<T> body) {
        String outer = scope;
        scope = layer;
        try {
            return body.get();
        } finally {
            scope = outer;
        }
    }

    /** A tensor the host writes. */
    public Tensor input(String tensorName, int... shape) {
        return new Tensor(tensorName, Tensor.Role.INPUT, shape);
    }

    /** A tensor that keeps its value from run to run. */
    public Tensor state(String tensorName, int... shape) {
        return new Tensor(tensorName, Tensor.Role.STATE, shape);
    }

    /** An input whose value never changes. */
    public Tensor constant(String tensorName, float[] values, int... shape) {
        Tensor tensor = input(tensorName, shape);
        check(values.length == tensor.size(), tensor.size() + " values", values.length);
        constants.put(tensor, values.clone());
        return tensor;
    }

    /** Marks a tensor as one the host will read. */
    public Tensor output(Tensor tensor) {
        outputs.add(tensor);
        return tensor;
    }

    /** Appends an op made elsewhere; its tensors must fit. */
    public void append(Op op) {
        ops.add(op);
    }

    /** Turns dropout on: a seed[1] that the host writes, a whole number below 2^24, decides what each run drops. */
    public Graph withDropout(Tensor seed) {
        dropoutSeed = seed;
        return this;
    }

    /** Gives the layers of self-attention that are recorded from now on another rule than plain attention. */
    public Graph withSelfAttention(AttentionProcessor processor) {
        selfAttention = processor;
        return this;
    }

    /** A new activation for an op made elsewhere. */
    public Tensor activation(String kind, int... shape) {
        String prefix = scope.isEmpty() ? kind : scope + "/" + kind;
        return new Tensor(prefix + "#" + serial++, Tensor.Role.ACTIVATION, shape);
    }

    /** {@link Conv2d}: x[N,C,H,W], w[K,C,R,S], bias[K] or null. */
    public Tensor conv2d(Tensor x, Tensor w, @Nullable Tensor bias, Window window) {
        check(x.rank() == 4, "an input of 4 dimensions", x);
        check(w.rank() == 4 && w.dim(1) == x.dim(1), "a weight for " + x.dim(1) + " channels", w);
        checkVector(bias, w.dim(0));
        int height = window.outHeight(x.dim(2), w.dim(2));
        int width = window.outWidth(x.dim(3), w.dim(3));
        check(height > 0 && width > 0, "pictures of at least " + w.dim(2) + "x" + w.dim(3), x);
        Tensor y = activation("conv", x.dim(0), w.dim(0), height, width);
        ops.add(new Conv2d(x, w, bias, y, window));
        return y;
    }

    /** {@link Linear}: x[..., K], w[M, K], bias[M] or null. */
    public Tensor linear(Tensor x, Tensor w, @Nullable Tensor bias) {
        check(w.rank() == 2 && w.dim(1) == x.dim(-1), "a weight for " + x.dim(-1) + " features", w);
        checkVector(bias, w.dim(0));
        int[] shape = x.shape();
        shape[shape.length - 1] = w.dim(0);
        Tensor y = activation("linear", shape);
        ops.add(new Linear(x, w, bias, y));
        return y;
    }

    /** {@link Attention} to all keys: q[B,Nq,C], k and v [B,Nk,C]. */
    public Tensor attention(Tensor q, Tensor k, Tensor v, int heads, float scale) {
        return attention(q, k, v, heads, scale, false);
    }

    /** {@link Attention}: q[B,Nq,C], k and v [B,Nk,C]; if {@code causal}, Nq = Nk. */
    public Tensor attention(Tensor q, Tensor k, Tensor v, int heads, float scale, boolean causal) {
        check(q.rank() == 3 && q.dim(2) % heads == 0, "channels in " + heads + " heads", q);
        check(k.rank() == 3 && k.dim(0) == q.dim(0) && k.dim(2) == q.dim(2), "keys that fit " + q, k);
        check(v.sameShape(k), "values like " + k, v);
        check(!causal || k.dim(1) == q.dim(1), "as many keys as queries of " + q, k);
        Tensor y = activation("attention", q.shape());
        ops.add(new Attention(q, k, v, y, heads, scale, causal));
        return y;
    }

    /** Attention of a sequence to itself, q, k and v [B,N,C], by this graph's rule. */
    public Tensor selfAttention(Tensor q, Tensor k, Tensor v, int heads, float scale) {
        check(k.sameShape(q), "keys like " + q, k);
        return selfAttention.apply(this, scope, q, k, v, heads, scale);
    }

    /** {@link GroupNorm}: x[N,C,...], gamma[C], beta[C]. */
    public Tensor groupNorm(Tensor x, Tensor gamma, Tensor beta, int groups, float eps, boolean silu) {
        check(x.rank() >= 2 && x.dim(1) % groups == 0, "channels in " + groups + " groups", x);
        checkVector(gamma, x.dim(1));
        checkVector(beta, x.dim(1));
        Tensor y = activation("norm", x.shape());
        ops.add(new GroupNorm(x, gamma, beta, y, groups, eps, silu));
        return y;
    }

    /**
     * x[..., C] normalised over its last axis, gamma[C], beta[C] (Ba et al. 2016): {@link GroupNorm} of one group over
     * rows of single elements.
     */
    public Tensor layerNorm(Tensor x, Tensor gamma, Tensor beta, float eps) {
        int features = x.dim(-1);
        Tensor rows = reshape(x, x.size() / features, features);
        return reshape(groupNorm(rows, gamma, beta, 1, eps, false), x.shape());
    }

    /** {@link PointOp.Gate}: x[..., 2C] to [..., C]. */
    public Tensor gate(Tensor x, Function function) {
        check(x.dim(-1) % 2 == 0, "an even number of features", x);
        int[] shape = x.shape();
        shape[shape.length - 1] /= 2;
        Tensor y = activation("gate", shape);
        ops.add(new PointOp.Gate(x, y, function));
        return y;
    }

    /** {@link Activation}. */
    public Tensor activation(Tensor x, Function function) {
        Tensor y = activation("act", x.shape());
        ops.add(new Activation(x, y, function));
        return y;
    }

    /** a + b. */
    public Tensor add(Tensor a, Tensor b) {
        return add(a, b, 1, 1);
    }

    /** alpha * a + beta * b. */
    public Tensor add(Tensor a, Tensor b, float alpha, float beta) {
        check(a.sameShape(b), "a sum of equal shapes, " + a, b);
        Tensor y = activation("add", a.shape());
        ops.add(new Add(a, b, y, alpha, beta));
        return y;
    }

    /** alpha * a. */
    public Tensor scale(Tensor a, float alpha) {
        Tensor y = activation("scale", a.shape());
        ops.add(new Add(a, null, y, alpha, 0));
        return y;
    }

    /** {@link AddChannel}: x[N,C,...], c[N,C]. */
    public Tensor addChannel(Tensor x, Tensor c) {
        check(c.rank() == 2 && c.dim(0) == x.dim(0) && c.dim(1) == x.dim(1), "a number per channel of " + x, c);
        Tensor y = activation("add", x.shape());
        ops.add(new AddChannel(x, c, y));
        return y;
    }

    /** {@link Modulate}: x[N,C,...], s[N,2C]. */
    public Tensor modulate(Tensor x, Tensor s) {
        check(s.rank() == 2 && s.dim(0) == x.dim(0) && s.dim(1) == 2 * x.dim(1), "two numbers per channel of " + x, s);
        Tensor y = activation("modulate", x.shape());
        ops.add(new Modulate(x, s, y));
        return y;
    }

    /** {@link LinearCombination}: xs of one shape, c[k] or c[N,k]. */
    public Tensor linearCombination(List<Tensor> xs, Tensor c) {
        Tensor x = xs.getFirst();
        xs.forEach(other -> check(other.sameShape(x), "terms like " + x, other));
        check(c.dim(-1) == xs.size(), xs.size() + " coefficients", c);
        check(c.rank() == 1 || (c.rank() == 2 && c.dim(0) == x.dim(0)), "coefficients for " + x, c);
        Tensor y = activation("combine", x.shape());
        ops.add(new LinearCombination(xs, c, y));
        return y;
    }

    /** {@link Dropout} with a seed of its own for each layer; x itself in a graph without dropout or if p is 0. */
    public Tensor dropout(Tensor x, float p) {
        check(p >= 0 && p < 1, "a probability below 1", p);
        if (dropoutSeed == null || p == 0) {
            return x;
        }
        Tensor y = activation("dropout", x.shape());
        ops.add(new Dropout(x, dropoutSeed, y, ++dropouts, p));
        return y;
    }

    /** {@link TrainOp.Fill}. */
    public Tensor fill(float value, int... shape) {
        Tensor y = activation("fill", shape);
        ops.add(new TrainOp.Fill(y, value));
        return y;
    }

    /** {@link Reshape}. */
    public Tensor reshape(Tensor x, int... shape) {
        Tensor y = activation("reshape", shape);
        check(y.size() == x.size(), x.size() + " elements", y);
        ops.add(new Reshape(x, y));
        return y;
    }

    /** {@link Transpose}: x[B,R,K] to [B,K,R]. */
    public Tensor transpose(Tensor x) {
        check(x.rank() == 3, "3 dimensions", x);
        Tensor y = activation("transpose", x.dim(0), x.dim(2), x.dim(1));
        ops.add(new Transpose(x, y));
        return y;
    }

    /** {@link Concat}. */
    public Tensor concat(List<Tensor> xs, int axis) {
        int[] shape = xs.getFirst().shape();
        shape[axis] = 0;
        for (Tensor x : xs) {
            int[] other = x.shape();
            int length = other[axis];
            other[axis] = shape[axis];
            check(Arrays.equals(shape, other), "tensors like " + xs.getFirst() + " but for axis " + axis, x);
            shape[axis] += length;
        }
        Tensor y = activation("concat", shape);
        ops.add(new Concat(xs, y, axis));
        return y;
    }

    /** {@link Slice} of {@code length} from {@code start}. */
    public Tensor slice(Tensor x, int axis, int start, int length) {
        check(start >= 0 && length > 0 && start + length <= x.dim(axis), "a range inside axis " + axis, x);
        int[] shape = x.shape();
        shape[axis] = length;
        Tensor y = activation("slice", shape);
        ops.add(new Slice(x, y, axis, start));
        return y;
    }

    /** {@link Upsample} by whole factors. */
    public Tensor upsample(Tensor x, int down, int across) {
        check(x.rank() == 4, "4 dimensions", x);
        Tensor y = activation("upsample", x.dim(0), x.dim(1), x.dim(2) * down, x.dim(3) * across);
        ops.add(new Upsample(x, y));
        return y;
    }

    /** {@link AvgPool} with windows of f x g that do not overlap. */
    public Tensor avgPool(Tensor x, int f, int g) {
        check(x.rank() == 4 && x.dim(2) >= f && x.dim(3) >= g, "pictures of at least " + f + "x" + g, x);
        Tensor y = activation("pool", x.dim(0), x.dim(1), x.dim(2) / f, x.dim(3) / g);
        ops.add(new AvgPool(x, y, f, g));
        return y;
    }

    /** {@link Embedding}: index[N], table[V,D]. */
    public Tensor embedding(Tensor index, Tensor table) {
        check(index.rank() == 1, "a list of indices", index);
        check(table.rank() == 2, "a table of 2 dimensions", table);
        Tensor y = activation("embedding", index.dim(0), table.dim(1));
        ops.add(new Embedding(index, table, y));
        return y;
    }

    /** {@link SinusoidalEmbedding} to {@code size} features: t[N], f[size / 2]. */
    public Tensor sinusoidalEmbedding(Tensor t, Tensor f, int size, boolean flip, boolean log) {
        check(t.rank() == 1, "a list of times", t);
        checkVector(f, size / 2);
        Tensor y = activation("time", t.dim(0), size);
        ops.add(new SinusoidalEmbedding(t, f, y, flip, log));
        return y;
    }

    private void checkVector(@Nullable Tensor vector, int size) {
        if (vector != null) {
            check(vector.rank() == 1 && vector.dim(0) == size, "a vector of " + size, vector);
        }
    }

    private void check(boolean fits, String expected, Object found) {
        if (!fits) {
            throw new ShapeException(scope.isEmpty() ? name : scope, expected, found.toString());
        }
    }
}
