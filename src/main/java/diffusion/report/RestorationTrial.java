package diffusion.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.data.Dataset;
import diffusion.io.HtmlReport;
import diffusion.io.Picture;
import diffusion.metrics.Evaluation;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.ImageSimilarity;
import diffusion.restore.Pictures;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** One way of spoiling pictures, and how near several methods come to what they were. */
final class RestorationTrial {
    private static final int SHOWN = 8;

    private final String name;
    private final Pictures clean;
    private final int[] labels;
    private final FeatureExtractor classifier;
    private final ArrayNode rows;
    private final List<List<String>> cells = new ArrayList<>();
    private final List<List<Picture>> shown = new ArrayList<>();
    private final List<String> captions = new ArrayList<>();

    /** The pictures as they were, and as they are given to every method (larger pixels for smaller ones). */
    RestorationTrial(
            String name, Pictures clean, int[] labels, FeatureExtractor classifier, Pictures given, ObjectNode result) {
        this.name = name;
        this.clean = clean;
        this.labels = labels;
        this.classifier = classifier;
        rows = result.putArray(name);
        show("original", clean);
        show("given", given.repeat(clean.height() / given.height()));
    }

    /** Numbers of pictures that lie evenly over a data set, which may be in the order of its classes. */
    static int[] spread(Dataset data, int count) {
        int[] numbers = new int[count];
        for (int i = 0; i < count; i++) {
            numbers[i] = (int) ((long) i * data.size() / count);
        }
        return numbers;
    }

    /** Some pictures of a data set. */
    static Pictures read(Dataset data, int[] numbers) {
        int count = numbers.length;
        float[] values = new float[count * data.elements()];
        for (int i = 0; i < count; i++) {
            data.read(numbers[i], values, i * data.elements());
        }
        return new Pictures(count, data.channels(), data.height(), data.width(), values);
    }

    /** The mean PSNR over the pictures, rounded to bytes as files are. */
    static double psnr(Pictures clean, Pictures found) {
        double sum = 0;
        for (int i = 0; i < clean.count(); i++) {
            sum += ImageSimilarity.psnr(unit(clean, i), unit(found, i)) / clean.count();
        }
        return sum;
    }

    private static float[] unit(Pictures pictures, int i) {
        return Picture.fromModel(
                        pictures.values(),
                        i * pictures.elements(),
                        pictures.channels(),
                        pictures.height(),
                        pictures.width())
                .toUnit();
    }

    /** Measures what a method made of the given pictures. */
    void add(String method, Pictures found) {
        double ssim = 0;
        List<float[]> pictures = new ArrayList<>();
        for (int i = 0; i < clean.count(); i++) {
            pictures.add(found.get(i));
            ssim += ImageSimilarity.ssim(
                            unit(clean, i), unit(found, i), clean.channels(), clean.height(), clean.width())
                    / clean.count();
        }
        int[] classes = classifier.of(pictures).classes();
        int right = 0;
        for (int i = 0; i < classes.length; i++) {
            right += classes[i] == labels[i] ? 1 : 0;
        }
        double psnr = psnr(clean, found);
        double recognised = (double) right / classes.length;
        ObjectNode row = rows.addObject();
        row.put("method", method);
        row.put("psnr_db", Evaluation.round(psnr));
        row.put("ssim", Evaluation.round(ssim));
        row.put("recognised", Evaluation.round(recognised));
        cells.add(List.of(
                method,
                String.format(Locale.ROOT, "%.2f", psnr),
                String.format(Locale.ROOT, "%.4f", ssim),
                String.format(Locale.ROOT, "%.1f %%", 100 * recognised)));
        show(method, found);
    }

    private void show(String caption, Pictures pictures) {
        shown.add(pictures.toPictures().subList(0, Math.min(SHOWN, pictures.count())));
        captions.add(caption);
    }

    /** Adds the table and the first pictures, a row each method. */
    void write(HtmlReport page) {
        page.rows(name, List.of("method", "PSNR in dB", "SSIM", "recognised"), cells, _ -> false);
        List<Picture> all = new ArrayList<>();
        List<String> labelled = new ArrayList<>();
        for (int m = 0; m < shown.size(); m++) {
            for (int i = 0; i < shown.get(m).size(); i++) {
                all.add(shown.get(m).get(i));
                labelled.add(i == 0 ? captions.get(m) : "");
            }
        }
        page.pictures(
                name + ", the first pictures", all, labelled, shown.getFirst().size());
    }
}
