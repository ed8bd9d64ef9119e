package diffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.data.Dataset;
import diffusion.data.Datasets;
import diffusion.data.Split;
import diffusion.io.AtomicFiles;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.metrics.ClassifierTrainer;
import diffusion.metrics.Evaluation;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.ImageSimilarity;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion evaluate}. */
@Command(
        name = "evaluate",
        description = "Measures a model's samples against a data set, or one folder of pictures against another.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class EvaluateCommand implements Callable<Integer> {
    @Option(
            names = "--model",
            defaultValue = "digits",
            description = "Built-in name or model folder (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private String model;

    @Option(names = "--data", paramLabel = "PATH", description = "Data set with a training and a test part.")
    private @Nullable Path data;

    @Option(
            names = "--classifier",
            paramLabel = "DIR",
            description = "Classifier folder (default: the built-in one for digits).")
    private @Nullable Path classifier;

    @Option(names = "--retrain", description = "Train the classifier anew and write it to --classifier.")
    private boolean retrain;

    @Option(names = "--epochs", defaultValue = "4", description = "Epochs of --retrain (default: ${DEFAULT-VALUE}).")
    private int epochs;

    @Option(
            names = {"-n", "--samples"},
            defaultValue = "1000",
            description = "Pictures to make (default: ${DEFAULT-VALUE}).")
    private int samples;

    @Option(names = "--steps", defaultValue = "50", description = "Steps (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--guidance", description = "Guidance scale (default: the model's own).")
    private @Nullable Double guidance;

    @Option(names = "--scheduler", description = "Sampler (default: the model's own).")
    private @Nullable String scheduler;

    @Option(
            names = "--seed",
            defaultValue = "0",
            description = "Seed of the first picture (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(
            names = "--batch",
            defaultValue = "50",
            description = "Pictures computed together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private BackendOptions backend;

    @Option(
            names = "--reference",
            paramLabel = "DIR",
            description = "Pictures to compare --pictures with, file by file.")
    private @Nullable Path reference;

    @Option(names = "--pictures", paramLabel = "DIR", description = "Pictures of the same names as in --reference.")
    private @Nullable Path pictures;

    @Option(names = "--report", paramLabel = "FILE.html", description = "Also write a page with pictures.")
    private @Nullable Path report;

    @Override
    public Integer call() {
        if (report != null) {
            AtomicFiles.requireWritable(report);
        }
        try (Interrupt interrupt = new Interrupt()) {
            HtmlReport page = new HtmlReport("Evaluation of " + (pictures == null ? model : pictures));
            ObjectNode result = reference != null || pictures != null ? comparePairs() : evaluate(interrupt, page);
            page.table("Figures", result);
            if (report != null) {
                page.write(report);
                result.put("report", report.toString());
            }
            System.out.println(Json.pretty(result));
            return 0;
        } catch (CancellationException e) {
            return 130;
        }
    }

    private ObjectNode evaluate(Interrupt interrupt, HtmlReport page) {
        if (data == null) {
            throw new Main.UsageException("--data: expected a data set to compare with, such as a folder of MNIST's"
                    + " IDX files, or --reference and --pictures");
        }
        if (samples < 2) {
            throw new Main.UsageException("--samples: expected at least 2, found " + samples);
        }
        Backends.Choice choice = backend.choose();
        Backend chosen = choice.backend();
        LoadedModel loaded = LoadedModel.open(model);
        int size = loaded.pictureSize();
        int channels = loaded.model().inChannels();
        Dataset train = Datasets.open(data, Split.TRAIN, size, channels);
        Dataset test = Datasets.open(data, Split.TEST, size, channels);
        try (FeatureExtractor extractor = new FeatureExtractor(classifier(train, chosen, interrupt), chosen)) {
            Evaluation evaluation = new Evaluation(extractor, train, test);
            System.err.println(choice);
            Scheduler sampler = loaded.scheduler(scheduler);
            List<float[]> made = new ArrayList<>();
            int[] labels = sample(loaded, sampler, chosen, interrupt, made);
            ObjectNode result = Json.object();
            result.put("model", loaded.name());
            result.put("scheduler", sampler.config().className());
            result.put("steps", steps);
            result.put("guidance", guidance != null ? guidance : loaded.guidance());
            result.put("seed", seed);
            result.put("classifier_accuracy", evaluation.accuracy());
            result.setAll(evaluation.compare(made, labels, page));
            return result;
        }
    }

    private Path classifier(Dataset train, Backend chosen, Interrupt interrupt) {
        if (!retrain) {
            return classifier != null
                    ? classifier
                    : LoadedModel.extract("digits-classifier", List.of("config.json", "model.safetensors"));
        }
        if (classifier == null) {
            throw new Main.UsageException("--retrain: expected --classifier DIR, the folder to write");
        }
        try (ProgressBar bar = Progress.bar("classifier", ClassifierTrainer.steps(train, epochs))) {
            if (!ClassifierTrainer.train(train, epochs, 0, chosen, classifier, interrupt, bar::stepTo)) {
                throw new CancellationException("stopped");
            }
        }
        return classifier;
    }

    private int[] sample(
            LoadedModel loaded, Scheduler sampler, Backend chosen, Interrupt interrupt, List<float[]> made) {
        int classes = loaded.realClasses();
        int[] labels = new int[samples];
        List<Integer> wanted = new ArrayList<>();
        for (int i = 0; i < samples; i++) {
            labels[i] = classes == 0 ? -1 : i % classes;
            wanted.add(labels[i]);
        }
        ImageGenerator.Request request = new ImageGenerator.Request(
                batch,
                seed,
                RandomSource.Kind.TORCH,
                steps,
                guidance != null ? guidance : loaded.guidance(),
                loaded.pictureSize(),
                wanted);
        try (ImageGenerator generator = new ImageGenerator(loaded, sampler, chosen, request);
                ProgressBar bar = Progress.bar("sample", generator.work())) {
            generator.run(
                    interrupt,
                    bar::stepBy,
                    picture -> made.add(picture.picture().toModel()));
        }
        return labels;
    }

    private ObjectNode comparePairs() {
        if (reference == null || pictures == null) {
            throw new Main.UsageException("expected both --reference and --pictures");
        }
        List<Path> files = list(pictures);
        double mse = 0;
        double ssim = 0;
        for (Path file : files) {
            Path other = reference.resolve(file.getFileName().toString());
            if (!Files.exists(other)) {
                throw new DiffusionException("--reference: expected a picture named " + file.getFileName() + " in "
                        + reference + ", found none");
            }
            Picture a = diffusion.io.Images.read(other, 0);
            Picture b = diffusion.io.Images.read(file, a.channels());
            if (a.height() != b.height() || a.width() != b.width()) {
                throw new DiffusionException(file + ": expected " + a.width() + " x " + a.height() + " as in "
                        + reference + ", found " + b.width() + " x " + b.height());
            }
            mse += ImageSimilarity.mse(a.toUnit(), b.toUnit()) / files.size();
            ssim += ImageSimilarity.ssim(a.toUnit(), b.toUnit(), a.channels(), a.height(), a.width()) / files.size();
        }
        ObjectNode result = Json.object();
        result.put("pictures", files.size());
        result.put("mse", mse);
        if (mse == 0) {
            result.put("psnr_db", "infinite");
        } else {
            result.put("psnr_db", -10 * Math.log10(mse));
        }
        result.put("ssim", ssim);
        return result;
    }

    private static List<Path> list(Path folder) {
        try (var files = Files.list(folder)) {
            List<Path> list = files.filter(file -> file.toString().matches("(?i).*\\.(png|jpe?g)"))
                    .sorted()
                    .toList();
            if (list.isEmpty()) {
                throw new DiffusionException("--pictures: expected PNG or JPEG files in " + folder + ", found none");
            }
            return list;
        } catch (java.io.IOException e) {
            throw new DiffusionException("--pictures: cannot read folder " + folder + "; give an existing folder", e);
        }
    }
}
