package diffusion.metrics;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.data.Augmentation;
import diffusion.data.BatchSampler;
import diffusion.data.Dataset;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.CrossEntropy;
import diffusion.graph.TrainOp.GlobalNorm;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.graph.TrainOp.OptimizerStep;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Models;
import diffusion.scheduler.TorchRandom;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

/** Trains a {@link Classifier} with AdamW on slightly moved pictures; the same seed gives the same weights. */
public final class ClassifierTrainer {
    private static final int BATCH = 128;
    private static final double LEARNING_RATE = 2e-3;
    private static final Augmentation AUGMENTATION = new Augmentation(2, false, 8, 0, 0, 0, 0);

    private static final String CONFIG = "config.json";
    private static final String WEIGHTS = "model.safetensors";
    private static final Set<String> FILES = Set.of(CONFIG, WEIGHTS);

    private ClassifierTrainer() {}

    /** Number of steps of a training over {@code epochs} epochs. */
    public static int steps(Dataset data, int epochs) {
        return data.size() / BATCH * epochs;
    }

    /**
     * Trains and writes a folder with config.json and model.safetensors (F16).
     *
     * @param progress told the number of steps done
     * @return false if cancelled, in which case nothing is written
     * @throws DiffusionException before the training if the folder holds anything but a classifier
     */
    public static boolean train(
            Dataset data,
            int epochs,
            long seed,
            Backend backend,
            Path folder,
            BooleanSupplier cancelled,
            IntConsumer progress) {
        requireReplaceable(folder);
        Classifier classifier = new Classifier(Classifier.Config.of(
                data.height(), data.channels(), data.classNames().size()));
        Graph loss = new Graph("classifier loss");
        Tensor x = loss.input("x", BATCH, data.channels(), data.height(), data.width());
        Tensor label = loss.input("label", BATCH);
        Tensor value = loss.output(loss.activation("loss", 1));
        loss.append(new CrossEntropy(classifier.apply(loss, x).logits(), label, value));
        Map<Tensor, Tensor> gradients =
                Gradients.append(loss, value, classifier.parameters().all());
        Tensor norm = loss.activation("norm", 1);
        loss.append(new GlobalNorm(new ArrayList<>(gradients.values()), norm));
        Tensor hyper = loss.input("hyper", OptimizerStep.HYPER_SIZE);
        gradients.forEach((parameter, gradient) -> loss.append(new OptimizerStep(
                parameter,
                gradient,
                loss.state("m." + parameter.name(), parameter.shape()),
                loss.state("v." + parameter.name(), parameter.shape()),
                norm,
                hyper,
                Optimizer.ADAMW)));
        try (Program program = backend.compile(List.of(loss))) {
            TorchRandom random = new TorchRandom(seed);
            Models.initialize(
                    classifier.parameters(), Models.RandomSource.of(random::uniform, random::normal), program::write);
            BatchSampler sampler = new BatchSampler(data.size(), BATCH, seed);
            int steps = steps(data, epochs);
            for (int step = 0; step < steps; step++) {
                if (cancelled.getAsBoolean()) {
                    return false;
                }
                writeBatch(program, x, label, data, sampler.next(), seed);
                program.write(hyper, hyper(step, steps));
                program.run(loss);
                progress.accept(step + 1);
            }
            write(folder, classifier, program);
        }
        return true;
    }

    /** Throws if a folder that {@link #train} is to write holds anything but a classifier, which would be lost. */
    public static void requireReplaceable(Path folder) {
        AtomicFiles.requireWritableFolder(folder, FILES);
        Path config = folder.resolve(CONFIG);
        if (Files.exists(config)) {
            // a text encoder, for one, has files of the same names
            String found = Json.read(config).path("_class_name").asText("none");
            if (!found.equals(Classifier.CLASS_NAME)) {
                throw new DiffusionException("cannot write folder " + folder + ": expected a new folder or one with a "
                        + Classifier.CLASS_NAME + ", found " + found + " in " + config + "; give another name");
            }
        }
    }

    private static void writeBatch(
            Program program, Tensor x, Tensor label, Dataset data, BatchSampler.Batch batch, long seed) {
        float[] pictures = new float[x.size()];
        float[] labels = new float[BATCH];
        for (int n = 0; n < BATCH; n++) {
            int index = batch.indices()[n];
            int offset = n * data.elements();
            data.read(index, pictures, offset);
            AUGMENTATION.apply(
                    pictures, offset, data.channels(), data.height(), data.width(), seed, batch.epoch(), index);
            labels[n] = data.label(index);
        }
        program.write(x, pictures);
        program.write(label, labels);
    }

    private static float[] hyper(int step, int steps) {
        float[] hyper = new float[OptimizerStep.HYPER_SIZE];
        double warm = Math.min(1, (step + 1) / 100.0);
        hyper[OptimizerStep.LR] = (float) (LEARNING_RATE * warm * 0.5 * (1 + Math.cos(Math.PI * step / steps)));
        hyper[OptimizerStep.BETA1] = 0.9f;
        hyper[OptimizerStep.BETA2] = 0.99f;
        hyper[OptimizerStep.EPS] = 1e-8f;
        hyper[OptimizerStep.DECAY] = 0.05f;
        hyper[OptimizerStep.CORRECTION1] = (float) (1 - Math.pow(0.9, step + 1));
        hyper[OptimizerStep.CORRECTION2] = (float) (1 - Math.pow(0.99, step + 1));
        hyper[OptimizerStep.GRAD_SCALE] = 1;
        hyper[OptimizerStep.MAX_NORM] = 1;
        return hyper;
    }

    private static void write(Path folder, Classifier classifier, Program program) {
        AtomicFiles.writeFolder(folder, FILES, target -> {
            Json.write(target.resolve(CONFIG), classifier.config().toJson());
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            for (Tensor parameter : classifier.parameters().all()) {
                tensors.put(parameter.name(), TensorData.of(parameter.shape(), program.read(parameter)));
            }
            SafeTensors.write(target.resolve(WEIGHTS), tensors, Map.of("format", "pt"), DType.F16);
        });
    }
}
