package diffusion.model;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.TensorFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * A Stable Diffusion 1.x, 2.x or XL checkpoint in one file, under its original names; what it is follows from the names and
 * shapes of its weights, as in diffusers' from_single_file.
 */
public final class SingleFile {
    /** Whose checkpoint it is. */
    public enum Family {
        /** Stable Diffusion 1.x. */
        SD1,
        /** Stable Diffusion 2.x. */
        SD2,
        /** Stable Diffusion XL. */
        SDXL,
        /** Its refiner. */
        SDXL_REFINER;

        /** Whether it is XL's base model or refiner. */
        public boolean isXL() {
            return this == SDXL || this == SDXL_REFINER;
        }
    }

    /** A text encoder of the file. */
    public record Text(CLIPTextModel.Config config, WeightSource weights, String padToken) {}

    private static final String UNET = "model.diffusion_model.";
    private static final String VAE = "first_stage_model.";
    private static final String HEAD = UNET + "input_blocks.0.0.weight";
    private static final int HEAD_SIZE = 64;
    private static final int HEADS_OF_SD1 = 8;

    private final Path path;
    private final Map<String, int[]> shapes;
    private final Family family;

    private SingleFile(Path path, Map<String, int[]> shapes) {
        this.path = path;
        this.shapes = shapes;
        if (contains("conditioner.embedders.1.model.ln_final.weight")) {
            family = Family.SDXL;
        } else if (contains("conditioner.embedders.0.model.ln_final.weight")) {
            family = Family.SDXL_REFINER;
        } else {
            family = contains("cond_stage_model.model.ln_final.weight") ? Family.SD2 : Family.SD1;
        }
    }

    /** Whether a path is a safetensors file with the weights of such a U-Net. */
    public static boolean matches(Path path) {
        if (!Files.isRegularFile(path) || !(path.toString().endsWith(".safetensors") || TensorFile.isGguf(path))) {
            return false;
        }
        try (TensorFile file = TensorFile.open(path)) {
            return file.contains(HEAD);
        }
    }

    /** What the names and shapes of a file say, read once. */
    public record Contents(
            Family family,
            UNet2DConditionConfig unet,
            WeightSource unetWeights,
            AutoencoderKL.Config vae,
            WeightSource vaeWeights,
            List<Text> texts) {}

    /** Reads the header; throws if a part is missing. */
    public static Contents read(Path path) {
        Map<String, int[]> shapes = new LinkedHashMap<>();
        try (TensorFile file = TensorFile.open(path)) {
            file.names().forEach(name -> shapes.put(name, file.shape(name)));
        }
        return read(path, shapes);
    }

    /** What a file of tensors of these names and shapes would be taken for. */
    public static Contents read(Path path, Map<String, int[]> shapes) {
        SingleFile single = new SingleFile(path, shapes);
        UNet2DConditionConfig unet = UNet2DConditionConfig.read(single.unet(), path + " (U-Net)");
        AutoencoderKL.Config vae = AutoencoderKL.Config.read(single.autoencoder(), path + " (autoencoder)");
        return new Contents(
                single.family,
                unet,
                new WeightSource(path, OriginalNames.unet(unet.layersPerBlock().getFirst())),
                vae,
                new WeightSource(
                        path, OriginalNames.autoencoder(vae.blockOutChannels().size())),
                single.texts());
    }

    private boolean contains(String name) {
        return shapes.containsKey(name);
    }

    private int[] shape(String name) {
        int[] shape = shapes.get(name);
        if (shape == null) {
            throw new DiffusionException(path + ": expected the weight " + name + " of a " + family
                    + " checkpoint, found none; is it only a part of one?");
        }
        return shape.clone();
    }

    /** How many of the names that {@code pattern} makes of 0, 1, 2 ... are there. */
    private int count(String pattern) {
        int n = 0;
        while (contains(pattern.replace("#", String.valueOf(n)))) {
            n++;
        }
        return n;
    }

    private static ObjectNode config(String className) {
        ObjectNode config = Json.object();
        config.put("_class_name", className);
        config.put("_diffusers_version", ModelFolder.DIFFUSERS_VERSION);
        return config;
    }

    private ObjectNode unet() {
        int layers = 0;
        while (!contains(UNET + "input_blocks." + (layers + 1) + ".0.op.weight")) {
            layers++;
            if (layers > 16) {
                throw new DiffusionException(path + ": expected a U-Net with levels of 1 to 16 blocks, found none");
            }
        }
        ObjectNode config = config("UNet2DConditionModel");
        ArrayNode channels = config.putArray("block_out_channels");
        ArrayNode down = config.putArray("down_block_types");
        ArrayNode up = config.putArray("up_block_types");
        ArrayNode depths = config.putArray("transformer_layers_per_block");
        ArrayNode heads = config.putArray("attention_head_dim");
        int middle = Math.max(1, count(UNET + "middle_block.1.transformer_blocks.#.norm1.weight"));
        boolean linear = shape(UNET + "middle_block.1.proj_in.weight").length == 2;
        List<String> ups = new ArrayList<>();
        for (int level = 0; ; level++) {
            String block = UNET + "input_blocks." + (1 + level * (layers + 1));
            if (!contains(block + ".0.in_layers.2.weight")) {
                break;
            }
            int width = shape(block + ".0.in_layers.2.weight")[0];
            int depth = count(block + ".1.transformer_blocks.#.norm1.weight");
            boolean last = !contains(UNET + "input_blocks." + (level + 1) * (layers + 1) + ".0.op.weight");
            channels.add(width);
            down.add(depth > 0 ? "CrossAttnDownBlock2D" : "DownBlock2D");
            ups.addFirst(depth > 0 ? "CrossAttnUpBlock2D" : "UpBlock2D");
            // What a level without attention has does not matter; the refiner's config.json gives one number for all.
            boolean same = last || depth == 0 && family == Family.SDXL_REFINER;
            depths.add(same ? middle : Math.max(1, depth));
            heads.add(family == Family.SD1 ? HEADS_OF_SD1 : Math.max(1, width / HEAD_SIZE));
        }
        ups.forEach(up::add);
        config.put("layers_per_block", layers);
        config.put("in_channels", shape(HEAD)[1]);
        config.put("out_channels", shape(UNET + "out.2.weight")[0]);
        config.put("cross_attention_dim", shape(UNET + "middle_block.1.transformer_blocks.0.attn2.to_k.weight")[1]);
        config.put("use_linear_projection", linear);
        config.put(
                "sample_size",
                switch (family) {
                    case SD1 -> 64;
                    case SD2 -> 96;
                    case SDXL, SDXL_REFINER -> 128;
                });
        if (family.isXL()) {
            config.put("addition_embed_type", "text_time");
            config.put("addition_time_embed_dim", 256);
            config.put("projection_class_embeddings_input_dim", shape(UNET + "label_emb.0.0.weight")[1]);
        }
        return config;
    }

    private ObjectNode autoencoder() {
        ObjectNode config = config("AutoencoderKL");
        ArrayNode channels = config.putArray("block_out_channels");
        ArrayNode down = config.putArray("down_block_types");
        ArrayNode up = config.putArray("up_block_types");
        int levels = count(VAE + "encoder.down.#.block.0.conv1.weight");
        for (int i = 0; i < levels; i++) {
            down.add("DownEncoderBlock2D");
            up.add("UpDecoderBlock2D");
            channels.add(shape(VAE + "encoder.down." + i + ".block.0.conv1.weight")[0]);
        }
        config.put("layers_per_block", count(VAE + "encoder.down.0.block.#.conv1.weight"));
        config.put("latent_channels", shape(VAE + "quant_conv.weight")[0] / 2);
        config.put("scaling_factor", family.isXL() ? 0.13025 : 0.18215);
        config.put("sample_size", family.isXL() ? 1024 : 512);
        return config;
    }

    private List<Text> texts() {
        String end = "<|endoftext|>";
        return switch (family) {
            case SD1 -> List.of(clip("cond_stage_model.transformer.", end));
            case SD2 -> List.of(openClip("cond_stage_model.model.", false));
            case SDXL ->
                List.of(
                        clip("conditioner.embedders.0.transformer.", end),
                        openClip("conditioner.embedders.1.model.", true));
            case SDXL_REFINER -> List.of(openClip("conditioner.embedders.0.model.", true));
        };
    }

    private Text clip(String prefix, String pad) {
        String text = prefix + "text_model.";
        ObjectNode config = size(
                shape(text + "embeddings.token_embedding.weight"),
                count(text + "encoder.layers.#.layer_norm1.weight"),
                shape(text + "encoder.layers.0.mlp.fc1.weight")[0]);
        config.put("hidden_act", "quick_gelu");
        return new Text(
                CLIPTextModel.Config.read(config, path + " (text encoder)"),
                new WeightSource(path, OriginalNames.clip(prefix)),
                pad);
    }

    private Text openClip(String prefix, boolean projects) {
        int all = count(prefix + "transformer.resblocks.#.ln_1.weight");
        // Stable Diffusion 2 does not use the last layer; files written from diffusers' folders do not hold it either.
        int layers = !projects && contains(prefix + "text_projection") ? all - 1 : all;
        ObjectNode config = size(
                shape(prefix + "token_embedding.weight"),
                layers,
                shape(prefix + "transformer.resblocks.0.mlp.c_fc.weight")[0]);
        config.put("hidden_act", "gelu");
        if (projects) {
            config.putArray("architectures").removeAll().add("CLIPTextModelWithProjection");
            config.put("projection_dim", shape(prefix + "text_projection")[1]);
        }
        return new Text(
                CLIPTextModel.Config.read(config, path + " (text encoder)"),
                new WeightSource(path, OriginalNames.openClip(prefix, layers, projects)),
                "!");
    }

    private static ObjectNode size(int[] table, int layers, int intermediate) {
        ObjectNode config = Json.object();
        config.putArray("architectures").add("CLIPTextModel");
        config.put("model_type", "clip_text_model");
        config.put("vocab_size", table[0]);
        config.put("hidden_size", table[1]);
        config.put("num_hidden_layers", layers);
        config.put("intermediate_size", intermediate);
        config.put("num_attention_heads", Math.max(1, table[1] / HEAD_SIZE));
        return config;
    }
}
