package diffusion.report;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.data.Dataset;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.metrics.FeatureExtractor;
import diffusion.restore.Biharmonic;
import diffusion.restore.Measurement;
import diffusion.restore.NoiseLevel;
import diffusion.restore.NonLocalMeans;
import diffusion.restore.Pictures;
import diffusion.restore.PixelPrior;
import diffusion.restore.PoissonNoise;
import diffusion.restore.PosteriorSampler;
import diffusion.restore.Telea;
import diffusion.scheduler.TorchRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.function.Consumer;
import java.util.function.DoubleFunction;
import java.util.function.UnaryOperator;
import java.util.stream.DoubleStream;

/** Spoils test pictures, restores them with a model and with classical methods, and says which came nearer. */
public final class Restoration {
    private static final int[] SIGMAS = {25, 50};
    private static final int[] PEAKS = {30, 10};
    private static final int SCALE = 4;
    private static final int MEAN_OF = 8;
    private static final int REPEATS = 4;

    private final PixelPrior prior;
    private final int steps;
    private final FeatureExtractor classifier;
    private final Pictures clean;
    private final int[] labels;
    private final long seed;
    private final Consumer<String> progress;
    private final ObjectNode result = Json.object();

    /**
     * Takes pictures from all over a test set.
     *
     * @param steps levels of noise of a sample
     * @param seed the i-th of them is spoilt with seed + i and restored with seed + count + i
     * @param progress told what begins
     */
    public Restoration(
            PixelPrior prior,
            FeatureExtractor classifier,
            Dataset test,
            int count,
            int steps,
            long seed,
            Consumer<String> progress) {
        this.prior = prior;
        this.classifier = classifier;
        this.seed = seed;
        this.progress = progress;
        this.steps = steps;
        int[] numbers = RestorationTrial.spread(test, count);
        clean = RestorationTrial.read(test, numbers);
        labels = new int[count];
        for (int i = 0; i < count; i++) {
            labels[i] = test.label(numbers[i]);
        }
        result.put("pictures", count);
        result.put("steps", steps);
        result.put("repeats", REPEATS);
        result.put("seed", seed);
    }

    /** Model calls of all trials together. */
    public static long work(int count, int steps) {
        long denoising = 2L + NoiseLevel.ROUNDS + quick(steps);
        long counted = 2L + NoiseLevel.ROUNDS + (1L + MEAN_OF) * quick(steps);
        return count
                * (2 * SIGMAS.length * denoising
                        + PEAKS.length * counted
                        + REPEATS * (2L * steps + 2L * MEAN_OF * quick(steps)));
    }

    /** The steps where a picture only has to become a little cleaner, or where a mean is taken. */
    private static int quick(int steps) {
        return Math.max(1, steps / 4);
    }

    /** All trials, as figures and on a page. */
    public ObjectNode run(HtmlReport page) {
        for (int sigma : SIGMAS) {
            denoise("Gaussian noise of " + sigma + "/255", sigma, false, page);
        }
        for (int sigma : SIGMAS) {
            denoise("Gaussian noise of " + sigma + "/255, cut off at black and white as in files", sigma, true, page);
        }
        for (int peak : PEAKS) {
            poisson(peak, page);
        }
        inpaint(page);
        upscale(page);
        return result;
    }

    private void denoise(String name, int sigma, boolean cut, HtmlReport page) {
        progress.accept(name);
        double s = 2 * sigma / 255.0; // pictures in [-1, 1] are twice as far apart
        float[] values = clean.values().clone();
        float[] noise = new float[clean.elements()];
        for (int i = 0; i < clean.count(); i++) {
            new TorchRandom(seed + i).normal(noise);
            for (int k = 0; k < noise.length; k++) {
                values[i * noise.length + k] += (float) (s * noise[k]);
            }
        }
        Pictures noisy = cut ? Pictures.of(clean.with(values).toPictures()) : clean.with(values);
        RestorationTrial trial = new RestorationTrial(name, clean, labels, classifier, noisy, result);
        trial.add("none", noisy);
        nonLocalMeans(trial, "", h -> nonLocalMeans(noisy, s, h * s));
        trial.add("one step", prior.denoise(noisy, s));
        double[] estimated = NoiseLevel.fit(prior, noisy);
        trial.add("one step, noise estimated", prior.denoise(noisy, estimated));
        trial.add("DDRM sample", sample(Measurement.noisy(noisy, s), quick(steps), 1, 1));
        trial.write(page);
        ObjectNode levels = result.putObject(name + ", estimated");
        double[] wavelet = new double[clean.count()];
        for (int i = 0; i < wavelet.length; i++) {
            wavelet[i] = NoiseLevel.wavelet(noisy.get(i), clean.channels(), clean.height(), clean.width());
        }
        levels.put("wavelet, mean", mean(wavelet));
        levels.put("model, mean", mean(estimated));
        levels.put("model, smallest", round(Arrays.stream(estimated).min().orElseThrow() * 127.5));
        levels.put("model, largest", round(Arrays.stream(estimated).max().orElseThrow() * 127.5));
        page.table("Estimated noise, in levels of 255; " + name, levels);
    }

    /** Counted light; the mean of the counts is the picture, so nothing is cut off. */
    private void poisson(int peak, HtmlReport page) {
        String name = "Poisson noise, " + peak + " counts at white";
        progress.accept(name);
        PoissonNoise light = new PoissonNoise(peak);
        Pictures noisy = light.spoil(clean, seed);
        RestorationTrial trial = new RestorationTrial(name, clean, labels, classifier, noisy, result);
        trial.add("none", noisy);
        double s = light.sigma();
        nonLocalMeans(
                trial, "Anscombe, ", h -> light.throughGaussian(noisy, stable -> nonLocalMeans(stable, s, h * s)));
        Pictures found = light.throughGaussian(noisy, stable -> prior.denoise(stable, s));
        trial.add("Anscombe, one step", found);
        double[] estimated = NoiseLevel.fitPeak(prior, noisy);
        trial.add("Anscombe, one step, counts estimated", PoissonNoise.denoise(prior, noisy, estimated));
        Measurement measurement = light.measurement(noisy, found);
        trial.add("DDRM sample", sample(measurement, quick(steps), 1, 1));
        trial.add(meanName(), sample(measurement, quick(steps), 1, MEAN_OF));
        trial.write(page);
        ObjectNode counts = result.putObject(name + ", estimated");
        counts.put("median", round(Arrays.stream(estimated).sorted().toArray()[estimated.length / 2]));
        counts.put("smallest", round(Arrays.stream(estimated).min().orElseThrow()));
        counts.put("largest", round(Arrays.stream(estimated).max().orElseThrow()));
        page.table("Estimated counts at white; " + name, counts);
    }

    private void nonLocalMeans(RestorationTrial trial, String before, DoubleFunction<Pictures> method) {
        DoubleStream widths = DoubleStream.iterate(0.4, h -> h < 2.1, h -> h + 0.2);
        best(trial, before + "non-local means, best h = %.1f sigma", widths, method);
    }

    /** With the choice that suits these pictures best, so that no better one could be asked for. */
    private void best(RestorationTrial trial, String name, DoubleStream choices, DoubleFunction<Pictures> method) {
        double best = Double.NEGATIVE_INFINITY;
        Pictures found = clean;
        double chosen = 0;
        for (double choice : choices.toArray()) {
            Pictures out = method.apply(choice);
            double psnr = RestorationTrial.psnr(clean, out);
            if (psnr > best) {
                best = psnr;
                found = out;
                chosen = choice;
            }
        }
        trial.add(String.format(Locale.ROOT, name, chosen), found);
    }

    private static Pictures nonLocalMeans(Pictures y, double sigma, double h) {
        return each(y, one -> NonLocalMeans.denoise(one, y.channels(), y.height(), y.width(), sigma, h));
    }

    private static Pictures each(Pictures y, UnaryOperator<float[]> method) {
        float[] out = new float[y.values().length];
        for (int i = 0; i < y.count(); i++) {
            float[] one = method.apply(y.get(i));
            System.arraycopy(one, 0, out, i * one.length, one.length);
        }
        return y.with(out);
    }

    private void inpaint(HtmlReport page) {
        int side = clean.height() * 3 / 7; // 12 of 28
        String name = "A hole of " + side + " x " + side + " in the middle";
        progress.accept(name);
        boolean[] known = new boolean[clean.elements()];
        int top = (clean.height() - side) / 2;
        int left = (clean.width() - side) / 2;
        for (int i = 0; i < known.length; i++) {
            int row = i / clean.width() % clean.height();
            int column = i % clean.width();
            known[i] = row < top || row >= top + side || column < left || column >= left + side;
        }
        float[] values = clean.values().clone();
        for (int i = 0; i < values.length; i++) {
            values[i] = known[i % known.length] ? values[i] : 0;
        }
        Pictures holed = clean.with(values);
        RestorationTrial trial = new RestorationTrial(name, clean, labels, classifier, holed, result);
        boolean[] plane = Arrays.copyOf(known, clean.height() * clean.width());
        trial.add("none", holed);
        trial.add(
                "biharmonic",
                each(holed, y -> Biharmonic.inpaint(y, plane, clean.channels(), clean.height(), clean.width())));
        best(trial, "Telea, best radius = %.0f", DoubleStream.of(3, 5, 10), r -> telea(holed, plane, (int) r));
        Pictures found = sample(Measurement.masked(holed, known, 0), steps, REPEATS, 1);
        trial.add("DDRM sample", found);
        trial.add(meanName(), sample(Measurement.masked(holed, known, 0), quick(steps), REPEATS, MEAN_OF));
        int changed = 0;
        for (int i = 0; i < values.length; i++) {
            changed += known[i % known.length] && Picture.toByte(found.values()[i]) != Picture.toByte(clean.values()[i])
                    ? 1
                    : 0;
        }
        result.put("known_pixels_changed", changed);
        trial.write(page);
        page.text("Known pixels that the sample changed: " + changed);
    }

    private static Pictures telea(Pictures y, boolean[] known, int radius) {
        double level = 2 / 255.0;
        return each(y, one -> Telea.inpaint(one, known, y.channels(), y.height(), y.width(), radius, level));
    }

    private void upscale(HtmlReport page) {
        int height = clean.height() / SCALE;
        int width = clean.width() / SCALE;
        String name = "%d x %d enlarged to %d x %d".formatted(width, height, clean.width(), clean.height());
        progress.accept(name);
        Pictures small = Pictures.of(clean.average(SCALE).toPictures()); // whole levels, as in a file
        RestorationTrial trial = new RestorationTrial(name, clean, labels, classifier, small, result);
        for (Resampler.Filter filter : Resampler.Filter.values()) {
            List<Picture> resized = new ArrayList<>();
            for (Picture picture : small.toPictures()) {
                resized.add(Resampler.resize(picture, clean.height(), clean.width(), filter));
            }
            trial.add(filter.name().toLowerCase(Locale.ROOT), Pictures.of(resized));
        }
        Measurement measurement = Measurement.averaged(small, SCALE, 0);
        trial.add("DDRM sample", sample(measurement, steps, REPEATS, 1));
        trial.add(meanName(), sample(measurement, quick(steps), REPEATS, MEAN_OF));
        trial.write(page);
    }

    private String meanName() {
        return "mean of %d, %d steps".formatted(MEAN_OF, quick(steps));
    }

    private Pictures sample(Measurement measurement, int levels, int repeats, int samples) {
        return new PosteriorSampler(levels, repeats).mean(prior, measurement, samples, seed + clean.count());
    }

    private static double mean(double[] sigmas) {
        return round(Arrays.stream(sigmas).average().orElseThrow() * 127.5);
    }

    private static double round(double value) {
        return Math.round(value * 100) / 100.0;
    }
}
