package diffusion.pipeline;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.model.Autoencoder;
import diffusion.model.DenoisingModel;
import diffusion.model.ModelFolder;
import diffusion.model.VQModel;
import diffusion.model.WeightSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * A model by the name a user gives, with what its folder says about sampling.
 *
 * @param name as given
 * @param schedulerConfig the model's own; null if the folder has none
 * @param classNames names by label; empty for an unconditional model
 * @param nullClass the label that stands for no class; -1 for none
 * @param guidance the guidance scale the model is meant to be used with
 * @param firstStage what makes pictures of the samples (diffusers' LDMPipeline); null where the samples are the pictures
 * @param weights what the U-Net's weights are rounded to; null for nothing
 */
public record LoadedModel(
        String name,
        ModelFolder folder,
        DenoisingModel model,
        @Nullable SchedulerConfig schedulerConfig,
        List<String> classNames,
        int nullClass,
        double guidance,
        @Nullable FirstStage firstStage,
        @Nullable WeightPrecision weights) {
    /** An autoencoder. */
    public record FirstStage(Autoencoder.Config config, WeightSource weights) {}

    private static final List<String> BUILT_IN = List.of("digits", "cifar10");
    private static final List<String> PIPELINE_FILES = List.of(
            "model_index.json",
            "scheduler/scheduler_config.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors");

    /** Names of the models inside the jar. */
    public static List<String> builtIn() {
        return BUILT_IN;
    }

    /** The name of that for pictures of so many channels: digits for grey, small photographs for colour. */
    public static String builtIn(int channels) {
        return channels == 1 ? "digits" : "cifar10";
    }

    /** The name of the classifier that goes with {@link #builtIn(int)}. */
    public static String classifierName(int channels) {
        return builtIn(channels) + "-classifier";
    }

    /** The folder of that classifier, which lives as long as the process. */
    public static Path builtInClassifier(int channels) {
        return extract(classifierName(channels), List.of("config.json", "model.safetensors"));
    }

    /** Finds a model: a built-in name, a folder, or a weights file beside its config.json. */
    public static LoadedModel open(String name) {
        if (BUILT_IN.contains(name)) {
            return open(name, extract(name, PIPELINE_FILES));
        }
        Path path = Path.of(name);
        if (!Files.exists(path)) {
            throw new DiffusionException("--model: expected " + String.join(", ", BUILT_IN)
                    + " (built in), the path of a model folder or a repository that was pulled, found nothing at \""
                    + name
                    + "\"");
        }
        if (Files.isRegularFile(path)) {
            if (!path.toString().endsWith(".safetensors")) {
                throw new DiffusionException("--model: expected a folder or a .safetensors file, found " + name
                        + "; pickled files (.bin, .pt, .ckpt) can run code and are not read, convert them first");
            }
            Path parent = path.toAbsolutePath().getParent();
            if (parent == null || !Files.exists(parent.resolve("config.json"))) {
                throw new DiffusionException(
                        "--model: expected config.json beside " + name + ", found none; give the model's folder");
            }
            Path above = parent.getParent();
            boolean unet = "unet".equals(String.valueOf(parent.getFileName()));
            return open(name, unet && above != null ? above : parent);
        }
        return open(name, path);
    }

    private static LoadedModel open(String name, Path path) {
        ModelFolder folder = ModelFolder.open(path);
        JsonNode index = folder.index();
        List<String> classes = new ArrayList<>();
        index.path("_class_names").forEach(node -> classes.add(node.asText()));
        JsonNode scheduler = folder.schedulerConfig();
        return new LoadedModel(
                name,
                folder,
                folder.model(),
                scheduler == null ? null : SchedulerConfig.of(scheduler, path + "/scheduler"),
                List.copyOf(classes),
                index.path("_null_class").asInt(-1),
                index.path("_guidance_scale").asDouble(1),
                index.has("vqvae") ? firstStage(path.resolve("vqvae"), folder.model()) : null,
                null);
    }

    /** The same with weights rounded while they are loaded, or as they are for null. */
    public LoadedModel withWeights(@Nullable WeightPrecision precision) {
        return new LoadedModel(
                name, folder, model, schedulerConfig, classNames, nullClass, guidance, firstStage, precision);
    }

    private static FirstStage firstStage(Path place, DenoisingModel unet) {
        Path json = place.resolve("config.json");
        Autoencoder.Config config = Autoencoder.Config.read(Json.read(json), json.toString());
        int channels = config instanceof VQModel.Config vq ? vq.vqEmbedDim() : config.latentChannels();
        if (channels != unet.inChannels()) {
            throw new DiffusionException(json + ": the autoencoder decodes latents of " + channels
                    + " channels, the U-Net makes " + unet.inChannels() + "; they are not of one model");
        }
        return new FirstStage(config, WeightSource.inFolder(place));
    }

    /** Pixels, down and across, of one element of a sample. */
    public int factor() {
        return firstStage == null ? 1 : firstStage.config.factor();
    }

    /** Channels of the pictures. */
    public int pictureChannels() {
        return firstStage == null ? model.inChannels() : firstStage.config.outChannels();
    }

    /** Height and width of the pictures it was trained on; 0 if its configuration does not say. */
    public int pictureSize() {
        return model.sampleSize() * factor();
    }

    /**
     * A sampler by name over the model's own noise schedule, or the model's own for null.
     *
     * @throws DiffusionException if it makes no pictures from noise
     */
    public Scheduler scheduler(@Nullable String schedulerName) {
        return SchedulerFactory.requireSampler(anyScheduler(schedulerName));
    }

    /** The same for those too that make no pictures from noise, such as RePaint's. */
    public Scheduler anyScheduler(@Nullable String schedulerName) {
        if (schedulerConfig == null) {
            return SchedulerFactory.byName(schedulerName == null ? "ddpm" : schedulerName);
        }
        return schedulerName == null
                ? SchedulerFactory.create(schedulerConfig)
                : SchedulerFactory.byName(schedulerName, schedulerConfig);
    }

    /** Reads the weights into a program. */
    public void load(WeightSource.Sink sink) {
        WeightAdjustment rounding = WeightPrecision.after(WeightAdjustment.NONE, weights);
        folder.weights()
                .load(
                        model.parameters(),
                        (tensor, values) -> sink.accept(tensor, rounding.apply("unet", tensor, values)));
    }

    /** Classes a picture can be of, without the one that stands for none; 0 for an unconditional model. */
    public int realClasses() {
        return classNames.isEmpty() ? model.classes() : classNames.size();
    }

    /** The label of a class given by name or number with --class; of "none" too, where the model knows it. */
    public int label(String given) {
        return label("--class", given);
    }

    /** The label of a class given by name or number with an option. */
    int label(String option, String given) {
        if (given.equals("none") && nullClass >= 0) {
            return nullClass;
        }
        int classes = realClasses();
        int named = classNames.indexOf(given);
        if (named >= 0) {
            return named;
        }
        if (classes == 0) {
            throw new DiffusionException(
                    option + ": the model " + name + " is unconditional; leave " + option + " out");
        }
        try {
            int label = Integer.parseInt(given);
            if (label >= 0 && label < classes) {
                return label;
            }
        } catch (NumberFormatException e) {
            // falls through to the message below
        }
        throw new DiffusionException(option + ": expected a number from 0 to " + (classes - 1)
                + (classNames.isEmpty() ? "" : " or one of " + String.join(", ", classNames)) + ", found \"" + given
                + "\"");
    }

    /** The name of a class. */
    public String className(int label) {
        return label == nullClass ? "none" : label < classNames.size() ? classNames.get(label) : String.valueOf(label);
    }

    /** Weights are memory-mapped, which needs files: a built-in folder is copied out of the jar for the run. */
    public static Path extract(String name, List<String> files) {
        try {
            Path folder = Files.createTempDirectory("diffusion-" + name + "-");
            Runtime.getRuntime().addShutdownHook(new Thread(() -> delete(folder)));
            for (String file : files) {
                Path target = folder.resolve(file);
                Path parent = target.getParent();
                if (parent != null) {
                    Files.createDirectories(parent);
                }
                try (InputStream in = LoadedModel.class.getResourceAsStream("/builtin/" + name + "/" + file)) {
                    if (in == null) {
                        throw new DiffusionException(
                                "the jar lacks /builtin/" + name + "/" + file + "; build it again with ./mvnw package");
                    }
                    Files.copy(in, target);
                }
            }
            return folder;
        } catch (IOException e) {
            throw new DiffusionException(
                    "cannot copy the built-in model to the temporary folder: " + e.getMessage()
                            + "; set -Djava.io.tmpdir",
                    e);
        }
    }

    private static void delete(Path folder) {
        try (Stream<Path> files = Files.walk(folder)) {
            for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
                Files.delete(file);
            }
        } catch (IOException e) {
            // a left-over in the temporary folder is the system's to clear
        }
    }
}
