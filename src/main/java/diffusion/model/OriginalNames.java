package diffusion.model;

import diffusion.model.WeightSource.Naming;
import diffusion.model.WeightSource.Part;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.function.BiConsumer;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * The names that single-file checkpoints use for weights, those of CompVis' and Stability's own code, turned into diffusers'
 * and transformers' names.
 */
final class OriginalNames {
    private static final Pattern NUMBERED = Pattern.compile("(input|output)_blocks\\.(\\d+)\\.(\\d+)\\.(.+)");
    private static final Pattern MIDDLE = Pattern.compile("middle_block\\.([012])\\.(.+)");
    private static final Pattern LEVEL =
            Pattern.compile("(encoder|decoder)\\.(down|up)\\.(\\d+)\\.(?:block\\.(\\d+)|(downsample|upsample))\\.(.+)");
    private static final Pattern LAYER = Pattern.compile("transformer\\.resblocks\\.(\\d+)\\.(.+)");
    static final Map<String, String> UNET = ordered(
            "time_embed.0.", "time_embedding.linear_1.",
            "time_embed.2.", "time_embedding.linear_2.",
            "label_emb.0.0.", "add_embedding.linear_1.",
            "label_emb.0.2.", "add_embedding.linear_2.",
            "input_blocks.0.0.", "conv_in.",
            "out.0.", "conv_norm_out.",
            "out.2.", "conv_out.");
    static final Map<String, String> RESNET = ordered(
            "in_layers.0.", "norm1.",
            "in_layers.2.", "conv1.",
            "out_layers.0.", "norm2.",
            "out_layers.3.", "conv2.",
            "emb_layers.1.", "time_emb_proj.",
            "skip_connection.", "conv_shortcut.",
            "nin_shortcut.", "conv_shortcut.");
    static final Map<String, String> AUTOENCODER = ordered(
            "encoder.norm_out.", "encoder.conv_norm_out.",
            "decoder.norm_out.", "decoder.conv_norm_out.");
    static final Map<String, String> MIDDLE_OF_AUTOENCODER = ordered(
            "block_1.", "resnets.0.",
            "block_2.", "resnets.1.",
            "attn_1.norm.", "attentions.0.group_norm.",
            "attn_1.q.", "attentions.0.to_q.",
            "attn_1.k.", "attentions.0.to_k.",
            "attn_1.v.", "attentions.0.to_v.",
            "attn_1.proj_out.", "attentions.0.to_out.0.");
    static final Map<String, String> OPEN_CLIP = ordered(
            "positional_embedding", "embeddings.position_embedding.weight",
            "token_embedding.", "embeddings.token_embedding.",
            "ln_final.", "final_layer_norm.");
    static final Map<String, String> OPEN_CLIP_LAYER = ordered(
            "ln_1.", "layer_norm1.",
            "ln_2.", "layer_norm2.",
            "mlp.c_fc.", "mlp.fc1.",
            "mlp.c_proj.", "mlp.fc2.",
            "attn.out_proj.", "self_attn.out_proj.");

    private OriginalNames() {}

    private static Map<String, String> ordered(String... pairs) {
        Map<String, String> map = new LinkedHashMap<>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put(pairs[i], pairs[i + 1]);
        }
        return map;
    }

    /** The name with the first prefix it has exchanged; itself, if it has none. */
    static String exchange(String name, Map<String, String> prefixes) {
        for (Map.Entry<String, String> entry : prefixes.entrySet()) {
            if (name.startsWith(entry.getKey())) {
                return entry.getValue() + name.substring(entry.getKey().length());
            }
        }
        return name;
    }

    private static Naming under(String prefix, BiConsumer<String, BiConsumer<String, Part>> rest) {
        return (stored, into) -> {
            if (stored.startsWith(prefix)) {
                rest.accept(
                        stored.substring(prefix.length()),
                        (name, part) ->
                                into.accept(name, new Part(stored, part.index(), part.of(), part.transposed())));
            }
        };
    }

    /** The U-Net's weights, with {@code layers} residual blocks a level on the way down. */
    static Naming unet(int layers) {
        return under("model.diffusion_model.", (name, into) -> into.accept(unetName(name, layers), Part.whole("")));
    }

    private static String unetName(String name, int layers) {
        String simple = exchange(name, UNET);
        if (!simple.equals(name)) {
            return simple;
        }
        Matcher middle = MIDDLE.matcher(name);
        if (middle.matches()) {
            int place = Integer.parseInt(middle.group(1));
            return place == 1
                    ? "mid_block.attentions.0." + middle.group(2)
                    : "mid_block.resnets." + place / 2 + "." + exchange(middle.group(2), RESNET);
        }
        Matcher numbered = NUMBERED.matcher(name);
        if (!numbered.matches()) {
            return name;
        }
        boolean down = numbered.group(1).equals("input");
        int index = Integer.parseInt(numbered.group(2)) - (down ? 1 : 0);
        int part = Integer.parseInt(numbered.group(3));
        String rest = numbered.group(4);
        String level = (down ? "down_blocks." : "up_blocks.") + index / (layers + 1) + ".";
        int place = index % (layers + 1);
        if (rest.startsWith("op.")) {
            return level + "downsamplers.0.conv." + rest.substring(3);
        }
        if (part > 0 && rest.startsWith("conv.")) {
            return level + "upsamplers.0." + rest;
        }
        return part == 0
                ? level + "resnets." + place + "." + exchange(rest, RESNET)
                : level + "attentions." + place + "." + rest;
    }

    /** The autoencoder's weights, of {@code levels} levels. */
    static Naming autoencoder(int levels) {
        return under("first_stage_model.", (name, into) -> into.accept(autoencoderName(name, levels), Part.whole("")));
    }

    private static String autoencoderName(String name, int levels) {
        Matcher level = LEVEL.matcher(name);
        if (level.matches()) {
            boolean down = level.group(2).equals("down");
            int index = Integer.parseInt(level.group(3));
            String place = level.group(1) + (down ? ".down_blocks." + index : ".up_blocks." + (levels - 1 - index));
            return level.group(5) == null
                    ? place + ".resnets." + level.group(4) + "." + exchange(level.group(6), RESNET)
                    : place + "." + level.group(5) + "rs.0." + level.group(6);
        }
        for (String half : new String[] {"encoder", "decoder"}) {
            if (name.startsWith(half + ".mid.")) {
                String rest = exchange(name.substring(half.length() + 5), MIDDLE_OF_AUTOENCODER);
                return half + ".mid_block." + middleOfAutoencoder(rest);
            }
        }
        return exchange(name, AUTOENCODER);
    }

    private static String middleOfAutoencoder(String rest) {
        int end = rest.indexOf('.', rest.indexOf('.') + 1) + 1;
        return rest.startsWith("resnets.") ? rest.substring(0, end) + exchange(rest.substring(end), RESNET) : rest;
    }

    /** A text encoder in transformers' own names under a prefix. */
    static Naming clip(String prefix) {
        return under(prefix, (name, into) -> {
            if (!name.endsWith(".position_ids")) {
                into.accept(name, Part.whole(""));
            }
        });
    }

    /** A text encoder in OpenCLIP's names under a prefix; layers from {@code layers} on are left out. */
    static Naming openClip(String prefix, int layers, boolean projects) {
        return under(prefix, (name, into) -> {
            Matcher layer = LAYER.matcher(name);
            if (layer.matches()) {
                if (Integer.parseInt(layer.group(1)) < layers) {
                    layer("text_model.encoder.layers." + layer.group(1) + ".", layer.group(2), into);
                }
            } else if (name.startsWith("text_projection")) {
                if (projects) {
                    // a bare matrix that multiplies from the right, or a layer's weight
                    into.accept("text_projection.weight", new Part("", 0, 1, name.equals("text_projection")));
                }
            } else if (!name.equals("logit_scale") && !name.endsWith(".position_ids")) {
                into.accept("text_model." + exchange(name, OPEN_CLIP), Part.whole(""));
            }
        });
    }

    private static void layer(String place, String rest, BiConsumer<String, Part> into) {
        if (rest.startsWith("attn.in_proj_")) {
            String kind = rest.substring("attn.in_proj_".length());
            String[] names = {"q_proj", "k_proj", "v_proj"};
            for (int i = 0; i < names.length; i++) {
                into.accept(place + "self_attn." + names[i] + "." + kind, new Part("", i, names.length, false));
            }
        } else {
            into.accept(place + exchange(rest, OPEN_CLIP_LAYER), Part.whole(""));
        }
    }
}
