package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.restore.Pictures;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion cascade}: {@code sample}, then {@code upscale} for every further model (Ho et al. 2022, CDM). */
@Command(
        description =
                "Makes pictures in stages: small ones by the first model, which every further model enlarges, a model of"
                        + " pixels to its own size, an upscaler that follows a text by its own factor. Each stage has a folder.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class CascadeCommand implements Callable<Integer> {
    @Option(
            names = "--model",
            required = true,
            paramLabel = "MODEL",
            description = "At least two: built-in names, folders or pulled repositories, the smallest pictures first.")
    private List<String> models = new ArrayList<>();

    @Option(names = "--class", paramLabel = "CLASS", description = "Class for the first model; repeatable.")
    private List<String> classes = new ArrayList<>();

    @Option(names = "--prompt", paramLabel = "TEXT", description = "What models that follow a text are told.")
    private @Nullable String prompt;

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "Number of pictures (default: one a class given, else 1).")
    private @Nullable Integer count;

    @Option(names = "--size", paramLabel = "N", description = "Size of the first model's pictures (default: its own).")
    private @Nullable Integer size;

    @Option(names = "--guidance", paramLabel = "G", description = "Guidance scale of the first model.")
    private @Nullable Double guidance;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "50",
            description = "Steps of every stage (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(
            names = "--seed",
            paramLabel = "N",
            defaultValue = "0",
            description = "Seed of the first picture; the next has the next (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--backend", paramLabel = "NAME", description = "As for sample.")
    private @Nullable String backend;

    @Option(
            names = "--out",
            paramLabel = "DIR",
            defaultValue = "cascade",
            description = "Folder for the folders stage-1, stage-2, ... (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(names = "--show", paramLabel = "FILE.png", description = "Also write a figure, a row a stage.")
    private @Nullable Path show;

    @Override
    public Integer call() {
        if (models.size() < 2) {
            throw new Main.UsageException(
                    "--model: expected at least two, the smallest pictures first, found " + String.join(", ", models));
        }
        Targets.requirePicture("--show", show);
        int[] sizes = sizes();
        List<List<Path>> stages = new ArrayList<>();
        for (int i = 0; i < models.size(); i++) {
            requireEmpty(folder(i));
        }
        try {
            Files.createDirectories(out);
            for (int i = 1; i < models.size(); i++) {
                Files.createDirectories(folder(i));
            }
        } catch (IOException e) {
            throw new DiffusionException("--out: cannot create folders in " + out + ": " + e.getMessage(), e);
        }
        int status = sample();
        for (int i = 1; status == 0 && i < models.size(); i++) {
            stages.add(files(folder(i - 1)));
            for (int k = 0; status == 0 && k < stages.getLast().size(); k++) {
                status = enlarge(i, stages.getLast().get(k), sizes[i] / sizes[i - 1], seed + k);
            }
        }
        if (status == 0 && show != null) {
            stages.add(files(folder(models.size() - 1)));
            draw(stages, show);
        }
        return status;
    }

    private Path folder(int stage) {
        return out.resolve("stage-" + (stage + 1));
    }

    /** The sides of every stage's pictures. */
    private int[] sizes() {
        int[] sizes = new int[models.size()];
        for (int i = 0; i < sizes.length; i++) {
            String name = PullCommand.resolve(models.get(i));
            boolean text = TextSampling.matches(name);
            StableDiffusionComponents parts = text ? StableDiffusionComponents.open(name, Path.of(name)) : null;
            int own = parts != null ? parts.size() : LoadedModel.open(name).pictureSize();
            if (i == 0) {
                sizes[0] = size != null ? size : own;
                continue;
            }
            int before = sizes[i - 1];
            sizes[i] = parts != null ? before * parts.factor() : own;
            if (before < 1 || sizes[i] < 2 * before || sizes[i] % before != 0) {
                throw new DiffusionException(
                        "--model: expected pictures 2 or more whole times as large as those of the stage"
                                + " before, " + before + "x" + before + ", found " + own + "x" + own + " of "
                                + models.get(i)
                                + "; --size changes the first");
            }
        }
        return sizes;
    }

    private int sample() {
        List<String> words = new ArrayList<>(
                List.of("--model", models.getFirst(), "--out", folder(0).toString()));
        classes.forEach(name -> add(words, "--class", name));
        boolean text = TextSampling.matches(PullCommand.resolve(models.getFirst()));
        add(words, "--prompt", text ? prompt : null);
        add(words, "--count", count != null ? count : classes.isEmpty() ? Integer.valueOf(1) : null);
        add(words, "--size", size);
        add(words, "--guidance", guidance);
        return run("sample", new SampleCommand(), words, seed);
    }

    private int enlarge(int stage, Path small, int factor, long of) {
        String name = PullCommand.resolve(models.get(stage));
        List<String> words = new ArrayList<>(List.of("--model", name, "--input", small.toString()));
        if (TextSampling.matches(name)) {
            add(words, "--prompt", prompt);
        } else {
            add(words, "--scale", factor);
        }
        add(words, "--out", folder(stage).resolve(small.getFileName()));
        return run("upscale", new UpscaleCommand(), words, of);
    }

    private int run(String name, Object command, List<String> words, long of) {
        add(words, "--steps", steps);
        add(words, "--seed", of);
        add(words, "--backend", backend);
        return new CommandLine(command)
                .setCommandName("diffusion " + name)
                .setParameterExceptionHandler((e, _) -> Main.usage(e))
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setExecutionExceptionHandler((e, _, _) -> {
                    throw e;
                })
                .execute(words.toArray(String[]::new));
    }

    private static void add(List<String> words, String option, @Nullable Object value) {
        if (value != null) {
            words.add(option);
            words.add(value.toString());
        }
    }

    private static void requireEmpty(Path folder) {
        if (Files.exists(folder) && !files(folder).isEmpty()) {
            throw new DiffusionException("--out: expected no pictures of another run, found some in " + folder
                    + "; give another folder or delete it");
        }
    }

    private static List<Path> files(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.toString().endsWith(".png"))
                    .sorted()
                    .toList();
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + folder + ": " + e.getMessage(), e);
        }
    }

    private static void draw(List<List<Path>> stages, Path figure) {
        List<Picture> last =
                stages.getLast().stream().map(file -> Images.read(file, 0)).toList();
        List<Picture> shown = new ArrayList<>();
        for (List<Path> stage : stages) {
            for (int i = 0; i < stage.size(); i++) {
                Picture picture = Images.read(stage.get(i), 0);
                shown.add(Pictures.of(List.of(picture))
                        .repeat(last.get(i).height() / picture.height())
                        .toPictures()
                        .getFirst());
            }
        }
        Images.writePng(figure, Grid.compose(shown, List.of(), last.size()), Map.of());
    }
}
