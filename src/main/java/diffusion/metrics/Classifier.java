package diffusion.metrics;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.Json;
import diffusion.io.JsonFields;
import diffusion.nn.Conv2d;
import diffusion.nn.GroupNorm;
import diffusion.nn.Linear;
import diffusion.nn.Scope;
import java.util.ArrayList;
import java.util.List;

/**
 * A small convolutional classifier: pairs of normalised 3x3 convolutions, each followed by halving the picture, then two
 * linear layers. Its hidden layer is the feature space of the Frechet distance.
 */
public final class Classifier {
    static final String CLASS_NAME = "Classifier";

    private static final int GROUPS = 8;

    /** The configuration; {@code features} is the width of the hidden layer. */
    public record Config(int size, int channels, int classes, List<Integer> blockChannels, int features) {
        /** One for pictures of a data set. */
        public static Config of(int size, int channels, int classes) {
            return new Config(size, channels, classes, List.of(24, 48), 96);
        }

        /** Reads a config.json. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            Config config = new Config(
                    f.integer("sample_size", 28),
                    f.integer("in_channels", 1),
                    f.integer("num_classes", 10),
                    f.integers("block_channels", List.of(24, 48)),
                    f.integer("features", 96));
            f.requireNoOthers();
            return config;
        }

        /** The config.json. */
        public ObjectNode toJson() {
            ObjectNode json = Json.object();
            json.put("_class_name", CLASS_NAME);
            json.put("sample_size", size);
            json.put("in_channels", channels);
            json.put("num_classes", classes);
            blockChannels.forEach(json.putArray("block_channels")::add);
            json.put("features", features);
            return json;
        }
    }

    /** What the network says about pictures: features [N, F] after ReLU, and class scores [N, K]. */
    public record Output(Tensor features, Tensor logits) {}

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final List<Conv2d> convolutions = new ArrayList<>();
    private final List<GroupNorm> norms = new ArrayList<>();
    private final Linear hidden;
    private final Linear head;

    /** Declares the weights. */
    public Classifier(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        int in = config.channels;
        int side = config.size;
        for (int out : config.blockChannels) {
            for (int i = 0; i < 2; i++) {
                int index = convolutions.size();
                convolutions.add(Conv2d.same3x3(root.child("convs", index), i == 0 ? in : out, out));
                norms.add(new GroupNorm(root.child("norms", index), GROUPS, out, 1e-5f));
            }
            in = out;
            side /= 2;
        }
        hidden = new Linear(root.child("hidden"), in * side * side, config.features);
        head = new Linear(root.child("head"), config.features, config.classes);
    }

    /** Records the network on x[N, C, H, W]. */
    public Output apply(Graph g, Tensor x) {
        Tensor h = halved(g, maps(g, x).getLast());
        h = g.reshape(h, h.dim(0), h.sizeFrom(1));
        Tensor features = g.activation(hidden.apply(g, h), Function.RELU);
        return new Output(features, head.apply(g, features));
    }

    /** Records the convolutions alone, on pictures of any size that can be halved so often: what each makes of x[N, C, H, W]. */
    public List<Tensor> maps(Graph g, Tensor x) {
        List<Tensor> maps = new ArrayList<>();
        Tensor h = x;
        for (int i = 0; i < convolutions.size(); i++) {
            h = i > 0 && i % 2 == 0 ? halved(g, h) : h;
            h = norms.get(i).apply(g, convolutions.get(i).apply(g, h), Function.SILU);
            maps.add(h);
        }
        return maps;
    }

    private static Tensor halved(Graph g, Tensor x) {
        return g.avgPool(x, 2, 2); // [N, C, H/2, W/2]
    }

    /** The weights that {@link #maps} reads. */
    List<Tensor> convolutional() {
        return parameters.all().stream()
                .filter(weight ->
                        !weight.name().startsWith("hidden.") && !weight.name().startsWith("head."))
                .toList();
    }

    /** The weights. */
    public Parameters parameters() {
        return parameters;
    }

    /** The configuration. */
    public Config config() {
        return config;
    }
}
