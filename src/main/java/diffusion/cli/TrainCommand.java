package diffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.data.Dataset;
import diffusion.data.Datasets;
import diffusion.data.Split;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.train.Checkpoint;
import diffusion.train.TrainConfig;
import diffusion.train.Trainer;
import diffusion.train.TrainingRun;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion train}. */
@Command(description = "Trains a model from a configuration and a data set.", mixinStandardHelpOptions = true)
final class TrainCommand implements Callable<Integer> {
    @Option(names = "--config", paramLabel = "FILE", description = "Training configuration (JSON); see configs/.")
    private @Nullable Path config;

    @Option(
            names = "--data",
            required = true,
            paramLabel = "PATH",
            description = "MNIST IDX files, CIFAR-10 batches, a folder of class folders, or a zip of one.")
    @SuppressWarnings("NullAway.Init")
    private Path data;

    @Option(names = "--out", required = true, paramLabel = "DIR", description = "Folder of the run.")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(names = "--resume", description = "Go on from the folder's checkpoint, with its configuration.")
    private boolean resume;

    @Option(names = "--steps", paramLabel = "N", description = "Steps, instead of the configuration's.")
    private @Nullable Integer steps;

    @Option(names = "--seed", paramLabel = "N", description = "Seed, instead of the configuration's.")
    private @Nullable Integer seed;

    @Option(names = "--save-every", paramLabel = "N", defaultValue = "500", description = "Steps between checkpoints.")
    private int saveEvery;

    @Option(
            names = "--sample-every",
            paramLabel = "N",
            defaultValue = "1000",
            description = "Steps between sample grids; 0 for none.")
    private int sampleEvery;

    @Option(
            names = "--ssim-weight",
            paramLabel = "W",
            description = "Weight of 1 - SSIM of the denoised pictures in the loss, instead of the configuration's.")
    private @Nullable Double ssimWeight;

    @Option(
            names = "--features-weight",
            paramLabel = "W",
            description = "Weight of the distance of a classifier's features of them, instead of the configuration's.")
    private @Nullable Double featuresWeight;

    @Option(
            names = "--features-classifier",
            paramLabel = "DIR",
            description = "That classifier, as evaluate --retrain writes it (default: the built-in one).")
    private @Nullable Path featuresClassifier;

    @Option(names = "--half", description = "Store the weights of model/ as fp16; kept by --resume.")
    private boolean half;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private BackendOptions backend;

    @Override
    public Integer call() {
        Backends.Choice choice = backend.choose();
        Backend chosen = choice.backend();
        TrainConfig settings = settings();
        Dataset dataset = Datasets.open(
                data,
                Split.TRAIN,
                settings.size(),
                settings.model().path("in_channels").asInt(0));
        TrainingRun.Intervals intervals = new TrainingRun.Intervals(saveEvery, sampleEvery, 10);
        try (Interrupt interrupt = new Interrupt();
                TrainingRun run = new TrainingRun(settings, dataset, chosen, out, intervals, resume)) {
            System.err.printf(Locale.ROOT, "training on %d pictures of %s, %s%n", dataset.size(), data, choice);
            boolean complete;
            try (ProgressBar bar = Progress.bar("train", settings.steps())) {
                bar.stepTo(run.step());
                complete = run.run(interrupt, report -> show(bar, report));
            }
            System.err.println((complete ? "finished" : "stopped") + " after " + run.step() + " steps; model in "
                    + out.resolve("model") + (complete ? "" : ", go on with --resume"));
            return complete ? 0 : 130;
        }
    }

    private static void show(ProgressBar bar, Trainer.Report report) {
        bar.step();
        bar.setExtraMessage(String.format(Locale.ROOT, "loss %.4f", report.loss()));
    }

    private TrainConfig settings() {
        Path checkpoint = TrainingRun.checkpoint(out);
        boolean exists = Files.isDirectory(out) && Checkpoint.exists(checkpoint);
        if (resume && !exists) {
            throw new DiffusionException(
                    "--resume: expected a checkpoint in " + checkpoint + ", found none; start a run without --resume");
        }
        if (!resume && exists) {
            throw new DiffusionException(
                    "--out: " + out + " already holds a run; go on with --resume or choose another folder");
        }
        if (resume && config != null) {
            throw new Main.UsageException(
                    "--config and --resume: expected one of them; a resumed run keeps its own" + " configuration");
        }
        if (!resume && config == null) {
            throw new Main.UsageException("expected --config FILE or --resume");
        }
        ObjectNode json;
        String source;
        if (resume) {
            json = (ObjectNode) Checkpoint.config(checkpoint).deepCopy();
            source = checkpoint.toString();
        } else {
            Path file = java.util.Objects.requireNonNull(config);
            if (!(Json.read(file) instanceof ObjectNode object)) {
                throw new DiffusionException(file + ": expected a JSON object; see configs/");
            }
            json = object;
            source = file.toString();
        }
        if (steps != null) {
            json.put("steps", steps);
        }
        if (seed != null) {
            json.put("seed", seed);
        }
        if (ssimWeight != null) {
            json.put("ssim_weight", ssimWeight);
        }
        if (featuresWeight != null) {
            json.put("features_weight", featuresWeight);
        }
        if (featuresClassifier != null) {
            json.put("features_classifier", featuresClassifier.toAbsolutePath().toString());
        }
        if (half) {
            json.put("half", true);
        }
        return TrainConfig.read(json, source);
    }
}
