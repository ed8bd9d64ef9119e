package diffusion.model;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Parameters;
import diffusion.graph.Parameters.Init;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.nn.Conv2d;
import diffusion.nn.GroupNorm;
import diffusion.nn.Linear;
import diffusion.nn.ResnetBlock2D;
import diffusion.nn.Scope;
import diffusion.nn.TimeProjection;
import diffusion.nn.TimestepEmbedding;
import diffusion.nn.Transformer2DModel;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * The U-Net of Stable Diffusion (Rombach et al. 2022), SDXL and their kin: a U-Net whose levels look at a text through
 * transformers; diffusers' UNet2DConditionModel.
 */
public final class UNet2DConditionModel {
    /**
     * What the picture is to follow.
     *
     * @param encoderHiddenStates the text, [N, tokens, cross_attention_dim]
     * @param classLabels [N] for a model with classes, [N, D] for those of type identity or projection
     * @param textEmbeds the pooled text [N, D] of SDXL
     * @param timeIds sizes and crops [N, ids] of SDXL
     * @param timestepCond the embedded guidance scale [N, time_cond_proj_dim] of distilled models
     */
    public record Conditioning(
            Tensor encoderHiddenStates,
            @Nullable Tensor classLabels,
            @Nullable Tensor textEmbeds,
            @Nullable Tensor timeIds,
            @Nullable Tensor timestepCond) {
        /** By a text alone. */
        public static Conditioning of(Tensor encoderHiddenStates) {
            return new Conditioning(encoderHiddenStates, null, null, null, null);
        }
    }

    private final UNet2DConditionConfig config;
    private final Parameters parameters = new Parameters();
    private final Conv2d conv_in;
    private final TimeProjection time_proj;
    private final TimestepEmbedding time_embedding;
    private final @Nullable Linear encoder_hid_proj;
    private final @Nullable TimestepEmbedding class_projection; // class_embedding of type timestep or projection
    private final @Nullable Tensor class_table; // class_embedding.weight [classes, temb]
    private final @Nullable TimestepEmbedding add_embedding;
    private final TimeProjection add_time_proj;
    private final List<UNetBlock> down_blocks = new ArrayList<>();
    private final @Nullable UNetBlock mid_block;
    private final List<UNetBlock> up_blocks = new ArrayList<>();
    private final GroupNorm conv_norm_out;
    private final Conv2d conv_out;

    /** Declares the weights of a configuration. */
    public UNet2DConditionModel(UNet2DConditionConfig config) {
        this.config = config;
        Scope root = Scope.root(parameters);
        List<Integer> channels = config.blockOutChannels();
        int first = channels.getFirst();
        int temb = config.embeddingSize();
        conv_in = conv(root.child("conv_in"), config.inChannels(), first, config.convInKernel());
        time_proj = new TimeProjection.Positional(first, config.flipSinToCos(), (float) config.freqShift());
        int condition = Objects.requireNonNullElse(config.timeCondProjDim(), 0);
        time_embedding =
                new TimestepEmbedding(root.child("time_embedding"), first, temb, config.activation(), condition);
        Integer hidden = config.encoderHidDim();
        encoder_hid_proj = hidden == null
                ? null
                : new Linear(
                        root.child("encoder_hid_proj"),
                        hidden,
                        config.crossAttentionDim().getFirst());
        Scope classes = root.child("class_embedding");
        int given = config.projectionClassEmbeddingsInputDim();
        class_projection = switch (Objects.requireNonNullElse(config.classEmbedType(), "")) {
            case "timestep" -> new TimestepEmbedding(classes, first, temb, config.activation(), 0);
            case "projection" -> new TimestepEmbedding(classes, given, temb);
            default -> null;
        };
        class_table = config.classEmbedType() == null && config.numClassEmbeds() != null
                ? classes.declare("weight", new Init.Normal(1), config.numClassEmbeds(), temb)
                : null;
        add_embedding = config.additionEmbedType() == null
                ? null
                : new TimestepEmbedding(root.child("add_embedding"), given, temb);
        add_time_proj = new TimeProjection.Positional(
                config.additionTimeEmbedDim(), config.flipSinToCos(), (float) config.freqShift());
        ResnetBlock2D.Options options = new ResnetBlock2D.Options(
                temb,
                config.normNumGroups(),
                (float) config.normEps(),
                config.activation(),
                config.resnetTimeScaleShift().equals("scale_shift"),
                0);
        int levels = config.levels();
        for (int i = 0; i < levels; i++) {
            down_blocks.add(UNetBlock.down(
                    root.child("down_blocks", i),
                    config.layersPerBlock().get(i),
                    channels.get(Math.max(0, i - 1)),
                    channels.get(i),
                    options,
                    transformers(
                            config.downBlockTypes().get(i),
                            i,
                            config.transformerLayersPerBlock().get(i)),
                    i == levels - 1 ? UNetBlock.Change.NONE : UNetBlock.Change.CONV,
                    config.downsamplePadding() == 0 ? new Window(2, 0, 0, 1, 1) : Window.of(2, 1)));
        }
        mid_block = config.midBlockType() == null
                ? null
                : UNetBlock.middle(
                        root.child("mid_block"),
                        channels.getLast(),
                        options,
                        transformers(
                                "CrossAttn",
                                levels - 1,
                                config.transformerLayersPerBlock().getLast(),
                                false),
                        (float) config.midBlockScaleFactor());
        List<Integer> upwards = channels.reversed();
        for (int i = 0; i < levels; i++) {
            up_blocks.add(UNetBlock.up(
                    root.child("up_blocks", i),
                    config.skips(i),
                    upwards.get(Math.max(0, i - 1)),
                    upwards.get(i),
                    options,
                    transformers(
                            config.upBlockTypes().get(i),
                            levels - 1 - i,
                            config.upTransformerLayersPerBlock().get(i)),
                    i == levels - 1 ? UNetBlock.Change.NONE : UNetBlock.Change.CONV));
        }
        conv_norm_out =
                new GroupNorm(root.child("conv_norm_out"), config.normNumGroups(), first, (float) config.normEps());
        conv_out = conv(root.child("conv_out"), first, config.outChannels(), config.convOutKernel());
    }

    private static Conv2d conv(Scope scope, int in, int out, int kernel) {
        return new Conv2d(scope, in, out, kernel, Window.of(1, (kernel - 1) / 2));
    }

    private UNetBlock.Spatial.@Nullable Factory transformers(String type, int level, int layers) {
        return transformers(type, level, layers, config.onlyCrossAttention().get(level));
    }

    private UNetBlock.Spatial.@Nullable Factory transformers(String type, int level, int layers, boolean onlyCross) {
        if (!type.startsWith("CrossAttn")) {
            return null;
        }
        return (scope, channels) -> {
            Transformer2DModel layer = new Transformer2DModel(
                    scope,
                    channels,
                    config.numAttentionHeads().get(level),
                    layers,
                    config.crossAttentionDim().get(level),
                    config.normNumGroups(),
                    config.useLinearProjection(),
                    onlyCross);
            return (g, x, context) -> layer.apply(g, x, Objects.requireNonNull(context));
        };
    }

    /**
     * Records the network.
     *
     * @param sample [N, in_channels, H, W]
     * @param timestep [N]
     * @return [N, out_channels, H, W]
     */
    public Tensor apply(Graph g, Tensor sample, Tensor timestep, Conditioning given) {
        return apply(g, sample, timestep, given, null);
    }

    /** The same, its deep levels perhaps kept or left out. */
    public Tensor apply(Graph g, Tensor sample, Tensor timestep, Conditioning given, @Nullable DeepFeatures deep) {
        Tensor x = config.centerInputSample() ? g.add(sample, g.fill(1, sample.shape()), 2, -1) : sample;
        Tensor temb = embedding(g, timestep, given); // [N, temb]
        Tensor context = given.encoderHiddenStates();
        if (encoder_hid_proj != null) {
            context = encoder_hid_proj.apply(g, context);
        }
        Tensor h = conv_in.apply(g, x);
        h = new UNetLevels(down_blocks, mid_block, up_blocks).apply(g, h, temb, context, deep);
        return conv_out.apply(g, conv_norm_out.apply(g, h, config.activation()));
    }

    private Tensor embedding(Graph g, Tensor timestep, Conditioning given) {
        Tensor temb = time_embedding.apply(g, time_proj.apply(g, timestep), given.timestepCond());
        boolean hasClasses = class_table != null || config.classEmbedType() != null;
        Tensor labels = given.classLabels();
        require(hasClasses == (labels != null), hasClasses ? "class labels" : "no class labels");
        if (labels != null) {
            Tensor classes = labels; // of type identity
            if (class_table != null) {
                classes = g.embedding(labels, class_table);
            } else if (class_projection != null) {
                boolean times = "timestep".equals(config.classEmbedType());
                classes = class_projection.apply(g, times ? time_proj.apply(g, labels) : labels);
            }
            temb = g.add(temb, classes);
        }
        if (add_embedding != null) {
            Tensor text = given.textEmbeds();
            Tensor ids = given.timeIds();
            if (text == null || ids == null) {
                throw new DiffusionException("the model expects a pooled text and time ids, found none");
            }
            Tensor times = add_time_proj.apply(g, g.reshape(ids, ids.size()));
            times = g.reshape(times, ids.dim(0), ids.dim(1) * config.additionTimeEmbedDim());
            temb = g.add(temb, add_embedding.apply(g, g.concat(List.of(text, times), 1)));
        }
        return temb;
    }

    private static void require(boolean holds, String expected) {
        if (!holds) {
            throw new DiffusionException("the model expects " + expected);
        }
    }

    /** The weights, by checkpoint name. */
    public Parameters parameters() {
        return parameters;
    }

    /** The configuration. */
    public UNet2DConditionConfig config() {
        return config;
    }
}
