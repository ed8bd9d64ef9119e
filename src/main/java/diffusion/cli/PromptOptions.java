package diffusion.cli;

import diffusion.pipeline.Lora;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.TextualInversion;
import diffusion.pipeline.WeightAdjustment;
import diffusion.text.Prompt;
import java.io.File;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What pictures of a text are made from. */
final class PromptOptions {
    private static final double HIGH_NOISE_FRACTION = 0.8;

    @Option(
            names = "--prompt",
            paramLabel = "TEXT",
            description = "What the picture shows; repeatable, one picture each.")
    List<String> prompts = new ArrayList<>();

    @Option(names = "--negative", paramLabel = "TEXT", description = "What the picture is led away from.")
    @Nullable
    String negative;

    @Option(
            names = "--guidance-rescale",
            paramLabel = "F",
            defaultValue = "0",
            description = "How much of the contrast that guidance adds is taken back, 0 to 1 (Lin et al. 2023).")
    double guidanceRescale;

    @Option(
            names = "--plain-prompt",
            description = "Take brackets in prompts literally; without it, (word:1.3), (word), [word] and BREAK weigh"
                    + " as in AUTOMATIC1111's web UI.")
    boolean plain;

    @Option(
            names = "--lora",
            paramLabel = "FILE[:WEIGHT]",
            description = "A LoRA to merge, of diffusers, peft or kohya; repeatable (default weight: 1).")
    List<String> loras = new ArrayList<>();

    @Option(names = "--refiner-lora", paramLabel = "FILE[:WEIGHT]", description = "The same for the --refiner.")
    List<String> refinerLoras = new ArrayList<>();

    @Option(
            names = "--embedding",
            paramLabel = "FILE[:TOKEN]",
            description =
                    "A textual inversion of diffusers or AUTOMATIC1111 as safetensors; repeatable (default token: the"
                            + " one in the file, or the file's name).")
    List<String> embeddings = new ArrayList<>();

    @Option(
            names = "--vae",
            paramLabel = "PATH",
            description =
                    "Another autoencoder, such as TAESD's AutoencoderTiny: a folder with config.json, or the weights"
                            + " in one.")
    @Nullable
    Path vae;

    @Option(
            names = "--refiner",
            paramLabel = "MODEL",
            description =
                    "A model for the last steps, such as Stable Diffusion XL's refiner: folder or pulled repository.")
    @Nullable
    String refiner;

    @Option(
            names = "--high-noise-fraction",
            paramLabel = "F",
            description = "Share of the steps left to --model where there is a --refiner (default: 0.8).")
    private @Nullable Double highNoiseFraction;

    @Option(names = "--width", paramLabel = "N", description = "Width in pixels (default: the model's own).")
    @Nullable
    Integer width;

    @Option(names = "--height", paramLabel = "N", description = "Height in pixels (default: the model's own).")
    @Nullable
    Integer height;

    @Option(names = "--karras", description = "Space the noise levels as Karras et al. 2022.")
    boolean karras;

    @Option(
            names = "--prediction",
            paramLabel = "TYPE",
            description =
                    "What the U-Net predicts, epsilon or v_prediction, where a single-file checkpoint does not say:"
                            + " Stable Diffusion 2 is taken for one of 768 pixels, which predicts v.")
    @Nullable
    String prediction;

    @Option(
            names = "--clip-skip",
            paramLabel = "N",
            defaultValue = "0",
            description = "Leave out the last N layers of the text encoder (AUTOMATIC1111 counts from 1: its 2 is 1"
                    + " here).")
    int clipSkip;

    @Option(names = "--tiling", description = "Encode and decode in overlapping tiles, which takes less memory.")
    boolean tiling;

    /** Adds to the text of a picture's file what {@link #take} takes over, but for prompts, size and sampler. */
    void describe(Map<String, Object> fields) {
        if (guidanceRescale > 0) {
            fields.put("Guidance rescale", guidanceRescale);
        }
        if (refiner != null) {
            fields.put("Refiner", refiner);
            fields.put("Refiner switch at", highNoiseFraction());
        }
        if (clipSkip > 0) {
            fields.put("Clip skip", clipSkip + 1);
        }
        PictureSettings.putAll(fields, "LoRA", loras);
        PictureSettings.putAll(fields, "Refiner LoRA", refinerLoras);
        PictureSettings.putAll(fields, "Embedding", embeddings);
        if (vae != null) {
            fields.put("Autoencoder", vae);
        }
        if (prediction != null) {
            fields.put("Prediction type", prediction);
        }
        putFlag(fields, "Plain prompt", plain);
        putFlag(fields, "Empty negative prompt", "".equals(negative)); // not the same as none for every model
        putFlag(fields, "Tiled decoding", tiling);
    }

    private static void putFlag(Map<String, Object> fields, String key, boolean value) {
        if (value) {
            fields.put(key, true);
        }
    }

    /** Takes over what was not given, the size only if it may be. */
    void take(PictureSettings settings, boolean takeSize, Predicate<String> given) {
        Map<String, String> fields = settings.fields();
        if (takeSize) {
            width = width != null ? width : settings.width();
            height = height != null ? height : settings.height();
        }
        if (prompts.isEmpty()) {
            prompts.addAll(settings.prompts());
            String told = fields.containsKey("Empty negative prompt") ? "" : settings.negative();
            negative = negative != null ? negative : told;
            plain |= fields.containsKey("Plain prompt");
        }
        if (refiner == null && fields.containsKey("Refiner")) {
            refiner = fields.get("Refiner");
            Double fraction = settings.number("Refiner switch at");
            highNoiseFraction = highNoiseFraction != null ? highNoiseFraction : fraction;
            refinerLoras = refinerLoras.isEmpty() ? settings.all("Refiner LoRA") : refinerLoras;
        }
        Double rescale = settings.number("Guidance rescale");
        guidanceRescale = given.test("--guidance-rescale") || rescale == null ? guidanceRescale : rescale;
        Long skip = settings.whole("Clip skip");
        clipSkip = given.test("--clip-skip") || skip == null ? clipSkip : Math.clamp(skip - 1, 0, Integer.MAX_VALUE);
        loras = loras.isEmpty() ? settings.all("LoRA") : loras;
        embeddings = embeddings.isEmpty() ? settings.all("Embedding") : embeddings;
        String autoencoder = fields.get("Autoencoder");
        vae = vae != null || autoencoder == null ? vae : Path.of(autoencoder);
        prediction = prediction != null ? prediction : fields.get("Prediction type");
        tiling |= fields.containsKey("Tiled decoding");
    }

    double highNoiseFraction() {
        return highNoiseFraction == null ? HIGH_NOISE_FRACTION : highNoiseFraction;
    }

    /** Throws if a number is out of range, or there is no refiner for what is said of one. */
    void check() {
        if (clipSkip < 0) {
            throw new Main.UsageException(
                    "--clip-skip: expected 0 or more layers of the text encoder to leave out, found " + clipSkip);
        }
        if (refiner == null && (!refinerLoras.isEmpty() || highNoiseFraction != null)) {
            throw new Main.UsageException((refinerLoras.isEmpty() ? "--high-noise-fraction" : "--refiner-lora")
                    + ": expected a --refiner for it, found none");
        }
    }

    Prompt parse(String text) {
        return plain ? Prompt.plain(text) : Prompt.parse(text);
    }

    /** The model with another autoencoder and learned words, where they are given. */
    StableDiffusionComponents changed(StableDiffusionComponents components) {
        StableDiffusionComponents changed = vae == null ? components : components.withVae(vae);
        for (String given : embeddings) { // no Path before the token is off: a file's name has no colon on Windows
            int colon = new File(given).exists() ? -1 : given.lastIndexOf(':');
            changed = TextualInversion.add(
                    changed,
                    Path.of(colon < 0 ? given : given.substring(0, colon)),
                    colon < 0 ? null : given.substring(colon + 1));
        }
        return changed;
    }

    /** All LoRAs, read and checked against the model. */
    WeightAdjustment adjustment(StableDiffusionComponents components) {
        return adjustment(loras, components);
    }

    /** Those of the refiner. */
    WeightAdjustment refinerAdjustment(StableDiffusionComponents components) {
        return adjustment(refinerLoras, components);
    }

    private static WeightAdjustment adjustment(List<String> files, StableDiffusionComponents components) {
        if (files.isEmpty()) {
            return WeightAdjustment.NONE;
        }
        Lora lora = new Lora();
        for (String given : files) {
            int colon = given.lastIndexOf(':');
            boolean weighted = colon > 0 && given.substring(colon + 1).matches("[+-]?\\d*\\.?\\d+");
            lora.add(
                    Path.of(weighted ? given.substring(0, colon) : given),
                    weighted ? Double.parseDouble(given.substring(colon + 1)) : 1,
                    components);
        }
        return lora;
    }

    /** Throws if options for texts were given for a model that follows none. */
    void requireUnused(String model) {
        if (!prompts.isEmpty()
                || negative != null
                || !loras.isEmpty()
                || !refinerLoras.isEmpty()
                || vae != null
                || refiner != null
                || highNoiseFraction != null
                || plain
                || !embeddings.isEmpty()) {
            throw new Main.UsageException(
                    "--prompt, --negative, --plain-prompt, --lora, --embedding, --vae, --refiner: the model " + model
                            + " follows no text; give the folder of a text-to-image pipeline with --model");
        }
        if (width != null
                || height != null
                || prediction != null
                || karras
                || tiling
                || clipSkip != 0
                || guidanceRescale != 0) {
            throw new Main.UsageException(
                    "--width, --height, --prediction, --karras, --tiling, --clip-skip, --guidance-rescale: the model "
                            + model + " follows no text, for which these are; use --size");
        }
    }
}
