package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.graph.Parameters;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.model.Autoencoder;
import diffusion.model.CLIPTextModel;
import diffusion.model.SingleFile;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import diffusion.model.WeightSource;
import diffusion.scheduler.SchedulerConfig;
import diffusion.text.CLIPTokenizer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * The parts of a text-to-image checkpoint: configurations, and where the weights lie; nothing large is read yet.
 *
 * @param name as the user gave it
 * @param pipeline diffusers' pipeline class
 * @param texts one encoder, or the two of SDXL
 * @param lowResScheduler what noises the small picture of an upscaler; null for other pipelines
 * @param zerosForEmptyPrompt whether no negative prompt stands for zeros rather than for an empty text (SDXL)
 */
public record StableDiffusionComponents(
        String name,
        String pipeline,
        UNet2DConditionConfig unet,
        WeightSource unetWeights,
        Autoencoder.Config vae,
        WeightSource vaeWeights,
        List<Text> texts,
        SchedulerConfig scheduler,
        boolean zerosForEmptyPrompt,
        @Nullable SchedulerConfig lowResScheduler) {
    private static final List<String> PIPELINES = List.of(
            "StableDiffusionPipeline",
            "StableDiffusionXLPipeline",
            "LatentConsistencyModelPipeline",
            "StableDiffusionImg2ImgPipeline",
            "StableDiffusionXLImg2ImgPipeline",
            "StableDiffusionInpaintPipeline",
            "StableDiffusionXLInpaintPipeline",
            "StableDiffusionUpscalePipeline");

    /**
     * A text encoder with its tokenizer.
     *
     * @param part text_encoder or text_encoder_2
     * @param embeddings further tokens' rows of the table, one after another, behind those of the weights
     */
    public record Text(
            String part,
            CLIPTextModel.Config config,
            WeightSource weights,
            CLIPTokenizer tokenizer,
            float[] embeddings) {
        /** An encoder with the tokens of its weights. */
        public Text(String part, CLIPTextModel.Config config, WeightSource weights, CLIPTokenizer tokenizer) {
            this(part, config, weights, tokenizer, new float[0]);
        }
    }

    /** Whether a path is a folder of a text-to-image pipeline or a checkpoint in a single file. */
    public static boolean matches(Path path) {
        Path index = path.resolve("model_index.json");
        return Files.exists(index)
                ? PIPELINES.contains(Json.read(index).path("_class_name").asText())
                : SingleFile.matches(path);
    }

    /** The parts of what {@link #matches}. */
    public static StableDiffusionComponents open(String name, Path path) {
        return Files.isDirectory(path) ? fromFolder(name, path) : fromSingleFile(name, path);
    }

    private static StableDiffusionComponents fromSingleFile(String name, Path path) {
        SingleFile.Contents contents = SingleFile.read(path);
        List<Text> texts = new ArrayList<>();
        for (SingleFile.Text text : contents.texts()) {
            boolean first = texts.isEmpty() && contents.family() != SingleFile.Family.SDXL_REFINER;
            String part = first ? "text_encoder" : "text_encoder_2";
            Text made = new Text(part, text.config(), text.weights(), CLIPTokenizer.standard(text.padToken()));
            requireFits(path, made);
            texts.add(made);
        }
        StableDiffusionComponents components = new StableDiffusionComponents(
                name,
                switch (contents.family()) {
                    case SD1, SD2 -> "StableDiffusionPipeline";
                    case SDXL -> "StableDiffusionXLPipeline";
                    case SDXL_REFINER -> "StableDiffusionXLImg2ImgPipeline";
                },
                contents.unet(),
                contents.unetWeights(),
                contents.vae(),
                contents.vaeWeights(),
                List.copyOf(texts),
                scheduler(contents.family()),
                contents.family() == SingleFile.Family.SDXL,
                null);
        components.requireFits();
        return components;
    }

    /** The scheduler_config.json that the family's first checkpoints were published with. */
    private static SchedulerConfig scheduler(SingleFile.Family family) {
        SchedulerConfig config = SchedulerConfig.defaults(
                switch (family) {
                    case SD1 -> "PNDMScheduler";
                    case SD2 -> "DDIMScheduler";
                    case SDXL, SDXL_REFINER -> "EulerDiscreteScheduler";
                });
        config = config.with("beta_start", 0.00085)
                .with("beta_end", 0.012)
                .with("beta_schedule", "scaled_linear")
                .with("steps_offset", 1);
        return switch (family) {
            case SD1 -> config.with("skip_prk_steps", true).with("set_alpha_to_one", false);
            case SD2 ->
                config.with("prediction_type", "v_prediction")
                        .with("clip_sample", false)
                        .with("set_alpha_to_one", false);
            case SDXL, SDXL_REFINER -> config.with("timestep_spacing", "leading");
        };
    }

    /** Reads model_index.json and the configuration of every part it lists. */
    static StableDiffusionComponents fromFolder(String name, Path folder) {
        Path path = folder.resolve("model_index.json");
        JsonNode index = Json.read(path);
        String pipeline = index.path("_class_name").asText();
        requireClass(path, index, "unet", "UNet2DConditionModel");
        List<Text> texts = new ArrayList<>();
        for (String suffix : List.of("", "_2")) {
            if (index.hasNonNull("text_encoder" + suffix)
                    && index.path("text_encoder" + suffix).path(0).isTextual()) {
                Path encoder = folder.resolve("text_encoder" + suffix);
                Text text = new Text(
                        "text_encoder" + suffix,
                        CLIPTextModel.Config.read(config(encoder), encoder.toString()),
                        WeightSource.inFolder(encoder),
                        CLIPTokenizer.read(folder.resolve("tokenizer" + suffix)));
                requireFits(encoder, text);
                texts.add(text);
            }
        }
        if (texts.isEmpty()) {
            throw new DiffusionException(path + ": expected a text_encoder, found none");
        }
        Path unet = folder.resolve("unet");
        Path vae = folder.resolve("vae");
        StableDiffusionComponents components = new StableDiffusionComponents(
                name,
                pipeline,
                UNet2DConditionConfig.read(config(unet), unet.toString()),
                WeightSource.inFolder(unet),
                Autoencoder.Config.read(config(vae), vae.toString()),
                WeightSource.inFolder(vae),
                List.copyOf(texts),
                schedulerConfig(folder, "scheduler"),
                index.path("force_zeros_for_empty_prompt").asBoolean(pipeline.contains("XL")),
                index.hasNonNull("low_res_scheduler") ? schedulerConfig(folder, "low_res_scheduler") : null);
        components.requireFits();
        return components;
    }

    private static SchedulerConfig schedulerConfig(Path folder, String part) {
        Path path = folder.resolve(part).resolve("scheduler_config.json");
        return SchedulerConfig.of(Json.read(path), path.toString());
    }

    private static JsonNode config(Path component) {
        Path path = component.resolve("config.json");
        if (!Files.exists(path)) {
            throw new DiffusionException(path + ": expected the configuration of a part that model_index.json lists,"
                    + " found nothing; is the download complete?");
        }
        return Json.read(path);
    }

    private static void requireClass(Path path, JsonNode index, String part, String expected) {
        String found = index.path(part).path(1).asText();
        if (!found.equals(expected)) {
            throw new DiffusionException(
                    "%s: expected a %s of class %s, found \"%s\"".formatted(path, part, expected, found));
        }
    }

    private static void requireFits(Path encoder, Text text) {
        int tokens = text.tokenizer.size();
        if (tokens > text.config.vocabSize()) {
            throw new DiffusionException(
                    encoder + ": the tokenizer has " + tokens + " tokens, its encoder's vocab_size is "
                            + text.config.vocabSize() + "; they are not of one model");
        }
        int length = text.tokenizer.maxLength();
        if (length > text.config.maxPositionEmbeddings()) {
            throw new DiffusionException(encoder + ": the tokenizer's model_max_length is " + length
                    + ", its encoder's max_position_embeddings is " + text.config.maxPositionEmbeddings()
                    + "; they are not of one model");
        }
    }

    private void requireFits() {
        int features = texts.stream().mapToInt(text -> text.config.hiddenSize()).sum();
        Integer projected = unet.encoderHidDim();
        int expected = projected != null ? projected : unet.crossAttentionDim().getFirst();
        if (features != expected) {
            throw new DiffusionException(name + ": the text encoders give " + features + " features a token, the U-Net"
                    + " expects " + expected + "; they are not of one model");
        }
        if (unet.outChannels() != vae.latentChannels()) {
            throw new DiffusionException(name + ": the U-Net makes " + unet.outChannels() + " channels, the autoencoder"
                    + " expects " + vae.latentChannels() + "; they are not of one model");
        }
    }

    /** The same with other text encoders. */
    StableDiffusionComponents withTexts(List<Text> changed) {
        return new StableDiffusionComponents(
                name,
                pipeline,
                unet,
                unetWeights,
                vae,
                vaeWeights,
                List.copyOf(changed),
                scheduler,
                zerosForEmptyPrompt,
                lowResScheduler);
    }

    /** The same with another autoencoder: a folder with config.json, or the weights in one. */
    public StableDiffusionComponents withVae(Path given) {
        Path folder = Files.isDirectory(given) ? given : given.toAbsolutePath().getParent();
        if (folder == null || !Files.exists(folder.resolve("config.json"))) {
            throw new DiffusionException(
                    "--vae: expected a folder with the config.json of an autoencoder, or the weights in"
                            + " one, found none at " + given);
        }
        Autoencoder.Config other = Autoencoder.Config.read(config(folder), folder.toString());
        StableDiffusionComponents changed = new StableDiffusionComponents(
                name,
                pipeline,
                unet,
                unetWeights,
                other,
                Files.isDirectory(given) ? WeightSource.inFolder(given) : WeightSource.inFile(given),
                texts,
                scheduler,
                zerosForEmptyPrompt,
                lowResScheduler);
        changed.requireFits();
        if (changed.factor() != factor()) {
            throw new DiffusionException("--vae: expected an autoencoder of " + factor() + " pixels a latent, found "
                    + changed.factor() + " in " + given);
        }
        return changed;
    }

    /**
     * A network of the checkpoint.
     *
     * @param name unet, vae, text_encoder or text_encoder_2
     * @param config its config.json
     * @param className its class in diffusers or transformers
     */
    public record Part(String name, JsonNode config, String className, Parameters parameters, WeightSource weights) {
        /** Whether the class is transformers' rather than diffusers'. */
        public boolean isText() {
            return name.startsWith("text_encoder");
        }
    }

    /** All networks. */
    public List<Part> parts() {
        List<Part> parts = new ArrayList<>();
        Parameters unetWeightsOf = new UNet2DConditionModel(unet).parameters();
        parts.add(new Part("unet", unet.json(), "UNet2DConditionModel", unetWeightsOf, unetWeights));
        Autoencoder autoencoder = vae.model();
        String className = autoencoder.getClass().getSimpleName();
        parts.add(new Part("vae", vae.json(), className, autoencoder.parameters(), vaeWeights));
        for (Text text : texts) {
            String encoder = text.config.projectionDim() > 0 ? "CLIPTextModelWithProjection" : "CLIPTextModel";
            Parameters parameters = new CLIPTextModel(text.config).parameters();
            parts.add(new Part(text.part, text.config.json(), encoder, parameters, text.weights));
        }
        return parts;
    }

    /** Whether the U-Net looks at a pooled text and sizes too, as SDXL's does. */
    public boolean isXL() {
        return unet.additionEmbedType() != null;
    }

    /**
     * Whether the U-Net looks at an aesthetic score in place of a target size, as SDXL's refiner does; diffusers'
     * requires_aesthetics_score, which must agree with the U-Net.
     */
    public boolean scoresAesthetics() {
        int pooled = texts.getLast().config.projectionDim();
        return isXL() && unet.projectionClassEmbeddingsInputDim() - pooled == 5 * unet.additionTimeEmbedDim();
    }

    /** Channels that the U-Net sees beside the latent: of a mask and what it leaves, or of a small picture. */
    public int extraChannels() {
        return unet.inChannels() - vae.latentChannels();
    }

    /** Whether guidance is an input of the U-Net, as in models distilled for few steps. */
    public boolean isGuidanceDistilled() {
        return unet.timeCondProjDim() != null;
    }

    /** Pixels, down and across, of one latent. */
    public int factor() {
        return vae.factor();
    }

    /** Height and width the model was trained on; 0 if its configuration does not say. */
    public int size() {
        return unet.sampleSize() * factor();
    }
}
