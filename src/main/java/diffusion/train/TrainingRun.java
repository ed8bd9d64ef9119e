package diffusion.train;

import diffusion.backend.Backend;
import diffusion.data.Dataset;
import diffusion.graph.Graph;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.model.DenoisingModel;
import diffusion.model.ModelFolder;
import diffusion.pipeline.SamplingLoop;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TorchRandom;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * A training run and its folder: checkpoint/, log.csv, loss.png, samples-*.png, and model/ with the averaged weights.
 */
public final class TrainingRun implements AutoCloseable {
    private static final int SAMPLES = 16;
    private static final int SAMPLE_STEPS = 25;

    /**
     * How often things are written, in steps.
     *
     * @param saveEvery checkpoints; the last step always writes one
     * @param sampleEvery grids of samples; 0 for none
     * @param logEvery lines of the log
     */
    public record Intervals(int saveEvery, int sampleEvery, int logEvery) {}

    private final Path folder;
    private final Intervals intervals;
    private final Dataset data;
    private final Trainer trainer;
    private final TrainLog log;
    private @Nullable SamplingLoop sampling;

    /** Prepares a run; goes on from the folder's checkpoint if {@code resume}. */
    public TrainingRun(
            TrainConfig config, Dataset data, Backend backend, Path folder, Intervals intervals, boolean resume) {
        this.folder = folder;
        this.intervals = intervals;
        this.data = data;
        try {
            Files.createDirectories(folder);
            AtomicFiles.requireWritable(folder.resolve("log.csv"));
            // before the first save these folders cannot be this run's
            AtomicFiles.requireWritableFolder(checkpoint(folder), resume ? Checkpoint.FILES : Set.of());
            AtomicFiles.requireWritableFolder(model(folder), resume ? ModelFolder.FILES : Set.of());
        } catch (IOException e) {
            throw new DiffusionException(
                    "cannot create folder " + folder + ": " + e.getMessage() + "; choose another with --out", e);
        }
        trainer = new Trainer(config, data, backend, average -> sampleGraphs(config, average));
        if (resume) {
            Checkpoint.restore(checkpoint(folder), trainer);
        }
        log = new TrainLog(folder, trainer.step(), PictureTerms.names(config));
    }

    /** Where a run keeps its state. */
    public static Path checkpoint(Path folder) {
        return folder.resolve("checkpoint");
    }

    private static Path model(Path folder) {
        return folder.resolve("model");
    }

    private List<Graph> sampleGraphs(TrainConfig config, DenoisingModel average) {
        if (intervals.sampleEvery == 0) {
            return List.of();
        }
        Scheduler scheduler = SchedulerFactory.byName("ddim", SchedulerConfig.of(config.scheduler(), "scheduler"));
        scheduler.setTimesteps(Math.min(SAMPLE_STEPS, scheduler.noise().length()));
        sampling = new SamplingLoop(average, scheduler, SAMPLES, config.size(), config.size(), false, 0);
        return List.of(sampling.graph());
    }

    /** Steps done so far. */
    public long step() {
        return trainer.step();
    }

    /**
     * Trains to the last step, or until {@code cancelled}; either way a checkpoint and the model are written.
     *
     * @return whether the last step was reached
     */
    public boolean run(BooleanSupplier cancelled, Consumer<Trainer.Report> progress) {
        int steps = trainer.config().steps();
        while (trainer.step() < steps && !cancelled.getAsBoolean()) {
            Trainer.Report report = trainer.advance();
            progress.accept(report);
            if (report.step() % intervals.logEvery == 0 || report.step() == steps) {
                log.add(report);
            }
            if (intervals.saveEvery > 0 && report.step() % intervals.saveEvery == 0) {
                save();
            }
            if (sampling != null && report.step() % intervals.sampleEvery == 0) {
                sample(sampling, report.step());
            }
        }
        save();
        return trainer.step() >= steps;
    }

    private void save() {
        log.flush();
        Checkpoint.write(checkpoint(folder), trainer);
        ModelFolder.write(
                model(folder),
                trainer.average(),
                "DDPMPipeline",
                trainer.scheduler().config().toJson(),
                labels(),
                trainer.program()::read,
                trainer.config().half() ? DType.F16 : DType.F32);
    }

    /** What our own pipelines read from model_index.json besides diffusers' keys. */
    private com.fasterxml.jackson.databind.node.ObjectNode labels() {
        var extra = Json.object();
        if (trainer.average().classes() > 0) {
            data.classNames().forEach(extra.putArray("_class_names")::add);
            if (trainer.nullClass() >= 0) {
                extra.put("_null_class", trainer.nullClass());
            }
        }
        return extra;
    }

    private void sample(SamplingLoop loop, long step) {
        List<TorchRandom> generators = new ArrayList<>();
        int[] classes = new int[SAMPLES];
        for (int i = 0; i < SAMPLES; i++) {
            generators.add(new TorchRandom(i));
            classes[i] = i % Math.max(1, data.classNames().size());
        }
        float[] values = loop.run(trainer.program(), generators, classes, 1, () -> false, (_, _, _, _) -> {});
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < SAMPLES; i++) {
            int offset = i * data.elements();
            pictures.add(Picture.fromModel(values, offset, data.channels(), data.height(), data.width()));
        }
        Images.writePng(
                folder.resolve("samples-%06d.png".formatted(step)),
                Grid.compose(pictures, List.of()),
                Map.of("step", Long.toString(step)));
    }

    @Override
    public void close() {
        trainer.close();
    }
}
