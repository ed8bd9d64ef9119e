package diffusion.metrics;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.data.Dataset;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.io.Picture;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.jspecify.annotations.Nullable;

/** Compares generated pictures with a data set in the feature space of a classifier. */
public final class Evaluation {
    private static final int NEIGHBOURS = 3;
    private static final int SHOWN = 10;

    private final FeatureExtractor extractor;
    private final Dataset train;
    private final Dataset test;
    private final @Nullable InceptionFeatures inception;

    /**
     * Compares with the training and test part of a data set.
     *
     * @param inception the features to compare, or null for those of the classifier
     */
    public Evaluation(FeatureExtractor extractor, Dataset train, Dataset test, @Nullable InceptionFeatures inception) {
        Classifier.Config config = extractor.config();
        if (config.channels() != test.channels()
                || config.size() != test.height()
                || config.size() != test.width()
                || config.classes() != test.classNames().size()) {
            throw new DiffusionException("the classifier was trained on pictures of " + config.channels() + " x "
                    + config.size() + " x " + config.size() + " in " + config.classes() + " classes, found "
                    + test.channels() + " x " + test.height() + " x " + test.width() + " in "
                    + test.classNames().size() + "; train one for this data set with --retrain --classifier DIR");
        }
        this.extractor = extractor;
        this.train = train;
        this.test = test;
        this.inception = inception;
    }

    /** The share of the whole test set whose class is recognised. */
    public double accuracy() {
        FeatureExtractor.Features features = extractor.of(pictures(test, first(test.size())));
        int right = 0;
        for (int i = 0; i < test.size(); i++) {
            right += features.classes()[i] == test.label(i) ? 1 : 0;
        }
        return (double) right / test.size();
    }

    /** The share of samples that is recognised as what it was made for, and their Frechet distance as a ratio. */
    public record Quality(double recognised, double frechetRatio) {}

    /**
     * The short form of {@link #compare}.
     *
     * @param samples in [-1, 1], each [C, H, W]
     * @param labels the class each was made for
     */
    public Quality quality(List<float[]> samples, int[] labels) {
        FeatureExtractor.Features features = extractor.of(samples);
        int right = 0;
        for (int i = 0; i < labels.length; i++) {
            right += features.classes()[i] == labels[i] ? 1 : 0;
        }
        int n = samples.size();
        double[][] testFeatures =
                extractor.of(pictures(test, spread(test.size(), n))).values();
        double[][] trainFeatures =
                extractor.of(pictures(train, spread(train.size(), n))).values();
        return new Quality(
                (double) right / n,
                FrechetDistance.between(features.values(), testFeatures)
                        / FrechetDistance.between(trainFeatures, testFeatures));
    }

    /**
     * Measures samples and adds pictures to a page.
     *
     * @param samples in [-1, 1], each [C, H, W]
     * @param labels the class each was made for; -1 for an unconditional model
     */
    public ObjectNode compare(List<float[]> samples, int[] labels, HtmlReport report) {
        int n = samples.size();
        ObjectNode result = Json.object();
        FeatureExtractor.Features features = extractor.of(samples);
        result.put("samples", n);
        if (labels[0] >= 0) {
            recognised(samples, labels, features, result, report);
        }
        List<float[]> testPictures = pictures(test, spread(test.size(), n));
        List<float[]> trainPictures = pictures(train, spread(train.size(), n));
        double[][] sampleFeatures = inception == null ? features.values() : features(samples);
        double[][] testFeatures = features(testPictures);
        double[][] trainFeatures = features(trainPictures);
        result.put("features_of", inception == null ? "the classifier" : inception.name());
        double distance = FrechetDistance.between(sampleFeatures, testFeatures);
        double floor = FrechetDistance.between(trainFeatures, testFeatures);
        result.put("frechet_distance", round(distance));
        result.put("frechet_floor_train_test", round(floor));
        result.put("frechet_ratio", round(distance / floor));
        result.put("precision", round(Neighbours.inside(sampleFeatures, testFeatures, NEIGHBOURS)));
        result.put("recall", round(Neighbours.inside(testFeatures, sampleFeatures, NEIGHBOURS)));
        result.put("precision_of_training_set", round(Neighbours.inside(trainFeatures, testFeatures, NEIGHBOURS)));
        result.put("diversity", round(Neighbours.meanPairwise(sampleFeatures)));
        result.put("diversity_of_test_set", round(Neighbours.meanPairwise(testFeatures)));
        memorisation(samples, testPictures, result, report);
        return result;
    }

    private double[][] features(List<float[]> pictures) {
        return inception == null
                ? extractor.of(pictures).values()
                : inception.of(pictures.stream().map(this::picture).toList());
    }

    private void recognised(
            List<float[]> samples,
            int[] labels,
            FeatureExtractor.Features features,
            ObjectNode result,
            HtmlReport report) {
        int[] made = new int[test.classNames().size()];
        int[] right = new int[made.length];
        List<Picture> wrong = new ArrayList<>();
        List<String> captions = new ArrayList<>();
        int total = 0;
        for (int i = 0; i < labels.length; i++) {
            made[labels[i]]++;
            if (features.classes()[i] == labels[i]) {
                right[labels[i]]++;
                total++;
            } else if (wrong.size() < 2 * SHOWN) {
                wrong.add(picture(samples.get(i)));
                captions.add(test.classNames().get(labels[i]) + " as "
                        + test.classNames().get(features.classes()[i]));
            }
        }
        result.put("recognised", round((double) total / labels.length));
        ObjectNode perClass = result.putObject("recognised_per_class");
        for (int k = 0; k < made.length; k++) {
            if (made[k] > 0) {
                perClass.put(test.classNames().get(k), round((double) right[k] / made[k]));
            }
        }
        report.table("Share recognised, by class", perClass);
        List<Picture> shown = new ArrayList<>();
        for (int k = 0; k < made.length; k++) {
            int found = 0;
            for (int i = 0; i < labels.length && found < SHOWN; i++) {
                if (labels[i] == k) {
                    shown.add(picture(samples.get(i)));
                    found++;
                }
            }
        }
        report.pictures("Samples, a class a row", shown, List.of(), SHOWN);
        report.pictures("Not recognised", wrong, captions, SHOWN);
    }

    /** How near samples come to training pictures, beside how near test pictures come to them. */
    private void memorisation(List<float[]> samples, List<float[]> testPictures, ObjectNode result, HtmlReport report) {
        int few = Math.min(200, Math.min(samples.size(), testPictures.size()));
        List<float[]> all = pictures(train, first(train.size()));
        List<float[]> some = samples.subList(0, few);
        int[] nearest = Neighbours.nearest(some, all);
        int[] nearestToTest = Neighbours.nearest(testPictures.subList(0, few), all);
        double sum = 0;
        double testSum = 0;
        double smallest = Double.POSITIVE_INFINITY;
        List<Picture> neighbours = new ArrayList<>();
        List<Picture> shown = new ArrayList<>();
        for (int i = 0; i < few; i++) {
            double distance = Neighbours.rootMeanSquare(some.get(i), all.get(nearest[i]));
            sum += distance;
            smallest = Math.min(smallest, distance);
            testSum += Neighbours.rootMeanSquare(testPictures.get(i), all.get(nearestToTest[i]));
            if (i < SHOWN) {
                shown.add(picture(some.get(i)));
                neighbours.add(picture(all.get(nearest[i])));
            }
        }
        result.put("nearest_training_picture_rms", round(sum / few));
        result.put("nearest_training_picture_rms_smallest", round(smallest));
        result.put("nearest_training_picture_rms_of_test_set", round(testSum / few));
        report.pictures(
                "Samples, each beside the nearest training picture",
                HtmlReport.interleave(shown, neighbours),
                List.of(),
                SHOWN);
    }

    private Picture picture(float[] values) {
        return Picture.fromModel(values, 0, test.channels(), test.height(), test.width());
    }

    private static List<float[]> pictures(Dataset data, int[] indices) {
        List<float[]> pictures = new ArrayList<>();
        for (int index : indices) {
            float[] picture = new float[data.elements()];
            data.read(index, picture);
            pictures.add(picture);
        }
        return pictures;
    }

    private static int[] first(int n) {
        int[] indices = new int[n];
        for (int i = 0; i < n; i++) {
            indices[i] = i;
        }
        return indices;
    }

    /** {@code n} different indices below {@code size}, always the same. */
    private static int[] spread(int size, int n) {
        int[] order = first(size);
        Random random = new Random(1);
        int count = Math.min(n, size);
        for (int i = 0; i < count; i++) {
            int j = i + random.nextInt(size - i);
            int swap = order[i];
            order[i] = order[j];
            order[j] = swap;
        }
        return java.util.Arrays.copyOf(order, count);
    }

    /** A figure as reports show it: four decimals. */
    public static double round(double value) {
        return Math.round(value * 1e4) / 1e4;
    }
}
