package diffusion.metrics;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;

/**
 * Compares two folders of pictures: pair by pair where names are alike, and as distributions in the feature space of a
 * classifier or of InceptionV3. Folders in them are classes.
 */
public final class FolderComparison {
    private static final int SHOWN = 10;
    private static final int NEIGHBOURS = 3;

    private final Map<String, Picture> references;
    private final Map<String, Picture> samples;
    private final List<Pair> pairs = new ArrayList<>();

    /** Two pictures of one name, and where they stand in their folders. */
    private record Pair(String name, Picture reference, Picture sample, int referenceIndex, int sampleIndex) {}

    /** Reads all PNG and JPEG files of both folders and of their folders. */
    public FolderComparison(Path reference, Path samples) {
        references = read("--reference", reference);
        this.samples = read("--samples", samples);
        List<String> names = List.copyOf(references.keySet());
        int index = 0;
        for (Map.Entry<String, Picture> sample : this.samples.entrySet()) {
            String name = sample.getKey();
            Picture like = references.get(name);
            if (like != null) {
                Picture picture = sample.getValue().withChannels(like.channels());
                if (like.height() != picture.height() || like.width() != picture.width()) {
                    throw new DiffusionException(name + ": expected " + like.width() + " x " + like.height()
                            + " as in --reference, found " + picture.width() + " x " + picture.height());
                }
                pairs.add(new Pair(name, like, picture, names.indexOf(name), index));
            }
            index++;
        }
    }

    private static Map<String, Picture> read(String option, Path folder) {
        try (Stream<Path> files = Files.walk(folder, 2)) {
            Map<String, Picture> pictures = new TreeMap<>();
            files.filter(file -> file.toString().matches("(?i).*\\.(png|jpe?g)"))
                    .forEach(file -> pictures.put(folder.relativize(file).toString(), Images.read(file, 0)));
            if (pictures.isEmpty()) {
                throw new DiffusionException(option + ": expected PNG or JPEG files in " + folder + ", found none");
            }
            return pictures;
        } catch (IOException e) {
            throw new DiffusionException(option + ": cannot read folder " + folder + "; give an existing folder", e);
        }
    }

    /** The pictures of both folders together. */
    public int size() {
        return references.size() + samples.size();
    }

    /** 1 if the first reference is grey, 3 if it is in colour. */
    public int channels() {
        return references.values().iterator().next().channels();
    }

    /** Whether a classifier takes all of the pictures. */
    public boolean fits(Classifier.Config config) {
        return Stream.concat(references.values().stream(), samples.values().stream())
                .allMatch(picture -> picture.channels() == config.channels()
                        && picture.height() == config.size()
                        && picture.width() == config.size());
    }

    /** What is measured of pairs, as sums until {@link #put}. */
    private static final class Sums {
        private int count;
        private int large;
        private double mse;
        private double psnr;
        private double ssim;
        private double msSsim;
        private boolean allSsim = true;

        void add(Pair pair) {
            Picture a = pair.reference;
            Picture b = pair.sample;
            float[] x = a.toUnit();
            float[] y = b.toUnit();
            int side = Math.min(a.height(), a.width());
            count++;
            mse += ImageSimilarity.mse(x, y);
            psnr += ImageSimilarity.psnr(x, y);
            if (side >= ImageSimilarity.SSIM_SIDE) {
                ssim += ImageSimilarity.ssim(x, y, a.channels(), a.height(), a.width());
            } else {
                allSsim = false;
            }
            if (side >= ImageSimilarity.MS_SSIM_SIDE) {
                large++;
                msSsim += ImageSimilarity.msSsim(x, y, a.channels(), a.height(), a.width());
            }
        }

        void put(ObjectNode result) {
            result.put("pairs", count);
            if (count == 0) {
                return;
            }
            result.put("mse", mse / count);
            decibels(result, "psnr_db", -10 * Math.log10(mse / count));
            decibels(result, "psnr_db_mean_of_pictures", psnr / count);
            if (allSsim) {
                result.put("ssim", ssim / count);
            }
            if (large == count) {
                result.put("ms_ssim", msSsim / count);
            }
        }

        private static void decibels(ObjectNode result, String name, double value) {
            if (Double.isInfinite(value)) {
                result.put(name, "infinite");
            } else {
                result.put(name, value);
            }
        }
    }

    /**
     * Measures everything that can be.
     *
     * @param extractor for the figures from features and what is recognised, or null to leave them out
     * @param name what to call its features
     * @param inception features to take instead, or null
     */
    public ObjectNode compare(
            @Nullable FeatureExtractor extractor, String name, @Nullable InceptionFeatures inception, HtmlReport page) {
        ObjectNode result = Json.object();
        result.put("references", references.size());
        result.put("samples", samples.size());
        Sums sums = new Sums();
        pairs.forEach(sums::add);
        sums.put(result);
        if (extractor == null && inception == null && pairs.isEmpty()) {
            throw new DiffusionException("found no picture of the same name in --reference and --samples, and no"
                    + " classifier for pictures of this size; expected like names, a folder for --classifier or a file for"
                    + " --inception");
        }
        double[][] of = null;
        double[][] to = null;
        int[] classes = null;
        if (extractor != null) {
            FeatureExtractor.Features found = extractor.of(values(samples));
            of = found.values();
            classes = found.classes();
            to = extractor.of(values(references)).values();
        }
        if (inception != null) {
            of = inception.of(samples.values());
            to = inception.of(references.values());
        }
        if (of != null && to != null) {
            result.put("features_of", inception != null ? inception.name() : name + "; not Inception, see --inception");
            features(result, of, to);
        }
        perClass(result, page, extractor == null ? 0 : extractor.config().classes(), of, to, classes);
        show(page);
        return result;
    }

    private void features(ObjectNode result, double[][] of, double[][] to) {
        if (!pairs.isEmpty()) {
            double sum = 0;
            for (Pair pair : pairs) {
                sum += Neighbours.distance(of[pair.sampleIndex], to[pair.referenceIndex]);
            }
            result.put("feature_distance", sum / pairs.size());
        }
        if (of.length > 1 && to.length > 1) {
            result.put("frechet_distance", FrechetDistance.between(of, to));
            result.put("kernel_distance", KernelDistance.between(of, to));
            result.put("precision", Neighbours.inside(of, to, NEIGHBOURS));
            result.put("recall", Neighbours.inside(to, of, NEIGHBOURS));
            result.put("diversity", Neighbours.meanPairwise(of));
            result.put("diversity_of_reference", Neighbours.meanPairwise(to));
        }
    }

    /** A row for each folder of samples; the class of a folder is its number, or its place among as many as there are classes. */
    private void perClass(
            ObjectNode result,
            HtmlReport page,
            int classCount,
            double @Nullable [][] of,
            double @Nullable [][] to,
            int @Nullable [] recognised) {
        List<String> classes = List.copyOf(new TreeSet<>(
                samples.keySet().stream().map(FolderComparison::className).toList()));
        if (classes.equals(List.of(""))) {
            return;
        }
        ObjectNode table = result.putObject("per_class");
        List<List<String>> rows = new ArrayList<>();
        for (String name : classes) {
            ObjectNode row = table.putObject(name.isEmpty() ? "(none)" : name);
            row.put("samples", places(samples, name).length);
            Sums sums = new Sums();
            pairs.stream().filter(pair -> className(pair.name).equals(name)).forEach(sums::add);
            sums.put(row);
            int label = label(name, classes, classCount);
            if (recognised != null && label >= 0) {
                int right = 0;
                for (int i : places(samples, name)) {
                    right += recognised[i] == label ? 1 : 0;
                }
                row.put("recognised", (double) right / row.path("samples").intValue());
            }
            if (of != null && to != null) {
                double[][] a = at(of, places(samples, name));
                double[][] b = at(to, places(references, name));
                if (a.length > 1 && b.length > 1) {
                    row.put("kernel_distance", KernelDistance.between(a, b));
                }
            }
            rows.add(List.of(
                    name,
                    row.path("samples").asText(),
                    number(row, "psnr_db"),
                    number(row, "ssim"),
                    number(row, "recognised"),
                    number(row, "kernel_distance")));
        }
        page.rows(
                "By class",
                List.of("class", "samples", "PSNR in dB", "SSIM", "recognised", "kernel distance"),
                rows,
                _ -> false);
    }

    private static String number(ObjectNode row, String key) {
        return row.path(key).isNumber()
                ? String.format(Locale.ROOT, "%.4f", row.path(key).doubleValue())
                : row.path(key).asText();
    }

    private static int label(String name, List<String> classes, int count) {
        if (name.matches("\\d{1,6}")) {
            int number = Integer.parseInt(name);
            return number < count ? number : -1;
        }
        return classes.size() == count ? classes.indexOf(name) : -1;
    }

    private static int[] places(Map<String, Picture> pictures, String className) {
        List<Integer> places = new ArrayList<>();
        int i = 0;
        for (String name : pictures.keySet()) {
            if (className(name).equals(className)) {
                places.add(i);
            }
            i++;
        }
        return places.stream().mapToInt(Integer::intValue).toArray();
    }

    private static double[][] at(double[][] all, int[] places) {
        double[][] some = new double[places.length][];
        for (int i = 0; i < places.length; i++) {
            some[i] = all[places[i]];
        }
        return some;
    }

    private static String className(String name) {
        Path parent = Path.of(name).getParent();
        return parent == null ? "" : parent.toString();
    }

    private static List<float[]> values(Map<String, Picture> pictures) {
        return pictures.values().stream().map(Picture::toModel).toList();
    }

    private void show(HtmlReport page) {
        if (pairs.isEmpty()) {
            page.pictures("References", some(references), List.of(), SHOWN);
            page.pictures("Samples", some(samples), List.of(), SHOWN);
            return;
        }
        List<Pair> some = pairs.subList(0, Math.min(2 * SHOWN, pairs.size()));
        page.pictures(
                "References, each beside its sample",
                HtmlReport.interleave(
                        some.stream().map(Pair::reference).toList(),
                        some.stream().map(Pair::sample).toList()),
                List.of(),
                SHOWN);
    }

    private static List<Picture> some(Map<String, Picture> pictures) {
        return pictures.values().stream().limit(2 * SHOWN).toList();
    }
}
