package diffusion.train;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.graph.TrainOp.Distance;
import diffusion.graph.TrainOp.Loss;
import diffusion.io.DiffusionException;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.SsimGraph;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.PredictionType;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/**
 * Terms of the loss that compare what the model takes the clean pictures to be, x0, with the clean pictures: 1 - SSIM (Wang et
 * al. 2004; Zhao et al. 2017) and the mean squared difference of a classifier's features (Johnson et al. 2016).
 *
 * <p>Sample n counts alphaBar_t, its share of signal: x0 of an almost pure noise is a guess, and of a model of noise its error
 * grows as 1 / sqrt(alphaBar).
 */
final class PictureTerms {
    private final TrainConfig config;
    private final @Nullable Path folder;
    private final @Nullable Classifier classifier;
    private @Nullable Tensor mix; // [N, 2]: x0 of x_t and the model's output
    private @Nullable Tensor signal; // [N]
    /** The terms without their weights, each [1], by the name that a log gives them. */
    final Map<String, Tensor> values = new LinkedHashMap<>();

    /**
     * With the features of a network.
     *
     * @param folder where the network's weights are; null if the caller writes them
     */
    PictureTerms(TrainConfig config, @Nullable Classifier classifier, @Nullable Path folder) {
        this.config = config;
        this.classifier = config.featuresWeight() > 0 ? classifier : null;
        this.folder = folder;
    }

    /** The terms that a configuration asks for, with its classifier. */
    static PictureTerms of(TrainConfig config, int channels) {
        if (config.featuresWeight() == 0) {
            return new PictureTerms(config, null, null);
        }
        boolean builtIn = config.featuresClassifier().isEmpty();
        Path folder = builtIn ? LoadedModel.builtInClassifier(channels) : Path.of(config.featuresClassifier());
        Classifier classifier = FeatureExtractor.open(folder);
        Classifier.Config found = classifier.config();
        int size = config.size();
        if (found.size() != size || found.channels() != channels) {
            throw new DiffusionException(
                    "features_weight: expected a classifier of pictures of %d x %d x %d, found one of %d x %d x %d in %s; train one with evaluate --retrain and name it with --features-classifier"
                            .formatted(
                                    channels,
                                    size,
                                    size,
                                    found.channels(),
                                    found.size(),
                                    found.size(),
                                    builtIn ? "the jar" : folder));
        }
        return new PictureTerms(config, classifier, folder);
    }

    /**
     * Adds the terms to a loss.
     *
     * @param noisy x_t [N, C, H, W]
     * @param prediction what the model answers, [N, C, H, W]
     * @param total [1]
     * @return [1]
     */
    Tensor append(Graph g, Tensor noisy, Tensor prediction, Tensor clean, Tensor total) {
        if (!config.comparesPictures()) {
            return total;
        }
        int batch = clean.dim(0);
        Tensor share = g.input("signal", batch);
        Tensor denoising = g.input("x0_mix", batch, 2);
        signal = share;
        mix = denoising;
        Tensor x0 = g.linearCombination(List.of(noisy, prediction), denoising);
        Tensor sum = total;
        if (config.ssimWeight() > 0) {
            Tensor similarity = SsimGraph.map(g, x0, clean); // at most 1, so |1 - SSIM| is 1 - SSIM
            Tensor term = distance(g, similarity, g.fill(1, similarity.shape()), share, Distance.L1);
            values.put("ssim_loss", g.output(term));
            sum = g.add(sum, term, 1, (float) config.ssimWeight());
        }
        if (classifier != null) {
            Tensor wanted = classifier.apply(g, clean).features(); // [N, F]
            Tensor found = classifier.apply(g, x0).features();
            Tensor term = distance(g, found, wanted, share, Distance.L2);
            values.put("features_loss", g.output(term));
            sum = g.add(sum, term, 1, (float) config.featuresWeight());
        }
        return sum;
    }

    private static Tensor distance(Graph g, Tensor x, Tensor target, Tensor weight, Distance distance) {
        Tensor term = g.activation("term", 1);
        g.append(new Loss(x, target, weight, term, distance, 0));
        return term;
    }

    /** Writes the classifier's weights. */
    void load(Program program) {
        if (classifier != null && folder != null) {
            FeatureExtractor.load(classifier, folder, program);
        }
    }

    /** Writes what the timesteps of a micro-batch decide. */
    void write(Program program, NoiseSchedule schedule, PredictionType type, long... timesteps) {
        if (mix == null || signal == null) {
            return;
        }
        float[] shares = new float[timesteps.length];
        float[] pairs = new float[2 * timesteps.length];
        for (int n = 0; n < timesteps.length; n++) {
            NoiseSchedule.Mix level = schedule.addNoise((int) timesteps[n]);
            shares[n] = level.sample() * level.sample();
            if (shares[n] > 0) { // else nothing is known, and nothing counted
                pairs[2 * n] = (float) type.sampleFactor(level.sample());
                pairs[2 * n + 1] = (float) type.outputFactor(level.sample(), level.noise());
            }
        }
        program.write(signal, shares);
        program.write(mix, pairs);
    }

    /** The names that the terms of a configuration will have. */
    static String[] names(TrainConfig config) {
        String[] names = {config.ssimWeight() > 0 ? "ssim_loss" : "", config.featuresWeight() > 0 ? "features_loss" : ""
        };
        return Arrays.stream(names).filter(name -> !name.isEmpty()).toArray(String[]::new);
    }
}
