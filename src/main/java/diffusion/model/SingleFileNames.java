package diffusion.model;

import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** {@link OriginalNames} in reverse: under which names and shapes a single-file checkpoint holds a model's weights. */
public final class SingleFileNames {
    private static final Pattern LEVEL =
            Pattern.compile("(down|up)_blocks\\.(\\d+)\\.(resnets|attentions|downsamplers|upsamplers)\\.(\\d+)\\.(.+)");
    private static final Pattern MIDDLE = Pattern.compile("mid_block\\.(resnets|attentions)\\.(\\d+)\\.(.+)");
    private static final Pattern LAYER = Pattern.compile("text_model\\.encoder\\.layers\\.(\\d+)\\.(.+)");
    private static final Pattern PROJECTION = Pattern.compile("self_attn\\.([qkv])_proj\\.(weight|bias)");
    private static final Map<String, String> UNET = reversed(OriginalNames.UNET);
    private static final Map<String, String> RESNET = reversed(OriginalNames.RESNET);
    private static final Map<String, String> AUTOENCODER = reversed(OriginalNames.AUTOENCODER);
    private static final Map<String, String> MIDDLE_OF_AUTOENCODER = reversed(OriginalNames.MIDDLE_OF_AUTOENCODER);
    private static final Map<String, String> OPEN_CLIP = reversed(OriginalNames.OPEN_CLIP);
    private static final Map<String, String> OPEN_CLIP_LAYER = reversed(OriginalNames.OPEN_CLIP_LAYER);

    /**
     * A tensor of the file.
     *
     * @param parameters what it is made of: one weight, or several one after another along the first axis
     * @param transposed whether the one weight is transposed
     */
    public record Stored(String name, int[] shape, boolean transposed, List<Tensor> parameters) {}

    private record Place(String name, int index, boolean transposed) {}

    private SingleFileNames() {}

    private static Map<String, String> reversed(Map<String, String> names) {
        Map<String, String> reversed = new LinkedHashMap<>();
        names.forEach((original, ours) -> reversed.putIfAbsent(ours, original));
        return reversed;
    }

    /** The U-Net's weights. */
    public static List<Stored> unet(UNet2DConditionModel model) {
        int layers = model.config().layersPerBlock().getFirst();
        Collection<Tensor> weights = model.parameters().all();
        return stored(weights, OriginalNames.unet(layers), weight -> {
            String name = weight.name();
            Matcher level = LEVEL.matcher(name);
            boolean cross = level.matches()
                    && model.parameters().find("up_blocks." + level.group(2) + ".attentions.0.norm.weight") != null;
            return new Place("model.diffusion_model." + unet(name, layers, cross), 0, false);
        });
    }

    private static String unet(String name, int layers, boolean cross) {
        Matcher middle = MIDDLE.matcher(name);
        if (middle.matches()) {
            return middle.group(1).equals("attentions")
                    ? "middle_block.1." + middle.group(3)
                    : "middle_block." + 2 * Integer.parseInt(middle.group(2)) + "."
                            + OriginalNames.exchange(middle.group(3), RESNET);
        }
        Matcher level = LEVEL.matcher(name);
        if (!level.matches()) {
            return OriginalNames.exchange(name, UNET);
        }
        boolean down = level.group(1).equals("down");
        int first = Integer.parseInt(level.group(2)) * (layers + 1) + (down ? 1 : 0);
        int place = Integer.parseInt(level.group(4));
        String rest = level.group(5);
        String block = down ? "input_blocks." : "output_blocks.";
        return switch (level.group(3)) {
            case "resnets" -> block + (first + place) + ".0." + OriginalNames.exchange(rest, RESNET);
            case "attentions" -> block + (first + place) + ".1." + rest;
            case "downsamplers" -> block + (first + layers) + ".0." + rest.replaceFirst("^conv\\.", "op.");
            default -> block + (first + layers) + (cross ? ".2." : ".1.") + rest;
        };
    }

    /** The autoencoder's weights; the linear layers of its attention are convolutions there. */
    public static List<Stored> autoencoder(AutoencoderKL model) {
        int levels = model.config().blockOutChannels().size();
        return stored(
                model.parameters().all(),
                OriginalNames.autoencoder(levels),
                weight -> new Place("first_stage_model." + autoencoder(weight.name(), levels), 0, false));
    }

    private static String autoencoder(String name, int levels) {
        int dot = name.indexOf('.');
        String half = name.substring(0, dot + 1);
        Matcher level = LEVEL.matcher(name.substring(dot + 1));
        if (level.matches()) {
            boolean down = level.group(1).equals("down");
            int index = Integer.parseInt(level.group(2));
            String place = half + level.group(1) + "." + (down ? index : levels - 1 - index) + ".";
            String rest = level.group(5);
            return switch (level.group(3)) {
                case "resnets" -> place + "block." + level.group(4) + "." + shortcut(rest);
                default -> place + level.group(1) + "sample." + rest;
            };
        }
        if (name.startsWith("mid_block.", dot + 1)) {
            String rest = name.substring(dot + 1 + "mid_block.".length());
            return half + "mid." + shortcut(OriginalNames.exchange(rest, MIDDLE_OF_AUTOENCODER));
        }
        return OriginalNames.exchange(name, AUTOENCODER);
    }

    private static String shortcut(String rest) {
        return rest.replaceFirst("conv_shortcut\\.", "nin_shortcut.");
    }

    /** A text encoder's weights under transformers' own names. */
    public static List<Stored> clip(CLIPTextModel model, String prefix) {
        return stored(
                model.parameters().all(),
                OriginalNames.clip(prefix),
                weight -> new Place(prefix + weight.name(), 0, false));
    }

    /** A text encoder's weights under OpenCLIP's names; queries, keys and values are one tensor. */
    public static List<Stored> openClip(CLIPTextModel model, String prefix) {
        boolean projects = model.config().projectionDim() > 0;
        return stored(
                model.parameters().all(),
                OriginalNames.openClip(prefix, model.config().numHiddenLayers(), projects),
                weight -> {
                    String name = weight.name();
                    Matcher layer = LAYER.matcher(name);
                    if (name.equals("text_projection.weight")) {
                        return new Place(prefix + "text_projection", 0, true);
                    }
                    if (!layer.matches()) {
                        String rest = name.replaceFirst("^text_model\\.", "");
                        return new Place(prefix + OriginalNames.exchange(rest, OPEN_CLIP), 0, false);
                    }
                    String place = prefix + "transformer.resblocks." + layer.group(1) + ".";
                    Matcher projection = PROJECTION.matcher(layer.group(2));
                    return projection.matches()
                            ? new Place(
                                    place + "attn.in_proj_" + projection.group(2),
                                    "qkv".indexOf(projection.group(1)),
                                    false)
                            : new Place(place + OriginalNames.exchange(layer.group(2), OPEN_CLIP_LAYER), 0, false);
                });
    }

    /** Weights grouped by the tensors that hold them; a name that would not be read back is an error. */
    private static List<Stored> stored(
            Collection<Tensor> weights, WeightSource.Naming naming, Function<Tensor, Place> place) {
        Map<String, @Nullable Tensor[]> groups = new LinkedHashMap<>();
        Map<String, Boolean> transposed = new HashMap<>();
        for (Tensor weight : weights) {
            Place to = place.apply(weight);
            int[] of = {0};
            naming.parameters(to.name, (name, part) -> of[0] = name.equals(weight.name()) ? part.of() : of[0]);
            if (of[0] == 0) {
                throw new DiffusionException(
                        weight.name() + ": expected a weight that single-file checkpoints of Stable"
                                + " Diffusion have, found one without a name there; write a folder");
            }
            groups.computeIfAbsent(to.name, _ -> new @Nullable Tensor[of[0]])[to.index] = weight;
            transposed.put(to.name, to.transposed);
        }
        List<Stored> all = new ArrayList<>();
        groups.forEach((name, parts) -> {
            List<Tensor> whole = new ArrayList<>();
            for (Tensor part : parts) {
                whole.add(Objects.requireNonNull(part, name));
            }
            boolean turned = Boolean.TRUE.equals(transposed.get(name));
            all.add(new Stored(name, shape(name, whole, turned), turned, whole));
        });
        return all;
    }

    private static int[] shape(String name, List<Tensor> parts, boolean transposed) {
        int[] shape = parts.getFirst().shape();
        if (transposed) {
            return new int[] {shape[1], shape[0]};
        }
        shape[0] *= parts.size();
        boolean convolution = shape.length == 2 && name.contains(".mid.attn_1.");
        return convolution ? new int[] {shape[0], shape[1], 1, 1} : shape;
    }
}
