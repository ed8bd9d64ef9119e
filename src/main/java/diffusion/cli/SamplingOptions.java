package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.Saving;
import diffusion.pipeline.WeightPrecision;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What every command that samples pictures can be told: the model, the run and the files. */
final class SamplingOptions {
    /** The field of a picture's text that says how model calls were spent. */
    static final String SAVING = "Saving";

    private static final String WEIGHTS = "Weights";

    @Option(
            names = "--model",
            defaultValue = "digits",
            description = "Built-in name, or folder of a model or pipeline (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    String model;

    @Option(
            names = "--weights-dtype",
            paramLabel = "TYPE",
            description =
                    "Round the weights of U-Net and text encoders to fp16, bf16, q8_0 or q4_0, and keep them so in memory;"
                            + " fp32 keeps floats (default: as they are stored).")
    @Nullable
    WeightPrecision weights;

    @Option(
            names = "--class",
            paramLabel = "CLASS",
            description = "Class by number or name; repeatable. Default: all in turn for sample, else none.")
    List<String> classes = new ArrayList<>();

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description =
                    "Number of pictures (default: one a class or prompt given, else 1; 16 for sample with classes).")
    @Nullable
    Integer count;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "16",
            description = "Pictures computed together (default: ${DEFAULT-VALUE}).")
    int batch;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Seed of the first picture; the next has the next (default: ${DEFAULT-VALUE}).")
    long seed;

    @Option(names = "--rng", defaultValue = "torch", description = "torch (as on a CPU) or cuda random numbers.")
    @SuppressWarnings("NullAway.Init")
    RandomSource.Kind rng;

    @Option(names = "--scheduler", description = "Sampler, such as ddim or ddpm (default: the model's own).")
    @Nullable
    String scheduler;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "50",
            description = "Steps (default: ${DEFAULT-VALUE}).")
    int steps;

    @Option(
            names = "--guidance",
            paramLabel = "G",
            description = "Guidance scale; 1 for none (default: the model's own).")
    @Nullable
    Double guidance;

    @Option(
            names = "--size",
            paramLabel = "N",
            description = "Height and width (default: the model's own; a text model changes pictures at their own).")
    @Nullable
    Integer size;

    @Mixin
    SavingOptions saving = new SavingOptions();

    @Mixin
    @SuppressWarnings("NullAway.Init")
    PromptOptions prompt;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    GuideOptions guides = new GuideOptions();

    @Mixin
    @SuppressWarnings("NullAway.Init")
    BackendOptions backend;

    @Option(
            names = "--out",
            paramLabel = "PATH",
            description = "PNG file (several pictures: a grid) or a folder (a file each); default: samples.png, or the"
                    + " command's name for others.")
    @Nullable
    Path out;

    @Option(
            names = "--animate",
            paramLabel = "FILE.gif",
            description = "Also write the reverse process as an animation.")
    @Nullable
    Path animate;

    @Option(
            names = "--preview-every",
            paramLabel = "N",
            description = "After every N steps, write what the pictures are going to be beside --out.")
    @Nullable
    Integer previewEvery;

    @Option(names = "--json", description = "Print one JSON object instead of lines.")
    boolean json;

    /** Pictures in a row of the grid; 0 for as many as make it about square. */
    int columns;

    @Spec(Spec.Target.MIXEE)
    private @Nullable CommandSpec mixee; // none where a command fills these options itself

    /** Throws if an option is out of range or a file cannot be written. */
    void check(Path defaultOut) {
        if (steps < 1) {
            throw new Main.UsageException("--steps: expected at least 1, found " + steps);
        }
        if (count != null && count < 1) {
            throw new Main.UsageException("--count: expected at least 1, found " + count);
        }
        if (batch < 1) {
            throw new Main.UsageException("--batch: expected at least 1, found " + batch);
        }
        if (previewEvery != null && previewEvery < 1) {
            throw new Main.UsageException("--preview-every: expected at least 1, found " + previewEvery);
        }
        out = out == null ? defaultOut : out;
        Targets.requirePictures("--out", out);
        Targets.requireFile(animate);
    }

    /** Takes over how a picture was made, but for what was given. */
    void take(PictureSettings settings) {
        if (settings.fields().containsKey(SampleFiles.INPUT)) {
            throw new Main.UsageException(
                    "--from: expected a picture that was made from noise, found one that was made from "
                            + settings.fields().get(SampleFiles.INPUT)
                            + "; give the options to the command that made it");
        }
        boolean freely = classes.isEmpty() && prompt.prompts.isEmpty();
        model = given("--model") ? model : settings.fields().getOrDefault("Model", model);
        Long madeSteps = settings.whole("Steps");
        steps = given("--steps") || madeSteps == null ? steps : Math.clamp(madeSteps, 0, Integer.MAX_VALUE);
        Long madeSeed = settings.whole("Seed");
        seed = given("--seed") || madeSeed == null ? seed : madeSeed;
        guidance = given("--guidance") ? guidance : settings.number("CFG scale");
        scheduler = given("--scheduler") ? scheduler : settings.sampler();
        saving.take(settings.fields().get(SAVING));
        guides.take(settings);
        if (TextSampling.matches(PullCommand.resolve(model))) {
            prompt.take(settings, size == null, this::given);
        } else {
            if (classes.isEmpty() && !settings.prompt().isEmpty()) {
                classes.addAll(List.of(settings.prompt().split(", ", -1)));
            }
            size = size != null ? size : settings.height();
        }
        Long pictures = settings.whole("Pictures");
        if (count == null && (freely || pictures != null)) {
            count = pictures == null ? 1 : Math.clamp(pictures, 0, Integer.MAX_VALUE);
        }
        String generator = settings.fields().getOrDefault("RNG", "");
        if (!given("--rng") && (generator.equals("GPU") || generator.equals("NV"))) {
            rng = RandomSource.Kind.CUDA;
        }
        String precision = settings.fields().get(WEIGHTS);
        weights = weights != null || precision == null ? weights : precision(precision);
    }

    private static WeightPrecision precision(String name) {
        for (WeightPrecision precision : WeightPrecision.values()) {
            if (precision.name().equalsIgnoreCase(name)) {
                return precision;
            }
        }
        throw new DiffusionException("--from: expected fp32, fp16, bf16, q8_0 or q4_0 for " + WEIGHTS + ", found \""
                + name + "\" in the picture's text");
    }

    /** The fields of the text of a file with these pictures, which {@link #take} takes over. */
    Map<String, Object> fields(
            Scheduler sampler,
            double guidanceScale,
            int height,
            int width,
            @Nullable PictureEdit edit,
            List<Generated> pictures) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("Steps", steps);
        fields.put("Sampler", SchedulerFactory.nameOf(edit == null ? scheduler : null, sampler.config()));
        fields.put("CFG scale", guidanceScale);
        Saving spent = saving.chosen(given("--scheduler"));
        if (spent != null) {
            fields.put(SAVING, spent);
        }
        fields.put("Seed", pictures.getFirst().seed());
        fields.put("Size", width + "x" + height);
        fields.put("Model", model);
        fields.put("RNG", rng == RandomSource.Kind.TORCH ? "CPU" : "GPU");
        if (weights != null) {
            fields.put(WEIGHTS, weights.name().toLowerCase(Locale.ROOT));
        }
        prompt.describe(fields);
        if (edit != null) {
            edit.describe(fields);
        }
        guides.describe(fields);
        if (pictures.size() > 1) {
            fields.put("Pictures", pictures.size());
        }
        return fields;
    }

    /** Whether more is to be said. */
    boolean isVerbose() {
        return mixee != null && mixee.root().userObject() instanceof Main main && main.isVerbose();
    }

    boolean given(String option) {
        return mixee != null && GivenOptions.has(mixee, option);
    }

    /** Throws if one of the options was given, which the run would pass over. */
    void refuse(Collection<String> unused, String why) {
        if (mixee != null) {
            GivenOptions.refuse(mixee, unused, why);
        }
    }

    /** The size of the pictures of a model that follows no text. */
    int size(LoadedModel loaded) {
        int own = loaded.pictureSize();
        if (size == null && own == 0) {
            throw new Main.UsageException(
                    "--size: expected a size, because the model's config.json has no sample_size");
        }
        return size == null ? own : size;
    }

    /** Where the pictures go; after {@link #check}. */
    Path out() {
        return java.util.Objects.requireNonNull(out);
    }
}
