package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.io.AtomicFiles;
import diffusion.io.Gif;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code diffusion sample}. */
@Command(
        name = "sample",
        description = "Makes pictures; without options, 16 labelled digits in samples.png; of a text with --prompt.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class SampleCommand implements Callable<Integer> {
    private static final int FRAME_MILLIS = 60;
    private static final int LAST_FRAME_MILLIS = 2000;

    @Option(
            names = "--model",
            defaultValue = "digits",
            description = "Built-in name, or folder of a model or pipeline (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private String model;

    @Option(
            names = "--class",
            paramLabel = "CLASS",
            description = "Class by number or name; repeatable. Default: all in turn.")
    private List<String> classes = new ArrayList<>();

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "Number of pictures (default: 16, or one a class given).")
    private @Nullable Integer count;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "16",
            description = "Pictures computed together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Seed of the first picture; the next has the next (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--rng", defaultValue = "torch", description = "torch (as on a CPU) or cuda random numbers.")
    @SuppressWarnings("NullAway.Init")
    private RandomSource.Kind rng;

    @Option(names = "--scheduler", description = "Sampler, such as ddim or ddpm (default: the model's own).")
    private @Nullable String scheduler;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "50",
            description = "Steps (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(
            names = "--guidance",
            paramLabel = "G",
            description = "Guidance scale; 1 for none (default: the model's own).")
    private @Nullable Double guidance;

    @Option(names = "--size", paramLabel = "N", description = "Height and width (default: the model's own).")
    private @Nullable Integer size;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private PromptOptions prompt;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private BackendOptions backend;

    @Option(
            names = "--out",
            paramLabel = "PATH",
            defaultValue = "samples.png",
            description = "PNG file (several pictures: a grid) or a folder (a file each) (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(
            names = "--animate",
            paramLabel = "FILE.gif",
            description = "Also write the reverse process as an animation.")
    private @Nullable Path animate;

    @Option(
            names = "--from",
            paramLabel = "FILE.png",
            description =
                    "Make a picture again from what its file says (ours, AUTOMATIC1111's); other options override it.")
    private @Nullable Path from;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Option(names = "--json", description = "Print one JSON object instead of lines.")
    private boolean json;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        if (from != null) {
            take(PictureSettings.read(from));
        }
        check();
        model = PullCommand.resolve(model);
        if (TextSampling.matches(model)) {
            return sampleText(start);
        }
        prompt.requireUnused(model);
        LoadedModel loaded = LoadedModel.open(model);
        Scheduler sampler = loaded.scheduler(scheduler);
        Backends.Choice choice = backend.choose();
        Backend chosen = choice.backend();
        ImageGenerator.Request request = new ImageGenerator.Request(
                batch, seed, rng, steps, guidance != null ? guidance : loaded.guidance(), size(loaded), labels(loaded));
        List<Generated> pictures = new ArrayList<>();
        List<BufferedImage> frames = new ArrayList<>();
        try (Interrupt interrupt = new Interrupt()) {
            try (ImageGenerator generator = new ImageGenerator(loaded, sampler, chosen, request);
                    ProgressBar bar = bar(choice, generator)) {
                generator.run(interrupt, listener(bar, frames), pictures::add);
            } catch (CancellationException e) {
                return 130;
            }
            boolean named = loaded.model().classes() > 0;
            SampleFiles files = new SampleFiles(
                    out,
                    loaded.name(),
                    sampler.config().className(),
                    request.steps(),
                    request.guidance(),
                    rng,
                    chosen.name(),
                    "class",
                    made -> named ? loaded.className(made.label()) : null,
                    made -> text(loaded, sampler, request, made));
            files.write(pictures);
            if (animate != null) {
                Gif.write(animate, frames, FRAME_MILLIS, LAST_FRAME_MILLIS);
                files.add(animate, pictures);
            }
            files.report(json, (System.nanoTime() - start) * 1e-9);
        }
        return 0;
    }

    /** Takes over how a picture was made, but for what was given. */
    private void take(PictureSettings settings) {
        model = given("--model") ? model : settings.fields().getOrDefault("Model", model);
        Long madeSteps = settings.whole("Steps");
        steps = given("--steps") || madeSteps == null ? steps : (int) Math.min(madeSteps, Integer.MAX_VALUE);
        Long madeSeed = settings.whole("Seed");
        seed = given("--seed") || madeSeed == null ? seed : madeSeed;
        guidance = given("--guidance") ? guidance : settings.number("CFG scale");
        scheduler = given("--scheduler") ? scheduler : settings.sampler();
        if (TextSampling.matches(PullCommand.resolve(model))) {
            prompt.take(settings, size == null, !given("--clip-skip"));
        } else {
            if (classes.isEmpty() && !settings.prompt().isEmpty()) {
                classes.addAll(List.of(settings.prompt().split(", ", -1)));
            }
            Long pictures = settings.whole("Pictures");
            count = count != null || pictures == null ? count : (Integer) (int) Math.min(pictures, Integer.MAX_VALUE);
            size = size != null ? size : settings.height();
        }
        if (!given("--rng") && "GPU".equals(settings.fields().get("RNG"))) {
            rng = RandomSource.Kind.CUDA;
        }
    }

    private boolean given(String option) {
        return spec.commandLine().getParseResult().hasMatchedOption(option);
    }

    private int sampleText(long start) {
        if (!classes.isEmpty() || animate != null) {
            throw new Main.UsageException("--class and --animate are for models that follow classes; " + model
                    + " follows a text, give --prompt");
        }
        return new TextSampling(model, prompt, backend.choose())
                .run(scheduler, steps, guidance, size, count, batch, seed, rng, out, json, start);
    }

    private static ProgressBar bar(Backends.Choice choice, ImageGenerator generator) {
        System.err.println(choice);
        return Progress.bar("sample", generator.work());
    }

    private void check() {
        if (steps < 1) {
            throw new Main.UsageException("--steps: expected at least 1, found " + steps);
        }
        if (count != null && count < 1) {
            throw new Main.UsageException("--count: expected at least 1, found " + count);
        }
        if (batch < 1) {
            throw new Main.UsageException("--batch: expected at least 1, found " + batch);
        }
        AtomicFiles.requireWritable(out);
        if (animate != null) {
            AtomicFiles.requireWritable(animate);
        }
    }

    private int size(LoadedModel loaded) {
        int own = loaded.model().sampleSize();
        if (size == null && own == 0) {
            throw new Main.UsageException(
                    "--size: expected a size, because the model's config.json has no sample_size");
        }
        return size == null ? own : size;
    }

    /** One label a picture; -1 for an unconditional model. */
    private List<Integer> labels(LoadedModel loaded) {
        List<Integer> given = classes.stream().map(loaded::label).toList();
        int number = count != null ? count : given.isEmpty() ? 16 : given.size();
        int conditional = loaded.realClasses();
        List<Integer> labels = new ArrayList<>();
        for (int i = 0; i < number; i++) {
            int inTurn = conditional == 0 ? -1 : i % conditional;
            labels.add(given.isEmpty() ? inTurn : given.get(i % given.size()));
        }
        return labels;
    }

    private ImageGenerator.Listener listener(ProgressBar bar, List<BufferedImage> frames) {
        return new ImageGenerator.Listener() {
            @Override
            public void step(int pictures) {
                bar.stepBy(pictures);
            }

            @Override
            public boolean wantsFrames() {
                return animate != null;
            }

            @Override
            public void frame(List<Picture> pictures) {
                frames.add(Grid.compose(pictures, List.of()));
            }
        };
    }

    private static Map<String, String> text(
            LoadedModel loaded, Scheduler sampler, ImageGenerator.Request request, List<Generated> pictures) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("Steps", request.steps());
        fields.put("Sampler", sampler.config().className());
        fields.put("CFG scale", request.guidance());
        fields.put("Seed", pictures.getFirst().seed());
        fields.put("Size", request.size() + "x" + request.size());
        fields.put("Model", loaded.name());
        fields.put("RNG", request.rng() == RandomSource.Kind.TORCH ? "CPU" : "GPU");
        if (pictures.size() > 1) {
            fields.put("Pictures", pictures.size());
        }
        String prompt = loaded.model().classes() == 0
                ? ""
                : String.join(
                        ", ",
                        pictures.stream().map(p -> loaded.className(p.label())).toList());
        return Map.of("parameters", Images.parameters(prompt, null, fields));
    }
}
