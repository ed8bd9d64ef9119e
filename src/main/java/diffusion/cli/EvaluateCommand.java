package diffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.data.Dataset;
import diffusion.data.Datasets;
import diffusion.data.Split;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.metrics.ClassifierTrainer;
import diffusion.metrics.Evaluation;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.FolderComparison;
import diffusion.metrics.InceptionFeatures;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.Saving;
import diffusion.report.Restoration;
import diffusion.report.SamplerComparison;
import diffusion.restore.PixelPrior;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Option;
import picocli.CommandLine.Spec;

/** {@code diffusion evaluate}. */
@Command(
        description = "Measures a model's samples against a data set, or one folder of pictures against another.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class EvaluateCommand implements Callable<Integer> {
    /** Options of what is asked of a model. */
    private static final List<String> OF_MODELS =
            List.of("--model", "--data", "--retrain", "--epochs", "--count", "--seed", "--batch");

    /** Options of one way to make pictures; restoration has steps too. */
    private static final List<String> OF_SAMPLING = List.of(
            "--scheduler", "--cache", "--parallel", "--adaptive", "--corrector", "--stop", "--jumps", "--metropolis");

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
            description =
                    "Classifier folder (default: the built-in one, of digits for grey pictures, of CIFAR-10 for colour).")
    private @Nullable Path classifier;

    @Option(
            names = "--inception",
            paramLabel = "FILE",
            description =
                    "Compare sets of pictures by features of pytorch-fid's InceptionV3, for FID and KID: its weights as"
                            + " safetensors, which you bring (default: the classifier's features).")
    private @Nullable Path inception;

    @Option(names = "--retrain", description = "Train the classifier anew and write it to --classifier.")
    private boolean retrain;

    @Option(names = "--epochs", defaultValue = "4", description = "Epochs of --retrain (default: ${DEFAULT-VALUE}).")
    private int epochs;

    @Option(
            names = {"-n", "--count"},
            paramLabel = "N",
            description = "Pictures to make (default: 1000), or with --restoration to spoil (200).")
    private @Nullable Integer count;

    @Option(names = "--steps", description = "Steps (default: 50; with --restoration 40).")
    private @Nullable Integer steps;

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
    private SavingOptions saving;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private BackendOptions backend;

    @Option(
            names = "--compare",
            split = ",",
            paramLabel = "SAMPLER",
            description =
                    "Compare samplers over --calls instead, such as ddim,unipc,ddim+cache=3,adaptive=0.05; all for all"
                            + " that suit the model.")
    private List<String> compared = List.of();

    @Option(
            names = "--calls",
            split = ",",
            paramLabel = "N",
            defaultValue = "5,10,20",
            description = "Model calls a picture for --compare (default: ${DEFAULT-VALUE}).")
    private List<Integer> calls = List.of();

    @Option(
            names = "--restoration",
            description = "Measure how well the model cleans, completes and enlarges spoilt test pictures.")
    private boolean restoration;

    @Option(names = "--reference", paramLabel = "DIR", description = "Pictures to compare --samples with.")
    private @Nullable Path reference;

    @Option(
            names = {"--samples", "--pictures"},
            paramLabel = "DIR",
            description = "Pictures to compare with --reference: those of the same name as pairs, all of them as a"
                    + " distribution; folders are classes.")
    private @Nullable Path pictures;

    @Option(names = "--report", paramLabel = "FILE.html", description = "Also write a page with pictures.")
    private @Nullable Path report;

    @Spec
    @SuppressWarnings("NullAway.Init")
    private CommandSpec spec;

    @Override
    public Integer call() {
        refuseUnused();
        Targets.requireFile(report);
        try (Interrupt interrupt = new Interrupt()) {
            boolean folders = reference != null || pictures != null;
            HtmlReport page = new HtmlReport(
                    folders
                            ? "Comparison of " + pictures + " with " + reference
                            : (restoration ? "Restoration with " : "Evaluation of ") + model);
            ObjectNode result = folders ? compareFolders(interrupt, page) : evaluate(interrupt, page);
            page.table("Figures", result);
            if (report == null) {
                System.out.println(Json.pretty(result));
            } else {
                System.out.println(Json.pretty(result.deepCopy().put("report", report.toString())));
                Reports.write(report, page, result);
            }
            return 0;
        } catch (CancellationException e) {
            return 130;
        }
    }

    /** Throws if an option was given that the kind of run does not look at. */
    private void refuseUnused() {
        if (reference != null || pictures != null) {
            String why = "expected no --reference and --samples beside it, which measure pictures that are there";
            GivenOptions.refuse(spec, OF_MODELS, why);
            GivenOptions.refuse(spec, OF_SAMPLING, why);
            GivenOptions.refuse(spec, List.of("--steps", "--guidance", "--compare", "--calls", "--restoration"), why);
        } else if (restoration) {
            String why = "expected no --restoration beside it, which cleans pictures in its own way";
            GivenOptions.refuse(spec, OF_SAMPLING, why);
            GivenOptions.refuse(spec, List.of("--guidance", "--compare", "--calls"), why);
        } else if (!compared.isEmpty()) {
            String why = "expected no --compare beside it, whose entries and --calls say how pictures are made";
            GivenOptions.refuse(spec, OF_SAMPLING, why);
            GivenOptions.refuse(spec, List.of("--steps"), why);
        } else {
            GivenOptions.refuse(spec, List.of("--calls"), "expected --compare with it, found none");
        }
        if (!retrain) {
            GivenOptions.refuse(spec, List.of("--epochs"), "expected --retrain with it, found none");
        }
    }

    private ObjectNode evaluate(Interrupt interrupt, HtmlReport page) {
        if (data == null) {
            throw new Main.UsageException("--data: expected a data set to compare with, such as a folder of MNIST's"
                    + " IDX files, or --reference and --samples");
        }
        if (retrain) {
            ClassifierTrainer.requireReplaceable(retrained());
        }
        int samples = count != null ? count : restoration ? 200 : 1000;
        if (samples < 2) {
            throw new Main.UsageException("--count: expected at least 2, found " + samples);
        }
        Backends.Choice choice = backend.choose();
        Backend chosen = choice.backend();
        LoadedModel loaded = LoadedModel.open(model);
        List<SamplerComparison.Entry> samplers = SamplerComparison.entries(loaded, compared);
        for (int budget : calls) {
            if (budget < 1) {
                throw new Main.UsageException("--calls: expected at least 1, found " + budget);
            }
        }
        int size = loaded.pictureSize();
        int channels = loaded.model().inChannels();
        Dataset train = Datasets.open(data, Split.TRAIN, size, channels);
        Dataset test = Datasets.open(data, Split.TEST, size, channels);
        if (inception != null && (restoration || !samplers.isEmpty())) {
            throw new Main.UsageException("--inception: expected neither --compare nor --restoration beside it");
        }
        try (Progress.Later bar = new Progress.Later("features", 3L * samples);
                InceptionFeatures features = inception(chosen, interrupt, bar);
                FeatureExtractor extractor = new FeatureExtractor(classifier(train, chosen, interrupt), chosen)) {
            Evaluation evaluation = new Evaluation(extractor, train, test, features);
            System.err.println(choice);
            if (restoration) {
                return restore(loaded, chosen, interrupt, extractor, test, samples, page);
            }
            if (!samplers.isEmpty()) {
                return compareSamplers(loaded, samplers, chosen, interrupt, evaluation, samples, page);
            }
            Scheduler sampler = loaded.scheduler(scheduler);
            Saving how = saving.chosen(scheduler != null);
            SamplerComparison.Run run = sample(loaded, sampler, steps(), how, chosen, interrupt, samples);
            ObjectNode result = Json.object();
            result.put("model", loaded.name());
            result.put("scheduler", sampler.config().className());
            result.put("steps", steps());
            result.put("guidance", guidance != null ? guidance : loaded.guidance());
            result.put("seed", seed);
            if (how != null) {
                result.put("saving", how.toString());
            }
            result.put("calls", Evaluation.round(run.effort().calls()));
            result.put("classifier_accuracy", evaluation.accuracy());
            result.setAll(evaluation.compare(run.samples(), run.labels(), page));
            return result;
        }
    }

    private @Nullable InceptionFeatures inception(Backend chosen, Interrupt interrupt, Progress.Later bar) {
        return inception == null ? null : new InceptionFeatures(inception, chosen, interrupt, bar);
    }

    private Path classifier(Dataset train, Backend chosen, Interrupt interrupt) {
        if (!retrain) {
            return classifier != null ? classifier : LoadedModel.builtInClassifier(train.channels());
        }
        Path folder = retrained();
        try (ProgressBar bar = Progress.bar("classifier", ClassifierTrainer.steps(train, epochs))) {
            if (!ClassifierTrainer.train(train, epochs, 0, chosen, folder, interrupt, bar::stepTo)) {
                throw new CancellationException("stopped");
            }
        }
        return folder;
    }

    private Path retrained() {
        if (classifier == null) {
            throw new Main.UsageException("--retrain: expected --classifier DIR, the folder to write");
        }
        return classifier;
    }

    private int steps() {
        return steps != null ? steps : restoration ? 40 : 50;
    }

    private ObjectNode restore(
            LoadedModel loaded,
            Backend chosen,
            Interrupt interrupt,
            FeatureExtractor extractor,
            Dataset test,
            int samples,
            HtmlReport page) {
        ObjectNode result = Json.object();
        result.put("model", loaded.name());
        int spoilt = Math.min(samples, test.size());
        try (ProgressBar bar = Progress.bar("restore", Restoration.work(spoilt, steps()));
                PixelPrior prior = new PixelPrior(loaded, chosen, batch, interrupt, bar::stepBy)) {
            result.setAll(
                    new Restoration(prior, extractor, test, spoilt, steps(), seed, bar::setExtraMessage).run(page));
        }
        return result;
    }

    private SamplerComparison.Run sample(
            LoadedModel loaded,
            Scheduler sampler,
            int number,
            @Nullable Saving how,
            Backend chosen,
            Interrupt interrupt,
            int samples) {
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
                number,
                guidance != null ? guidance : loaded.guidance(),
                loaded.pictureSize(),
                wanted,
                how);
        List<float[]> made = new ArrayList<>();
        try (ImageGenerator generator = new ImageGenerator(loaded, sampler, chosen, request);
                ProgressBar bar = Progress.bar("sample", generator.work())) {
            long start = System.nanoTime();
            generator.run(
                    interrupt,
                    step -> bar.stepBy(step.pictures()),
                    picture -> made.add(picture.picture().toModel()));
            return new SamplerComparison.Run(made, labels, generator.effort(), (System.nanoTime() - start) * 1e-9);
        }
    }

    private ObjectNode compareSamplers(
            LoadedModel loaded,
            List<SamplerComparison.Entry> samplers,
            Backend chosen,
            Interrupt interrupt,
            Evaluation evaluation,
            int samples,
            HtmlReport page) {
        ObjectNode result = Json.object();
        result.put("model", loaded.name());
        result.put("samples", samples);
        result.put("guidance", guidance != null ? guidance : loaded.guidance());
        result.put("seed", seed);
        result.put("backend", chosen.name() + " (" + chosen.description() + ")");
        new SamplerComparison(
                        loaded,
                        evaluation,
                        (sampler, number, how) -> sample(loaded, sampler, number, how, chosen, interrupt, samples))
                .run(samplers, calls, result, page);
        return result;
    }

    private ObjectNode compareFolders(Interrupt interrupt, HtmlReport page) {
        if (reference == null || pictures == null) {
            throw new Main.UsageException("expected both --reference and --samples");
        }
        FolderComparison comparison = new FolderComparison(reference, pictures);
        Path folder = classifier != null ? classifier : LoadedModel.builtInClassifier(comparison.channels());
        Backend chosen = backend.choose().backend();
        try (FeatureExtractor extractor = new FeatureExtractor(folder, chosen);
                Progress.Later bar = new Progress.Later("features", comparison.size());
                InceptionFeatures features = inception(chosen, interrupt, bar)) {
            boolean fits = comparison.fits(extractor.config());
            if (classifier != null && !fits) {
                throw new DiffusionException("--classifier: expected one for pictures of these sizes, found one for "
                        + extractor.config().channels() + " x "
                        + extractor.config().size() + " x "
                        + extractor.config().size());
            }
            return comparison.compare(
                    fits ? extractor : null,
                    classifier != null
                            ? "the classifier " + classifier
                            : "the built-in " + LoadedModel.classifierName(comparison.channels()),
                    features,
                    page);
        }
    }
}
