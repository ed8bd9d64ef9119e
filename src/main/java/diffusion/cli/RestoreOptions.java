package diffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.pipeline.LoadedModel;
import diffusion.restore.Pictures;
import diffusion.restore.PixelPrior;
import diffusion.restore.PosteriorSampler;
import diffusion.scheduler.RandomSource;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** What {@code denoise} and {@code upscale} have in common: one picture in, one out, a pixel-space model between. */
final class RestoreOptions {
    /** Options of samples. */
    static final List<String> OF_SAMPLES = List.of("--steps", "--repeats", "--average", "--seed");

    @Option(
            names = "--model",
            description =
                    "Built-in name or model folder; its pictures should be of the same kind (default: digits for a"
                            + " grey picture, cifar10 for one in colour).")
    private @Nullable String model;

    @Option(
            names = "--input",
            required = true,
            paramLabel = "FILE",
            description = "PNG or JPEG, grey or colour, any size.")
    @SuppressWarnings("NullAway.Init")
    private Path input;

    @Option(
            names = "--out",
            paramLabel = "FILE.png",
            description = "Where to write it (default: denoised.png or upscaled.png).")
    private @Nullable Path out;

    @Option(names = "--show", paramLabel = "FILE.png", description = "Also write a figure of before and after.")
    private @Nullable Path show;

    @Option(
            names = "--steps",
            defaultValue = "40",
            description = "Levels of noise of a sample (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(
            names = "--repeats",
            defaultValue = "4",
            description = "Model calls at each of them, for samples that hang together (default: ${DEFAULT-VALUE}).")
    private int repeats;

    @Option(
            names = "--average",
            defaultValue = "1",
            paramLabel = "N",
            description = "Mean of N samples: nearer in pixels, less sharp (default: ${DEFAULT-VALUE}).")
    private int average;

    @Option(names = "--seed", defaultValue = "0", description = "Seed of the sample (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--batch",
            defaultValue = "16",
            description = "Squares computed together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private BackendOptions backend;

    @Option(names = "--json", description = "Print one JSON object instead of a line.")
    private boolean json;

    @Spec(Spec.Target.MIXEE)
    @SuppressWarnings("NullAway.Init")
    private CommandSpec mixee;

    private @Nullable Picture picture;

    /** Restores the picture and may note what it did. */
    @FunctionalInterface
    interface Method {
        /** The restored picture of {@code y}. */
        Pictures apply(PixelPrior prior, Pictures y, ObjectNode notes);
    }

    /** How a command samples. */
    PosteriorSampler sampler() {
        return new PosteriorSampler(steps, repeats);
    }

    /** Model calls for every square of a picture that a command samples. */
    long callsOfSample() {
        return (long) steps * repeats * average;
    }

    /** The model: a built-in name, or the folder of one or of a repository that was pulled. */
    String model() {
        if (model == null) {
            model = LoadedModel.builtIn(picture().channels());
        }
        model = PullCommand.resolve(model);
        return model;
    }

    Path input() {
        return input;
    }

    /** The picture, read once. */
    private Picture picture() {
        if (picture == null) {
            picture = Images.read(input, 0);
        }
        return picture;
    }

    @Nullable
    Path show() {
        return show;
    }

    /** The same run, as the commands for models that follow a text are told it. */
    SamplingOptions sampling() {
        SamplingOptions sampling = new SamplingOptions();
        sampling.model = model();
        sampling.out = out;
        sampling.steps = steps;
        sampling.seed = seed;
        sampling.rng = RandomSource.Kind.TORCH;
        sampling.batch = batch;
        sampling.backend = backend;
        sampling.json = json;
        return sampling;
    }

    /** Throws if one of the options was given, which the run would pass over. */
    void refuse(List<String> unused, String why) {
        GivenOptions.refuse(mixee, unused, why);
    }

    int average() {
        return average;
    }

    long seed() {
        return seed;
    }

    /**
     * Runs a method on the picture.
     *
     * @param calls of the method for every square of its result
     * @param scale how much larger the result is than the picture
     */
    int run(String name, int scale, long calls, Method method) {
        long start = System.nanoTime();
        check();
        Path target = out != null ? out : Path.of(name + "d.png");
        Targets.requirePicture("--out", target);
        Targets.requirePicture("--show", show);
        Picture given = picture();
        Backends.Choice choice = backend.choose();
        LoadedModel loaded = LoadedModel.open(model());
        Pictures y = Pictures.of(List.of(given));
        ObjectNode notes = Json.object();
        notes.put("file", target.toString());
        notes.put("width", y.width() * scale);
        notes.put("height", y.height() * scale);
        Picture restored;
        System.err.println(choice);
        try (Interrupt interrupt = new Interrupt();
                ProgressBar bar = Progress.bar(name, 1);
                PixelPrior prior = new PixelPrior(loaded, choice.backend(), batch, interrupt, bar::stepBy)) {
            bar.maxHint(calls * prior.calls(1, y.channels(), y.height() * scale, y.width() * scale));
            restored = method.apply(prior, y, notes).toPictures().getFirst();
        } catch (CancellationException e) {
            return 130;
        }
        notes.put("model", loaded.name());
        notes.put("seed", seed);
        notes.put("backend", choice.backend().name());
        Images.writePng(target, restored, Map.of("parameters", name + ": " + notes));
        if (show != null) {
            Images.writePng(show, figure(given, restored), Map.of());
            notes.put("figure", show.toString());
        }
        notes.put("seconds", Math.round((System.nanoTime() - start) * 1e-6) / 1000.0);
        System.out.println(json ? Json.pretty(notes) : line(notes));
        return 0;
    }

    private void check() {
        requirePositive("--steps", steps);
        requirePositive("--repeats", repeats);
        requirePositive("--average", average);
        requirePositive("--batch", batch);
    }

    private static void requirePositive(String option, int value) {
        if (value < 1) {
            throw new Main.UsageException(option + ": expected at least 1, found " + value);
        }
    }

    /** Both pictures side by side, the first with its pixels enlarged to the size of the second. */
    private static java.awt.image.BufferedImage figure(Picture before, Picture after) {
        Picture large = Pictures.of(List.of(before))
                .repeat(after.height() / before.height())
                .toPictures()
                .getFirst();
        return Grid.compose(List.of(large, after), List.of("before", "after"), 2);
    }

    private static String line(ObjectNode notes) {
        List<String> parts = new ArrayList<>();
        notes.properties().forEach(entry -> {
            if (!entry.getKey().equals("file")) {
                parts.add(entry.getKey().replace('_', ' ') + " "
                        + entry.getValue().asText());
            }
        });
        return notes.path("file").asText() + ": " + String.join(", ", parts);
    }
}
