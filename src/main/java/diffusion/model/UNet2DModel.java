package diffusion.model;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.PointOp.Function;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.nn.Attention;
import diffusion.nn.Conv2d;
import diffusion.nn.GroupNorm;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.Scope;
import diffusion.nn.TimeProjection;
import diffusion.nn.TimestepEmbedding;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The U-Net of the DDPM family (Ho et al. 2020, appendix B), as diffusers' UNet2DModel: residual blocks with optional
 * attention on the way down, in the middle and, joined with what came down, on the way up.
 */
public final class UNet2DModel implements DenoisingModel {
    private final UNet2DConfig config;
    private final Parameters parameters = new Parameters();
    private final Conv2d conv_in;
    private final TimeProjection time_proj;
    private final TimestepEmbedding time_embedding;
    private final @Nullable TimestepEmbedding class_time_embedding;
    private final @Nullable Tensor class_embedding; // [classes, temb]
    private final List<UNetBlock> down_blocks = new ArrayList<>();
    private final @Nullable UNetBlock mid_block;
    private final List<UNetBlock> up_blocks = new ArrayList<>();
    private final GroupNorm conv_norm_out;
    private final Conv2d conv_out;

    /** Declares the weights of a configuration. */
    public UNet2DModel(UNet2DConfig config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        List<Integer> channels = config.blockOutChannels();
        int first = channels.getFirst();
        int last = channels.getLast();
        int temb = config.embeddingSize();
        conv_in = Conv2d.same3x3(root.child("conv_in"), config.inChannels(), first);
        time_proj = switch (config.timeEmbeddingType()) {
            case "fourier" -> TimeProjection.Fourier.declare(root.child("time_proj"), 2 * first, false);
            case "learned" ->
                TimeProjection.Learned.declare(
                        root.child("time_proj"), java.util.Objects.requireNonNull(config.numTrainTimesteps()), first);
            default -> new TimeProjection.Positional(first, config.flipSinToCos(), (float) config.freqShift());
        };
        time_embedding = new TimestepEmbedding(root.child("time_embedding"), time_proj.size(), temb);
        Scope classes = root.child("class_embedding");
        String classType = config.classEmbedType();
        class_embedding = classType == null && config.numClassEmbeds() != null
                ? classes.declare("weight", new Init.Normal(1), config.numClassEmbeds(), temb)
                : null;
        class_time_embedding =
                "timestep".equals(classType) ? new TimestepEmbedding(classes, time_proj.size(), temb) : null;

        ResnetBlock2D.Options options = new ResnetBlock2D.Options(
                temb,
                config.normNumGroups(),
                (float) config.normEps(),
                config.activation(),
                config.resnetTimeScaleShift().equals("scale_shift"),
                (float) config.dropout());
        for (int i = 0; i < channels.size(); i++) {
            int in = channels.get(Math.max(0, i - 1));
            boolean attention = config.downBlockTypes().get(i).startsWith("Attn");
            down_blocks.add(UNetBlock.down(
                    root.child("down_blocks", i),
                    config.layersPerBlock(),
                    in,
                    channels.get(i),
                    options,
                    attention ? attention(config.normNumGroups(), 1) : null,
                    change(i == channels.size() - 1, attention, config.downsampleType()),
                    config.downsamplePadding() == 0 ? new Window(2, 0, 0, 1, 1) : Window.of(2, 1)));
        }
        float midScale = (float) config.midBlockScaleFactor();
        Integer given = config.attnNormNumGroups();
        int groups = given != null ? given : options.scaleShift() ? 0 : config.normNumGroups();
        mid_block = config.midBlockType() == null
                ? null
                : UNetBlock.middle(
                        root.child("mid_block"),
                        last,
                        options,
                        config.addAttention() ? attention(groups, midScale) : null,
                        midScale);
        List<Integer> upwards = channels.reversed();
        for (int i = 0; i < upwards.size(); i++) {
            int out = upwards.get(i);
            boolean attention = config.upBlockTypes().get(i).startsWith("Attn");
            List<Integer> skips = new ArrayList<>(Collections.nCopies(config.layersPerBlock(), out));
            skips.add(upwards.get(Math.min(i + 1, upwards.size() - 1)));
            up_blocks.add(UNetBlock.up(
                    root.child("up_blocks", i),
                    skips,
                    upwards.get(Math.max(0, i - 1)),
                    out,
                    options,
                    attention ? attention(config.normNumGroups(), 1) : null,
                    change(i == upwards.size() - 1, attention, config.upsampleType())));
        }
        conv_norm_out =
                new GroupNorm(root.child("conv_norm_out"), config.normNumGroups(), first, (float) config.normEps());
        conv_out = Conv2d.same3x3(root.child("conv_out"), first, config.outChannels());
    }

    @Override
    public Tensor apply(Graph g, Tensor sample, Tensor timestep, @Nullable Tensor classLabels) {
        return apply(g, sample, timestep, classLabels, null);
    }

    @Override
    public Tensor apply(
            Graph g, Tensor sample, Tensor timestep, @Nullable Tensor classLabels, @Nullable DeepFeatures deep) {
        Tensor x = config.centerInputSample() ? g.add(sample, g.fill(1, sample.shape()), 2, -1) : sample;
        Tensor temb = embedding(g, timestep, classLabels); // [N, temb]
        Tensor h = conv_in.apply(g, x); // [N, C, H, W]
        h = new UNetLevels(down_blocks, mid_block, up_blocks).apply(g, h, temb, null, deep);
        h = conv_out.apply(g, conv_norm_out.apply(g, h, Function.SILU)); // [N, out, H, W]
        if (config.timeEmbeddingType().equals("fourier")) {
            Tensor inverse = g.reshape(g.activation(timestep, Function.RECIPROCAL), timestep.dim(0), 1);
            h = g.linearCombination(List.of(h), inverse);
        }
        return h;
    }

    private Tensor embedding(Graph g, Tensor timestep, @Nullable Tensor classLabels) {
        Tensor temb = time_embedding.apply(g, time_proj.apply(g, timestep));
        boolean conditional = class_embedding != null || config.classEmbedType() != null;
        if (conditional != (classLabels != null)) {
            throw new DiffusionException(
                    conditional
                            ? "the model is conditional: expected class labels, found none"
                            : "the model is unconditional: expected no class labels");
        }
        if (classLabels == null) {
            return temb;
        }
        if (class_embedding != null) {
            return g.add(temb, g.embedding(classLabels, class_embedding));
        }
        if (class_time_embedding != null) {
            return g.add(temb, class_time_embedding.apply(g, time_proj.apply(g, classLabels)));
        }
        return g.add(temb, classLabels); // identity: the labels are embeddings already
    }

    @Override
    public Parameters parameters() {
        return parameters;
    }

    @Override
    public int inChannels() {
        return config.inChannels();
    }

    @Override
    public int outChannels() {
        return config.outChannels();
    }

    @Override
    public int sampleSize() {
        return config.sampleSize();
    }

    @Override
    public int sizeMultiple() {
        return 1 << (down_blocks.size() - 1);
    }

    @Override
    public int classes() {
        return class_embedding == null ? 0 : class_embedding.dim(0);
    }

    @Override
    public ObjectNode config() {
        return config.toJson();
    }

    private static UNetBlock.Change change(boolean isFinal, boolean attention, String type) {
        if (isFinal) {
            return UNetBlock.Change.NONE;
        }
        return attention && type.equals("resnet") ? UNetBlock.Change.RESNET : UNetBlock.Change.CONV;
    }

    private UNetBlock.Spatial.Factory attention(int groups, float rescale) {
        return (scope, channels) -> {
            int headDim = config.attentionHeadDim() == null ? channels : config.attentionHeadDim();
            if (channels % headDim != 0) {
                throw new DiffusionException(
                        "attention_head_dim: expected a divisor of " + channels + " channels, found " + headDim);
            }
            Attention layer = new Attention(scope, channels, headDim, groups, (float) config.normEps(), rescale);
            return (g, x, _) -> layer.apply(g, x);
        };
    }
}
