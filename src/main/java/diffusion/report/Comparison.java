package diffusion.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Backend;
import diffusion.graph.Graph;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.metrics.ImageSimilarity;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.train.TrainConfig;
import diffusion.train.Trainer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * One model on two backends: every op and tensor of a denoising step, a whole picture and, if wanted, training.
 *
 * @param standard the backend taken as right
 * @param other the backend compared with it
 * @param graphs the first denoising step; with training also the loss with its gradients and the update of the weights
 * @param psnr peak signal-to-noise ratio of the pictures in dB; infinite if they are equal
 * @param losses of the training steps, a pair each; empty without training
 */
public record Comparison(
        String model,
        String standard,
        String other,
        List<GraphComparison> graphs,
        Picture expected,
        Picture actual,
        double psnr,
        List<Losses> losses) {
    /** The least PSNR of two pictures that count as the same, in dB. */
    public static final double MIN_PSNR = 60;

    /** The largest relative difference of the losses of a training step. */
    public static final double LOSS_TOLERANCE = 1e-4;

    private static final int TRAINING_STEPS = 10;

    /** The loss of one training step on both backends. */
    public record Losses(double expected, double actual) {
        /** The difference over the standard's loss. */
        public double relative() {
            return Math.abs(actual - expected) / Math.abs(expected);
        }
    }

    /**
     * What to compare.
     *
     * @param steps denoising steps of the picture
     * @param train whether training is compared as well
     */
    public record Request(LoadedModel model, Scheduler scheduler, int steps, int size, long seed, boolean train) {}

    /** Whether everything is within its bounds. */
    public boolean agrees() {
        return psnr >= MIN_PSNR
                && graphs.stream().allMatch(graph -> graph.firstBeyond().isEmpty())
                && losses.stream().allMatch(loss -> loss.relative() <= LOSS_TOLERANCE);
    }

    /** Compares two backends; {@code progress} is told what is being done. */
    public static Comparison of(
            Backend standard, Backend other, Request request, BooleanSupplier cancelled, Consumer<String> progress) {
        Recorder recorder = new Recorder();
        Backend recorded = new ObservedBackend(standard, recorder);
        progress.accept("a picture on " + standard.name());
        Picture expected = picture(recorded, request, cancelled);
        progress.accept("a picture on " + other.name());
        Picture actual = picture(other, request, cancelled);
        List<Losses> losses = new ArrayList<>();
        if (request.train) {
            progress.accept(TRAINING_STEPS + " training steps on both");
            List<Double> first = train(recorded, request);
            List<Double> second = train(other, request);
            for (int i = 0; i < TRAINING_STEPS; i++) {
                losses.add(new Losses(first.get(i), second.get(i)));
            }
        }
        List<GraphComparison> graphs = new ArrayList<>();
        recorder.inputs().forEach((graph, inputs) -> {
            progress.accept("the " + graph.ops().size() + " ops of \"" + graph.name() + "\" on both");
            graphs.add(GraphComparison.of(graph, inputs, standard, other));
        });
        return new Comparison(
                request.model.name(),
                standard.name(),
                other.name(),
                graphs,
                expected,
                actual,
                ImageSimilarity.psnr(expected.toUnit(), actual.toUnit()),
                losses);
    }

    private static Picture picture(Backend backend, Request request, BooleanSupplier cancelled) {
        List<Picture> made = new ArrayList<>();
        ImageGenerator.Request wanted = new ImageGenerator.Request(
                1,
                request.seed,
                RandomSource.Kind.TORCH,
                request.steps,
                request.model.guidance(),
                request.size,
                List.of(request.model.realClasses() == 0 ? -1 : 0));
        try (ImageGenerator generator = new ImageGenerator(request.model, request.scheduler, backend, wanted)) {
            generator.run(cancelled, _ -> {}, picture -> made.add(picture.picture()));
        }
        return made.getFirst();
    }

    private static List<Double> train(Backend backend, Request request) {
        ObjectNode options = Json.object();
        options.set("model", request.model.model().config());
        options.set("scheduler", Json.object().put("_class_name", "DDPMScheduler"));
        options.put("size", request.size).put("steps", TRAINING_STEPS).put("batch_size", 4);
        int classes = Math.max(1, request.model.realClasses());
        RandomPictures data = new RandomPictures(
                4 * TRAINING_STEPS, request.model.model().inChannels(), request.size, request.size, classes);
        List<Double> losses = new ArrayList<>();
        try (Trainer trainer =
                new Trainer(TrainConfig.read(options, "comparison"), data, backend, _ -> List.<Graph>of())) {
            for (int i = 0; i < TRAINING_STEPS; i++) {
                losses.add(trainer.advance().loss());
            }
        }
        return losses;
    }

    /** Where the comparison first leaves its bounds; null if nowhere. */
    public @Nullable String firstBeyond() {
        for (GraphComparison graph : graphs) {
            var row = graph.firstBeyond();
            if (row.isPresent()) {
                return "%s, op %d (%s), %s"
                        .formatted(
                                graph.graph(),
                                row.get().index(),
                                row.get().op(),
                                row.get().tensor());
            }
        }
        for (int i = 0; i < losses.size(); i++) {
            if (losses.get(i).relative() > LOSS_TOLERANCE) {
                return "training, loss of step " + i;
            }
        }
        return psnr < MIN_PSNR ? "the picture" : null;
    }
}
