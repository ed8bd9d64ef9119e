package diffusion.train;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.data.Augmentation;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Optimizer;
import diffusion.io.Json;
import diffusion.io.JsonFields;
import diffusion.metrics.ImageSimilarity;
import java.util.Locale;

/**
 * Everything that decides the result of a training run, apart from the data; one JSON file.
 *
 * @param model the config.json of the model
 * @param scheduler the scheduler_config.json of the forward process
 * @param size pictures become squares of this many pixels
 * @param accumulation micro-batches that are summed up for one step
 * @param cosine whether the learning rate falls to 0 along a cosine after the warm-up, or stays
 * @param maxNorm largest norm of the gradient; 0 for no clipping
 * @param emaDecay largest decay of the moving average of the weights
 * @param emaPower the decay of step s is at most 1 - (1 + s)^-power; 0 for diffusers' ramp (1 + s) / (10 + s)
 * @param delta where the Huber loss turns linear
 * @param minSnrGamma caps the weight of easy timesteps (Hang et al. 2023); 0 for none
 * @param vlbWeight weight of the variational bound's term for learned variances; 0 for none
 * @param ssimWeight weight of 1 - SSIM of the denoised pictures; see {@link PictureTerms}; 0 for none
 * @param featuresWeight weight of the distance of their features; 0 for none
 * @param featuresClassifier folder of the classifier whose features these are; empty for the built-in one
 * @param half whether the model is written as fp16
 * @param classDropout share of samples trained without their class, for classifier-free guidance
 */
public record TrainConfig(
        JsonNode model,
        JsonNode scheduler,
        int size,
        int steps,
        int batchSize,
        int accumulation,
        long seed,
        Optimizer optimizer,
        double learningRate,
        double beta1,
        double beta2,
        double eps,
        double weightDecay,
        int warmupSteps,
        boolean cosine,
        double maxNorm,
        double emaDecay,
        double emaPower,
        Distance loss,
        double delta,
        double minSnrGamma,
        double vlbWeight,
        double ssimWeight,
        double featuresWeight,
        String featuresClassifier,
        boolean half,
        double classDropout,
        Augmentation augmentation) {

    /** Reads a configuration; unknown keys and impossible values are errors that name them. */
    public static TrainConfig read(JsonNode json, String source) {
        JsonFields f = new JsonFields(json, source);
        f.ignore("model");
        f.ignore("scheduler");
        f.ignore("augmentation");
        for (String part : new String[] {"model", "scheduler"}) {
            if (!json.path(part).isObject()) {
                throw f.wrong(
                        part, "an object (a diffusers config)", json.path(part).toString());
            }
        }
        Optimizer optimizer =
                Optimizer.valueOf(f.choice("optimizer", "adamw", "adam", "adamw", "rmsprop", "sgd", "sgd_nesterov")
                        .toUpperCase(Locale.ROOT));
        boolean adam = optimizer == Optimizer.ADAM || optimizer == Optimizer.ADAMW;
        TrainConfig config = new TrainConfig(
                json.path("model"),
                json.path("scheduler"),
                f.integer("size", 32),
                f.integer("steps", 1000),
                f.integer("batch_size", 64),
                f.integer("accumulation", 1),
                f.integer("seed", 0),
                optimizer,
                f.number("learning_rate", 1e-3),
                f.number("beta1", adam ? 0.9 : 0),
                f.number("beta2", optimizer == Optimizer.RMSPROP ? 0.99 : 0.999),
                f.number("eps", 1e-8),
                f.number("weight_decay", optimizer == Optimizer.ADAMW ? 0.01 : 0),
                f.integer("warmup_steps", 0),
                f.choice("lr_schedule", "constant", "constant", "cosine").equals("cosine"),
                f.number("max_norm", 1),
                f.number("ema_decay", 0.9999),
                f.number("ema_power", 2.0 / 3),
                Distance.valueOf(f.choice("loss", "l2", "l2", "l1", "huber").toUpperCase(Locale.ROOT)),
                f.number("huber_delta", 1),
                f.number("min_snr_gamma", 0),
                f.number("vlb_weight", 0),
                f.number("ssim_weight", 0),
                f.number("features_weight", 0),
                f.text("features_classifier", ""),
                f.flag("half", false),
                f.number("class_dropout", 0),
                augmentation(json.path("augmentation"), source));
        f.requireNoOthers();
        config.check(f);
        return config;
    }

    private static Augmentation augmentation(JsonNode json, String source) {
        if (json.isMissingNode() || json.isNull()) {
            return Augmentation.NONE;
        }
        JsonFields f = new JsonFields(json, source + ", augmentation");
        Augmentation augmentation = new Augmentation(
                f.integer("crop_padding", 0),
                f.flag("flip", false),
                f.number("rotation", 0),
                f.number("translation", 0),
                f.number("brightness", 0),
                f.number("contrast", 0),
                f.number("saturation", 0));
        f.requireNoOthers();
        return augmentation;
    }

    private void check(JsonFields f) {
        if (steps < 1 || batchSize < 1 || accumulation < 1 || size < 1 || warmupSteps < 0) {
            throw f.wrong(
                    "steps, batch_size, accumulation, size, warmup_steps",
                    "positive numbers",
                    "%d, %d, %d, %d, %d".formatted(steps, batchSize, accumulation, size, warmupSteps));
        }
        if (!(learningRate > 0)) {
            throw f.wrong("learning_rate", "a positive number", String.valueOf(learningRate));
        }
        if (!(ssimWeight >= 0 && featuresWeight >= 0)) {
            throw f.wrong("ssim_weight, features_weight", "0 or more", "%s, %s".formatted(ssimWeight, featuresWeight));
        }
        if (ssimWeight > 0 && size < ImageSimilarity.SSIM_SIDE) {
            throw f.wrong(
                    "ssim_weight",
                    "0 for pictures of less than " + ImageSimilarity.SSIM_SIDE + " pixels a side",
                    ssimWeight + " for a size of " + size);
        }
        if (!(classDropout >= 0 && classDropout < 1)) {
            throw f.wrong("class_dropout", "a share below 1", String.valueOf(classDropout));
        }
    }

    /** Whether the loss has terms that compare denoised pictures. */
    boolean comparesPictures() {
        return ssimWeight > 0 || featuresWeight > 0;
    }

    /** The configuration as JSON, complete with defaults. */
    public ObjectNode toJson() {
        ObjectNode json = Json.object();
        json.set("model", model);
        json.set("scheduler", scheduler);
        json.put("size", size);
        json.put("steps", steps);
        json.put("batch_size", batchSize);
        json.put("accumulation", accumulation);
        json.put("seed", seed);
        json.put("optimizer", optimizer.name().toLowerCase(Locale.ROOT));
        json.put("learning_rate", learningRate);
        json.put("beta1", beta1);
        json.put("beta2", beta2);
        json.put("eps", eps);
        json.put("weight_decay", weightDecay);
        json.put("warmup_steps", warmupSteps);
        json.put("lr_schedule", cosine ? "cosine" : "constant");
        json.put("max_norm", maxNorm);
        json.put("ema_decay", emaDecay);
        json.put("ema_power", emaPower);
        json.put("loss", loss.name().toLowerCase(Locale.ROOT));
        json.put("huber_delta", delta);
        json.put("min_snr_gamma", minSnrGamma);
        json.put("vlb_weight", vlbWeight);
        json.put("ssim_weight", ssimWeight);
        json.put("features_weight", featuresWeight);
        json.put("features_classifier", featuresClassifier);
        json.put("half", half);
        json.put("class_dropout", classDropout);
        ObjectNode augment = json.putObject("augmentation");
        augment.put("crop_padding", augmentation.cropPadding());
        augment.put("flip", augmentation.flip());
        augment.put("rotation", augmentation.rotation());
        augment.put("translation", augmentation.translation());
        augment.put("brightness", augmentation.brightness());
        augment.put("contrast", augmentation.contrast());
        augment.put("saturation", augmentation.saturation());
        return json;
    }

    /** The learning rate of a step, counted from 0: linear warm-up, then constant or half a cosine. */
    public double learningRate(long step) {
        if (step < warmupSteps) {
            return learningRate * step / Math.max(1, warmupSteps);
        }
        if (!cosine) {
            return learningRate;
        }
        double progress = (double) (step - warmupSteps) / Math.max(1, steps - warmupSteps);
        return learningRate * Math.max(0, 0.5 * (1 + Math.cos(Math.PI * progress)));
    }

    /** The decay of the moving average after {@code updates} steps, counted from 1; as diffusers' EMAModel. */
    public double emaDecay(long updates) {
        long step = Math.max(0, updates - 1);
        if (step <= 0) {
            return 0;
        }
        double decay = emaPower > 0 ? 1 - Math.pow(1 + step, -emaPower) : (1.0 + step) / (10 + step);
        return Math.max(0, Math.min(decay, emaDecay));
    }
}
