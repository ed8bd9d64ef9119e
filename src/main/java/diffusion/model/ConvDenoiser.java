package diffusion.model;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Graph;
import diffusion.graph.Parameters;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.JsonFields;
import diffusion.nn.Conv2d;
import diffusion.nn.Scope;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The small denoiser of introductory texts: three 3x3 convolutions with ReLU between them and the timestep, divided by its
 * largest value, as an extra input channel. A model to learn from, not one to make good pictures with.
 */
public final class ConvDenoiser implements DenoisingModel {
    /**
     * The configuration.
     *
     * @param hiddenChannels channels of the two inner layers
     * @param numTrainTimesteps what the timestep is divided by
     */
    public record Config(int sampleSize, int inChannels, int hiddenChannels, int numTrainTimesteps) {
        /** Reads a config.json. */
        public static Config read(JsonNode json, String source) {
            JsonFields f = new JsonFields(json, source);
            Config config = new Config(
                    f.integer("sample_size", 28),
                    f.integer("in_channels", 1),
                    f.integer("hidden_channels", 64),
                    f.integer("num_train_timesteps", 1000));
            f.requireNoOthers();
            if (config.inChannels < 1 || config.hiddenChannels < 1 || config.numTrainTimesteps < 1) {
                throw f.wrong("in_channels, hidden_channels, num_train_timesteps", "positive numbers", json.toString());
            }
            return config;
        }
    }

    private final Config config;
    private final Parameters parameters = new Parameters();
    private final Conv2d conv1;
    private final Conv2d conv2;
    private final Conv2d conv3;

    /** Declares the weights. */
    public ConvDenoiser(Config config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        conv1 = Conv2d.same3x3(root.child("conv1"), config.inChannels + 1, config.hiddenChannels);
        conv2 = Conv2d.same3x3(root.child("conv2"), config.hiddenChannels, config.hiddenChannels);
        conv3 = Conv2d.same3x3(root.child("conv3"), config.hiddenChannels, config.inChannels);
    }

    @Override
    public Tensor apply(Graph g, Tensor sample, Tensor timestep, @Nullable Tensor classLabels) {
        if (classLabels != null) {
            throw new DiffusionException("the model is unconditional: expected no class labels");
        }
        Tensor t = g.scale(timestep, 1f / config.numTrainTimesteps);
        t = g.upsample(g.reshape(t, t.dim(0), 1, 1, 1), sample.dim(2), sample.dim(3)); // [N, 1, H, W]
        Tensor h = g.concat(List.of(sample, t), 1); // [N, C + 1, H, W]
        h = g.activation(conv1.apply(g, h), Function.RELU);
        h = g.activation(conv2.apply(g, h), Function.RELU);
        return conv3.apply(g, h);
    }

    @Override
    public Parameters parameters() {
        return parameters;
    }

    @Override
    public int inChannels() {
        return config.inChannels;
    }

    @Override
    public int outChannels() {
        return config.inChannels;
    }

    @Override
    public int sampleSize() {
        return config.sampleSize;
    }

    @Override
    public int sizeMultiple() {
        return 1;
    }

    @Override
    public int classes() {
        return 0;
    }

    @Override
    public ObjectNode config() {
        ObjectNode json = Json.object();
        json.put("_class_name", "ConvDenoiser");
        json.put("sample_size", config.sampleSize);
        json.put("in_channels", config.inChannels);
        json.put("hidden_channels", config.hiddenChannels);
        json.put("num_train_timesteps", config.numTrainTimesteps);
        return json;
    }
}
