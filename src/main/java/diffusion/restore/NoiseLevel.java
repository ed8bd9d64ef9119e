package diffusion.restore;

import java.util.Arrays;
import java.util.function.Function;
import org.apache.commons.math3.distribution.NormalDistribution;
import org.apache.commons.math3.optim.MaxEval;
import org.apache.commons.math3.optim.nonlinear.scalar.GoalType;
import org.apache.commons.math3.optim.univariate.BrentOptimizer;
import org.apache.commons.math3.optim.univariate.SearchInterval;
import org.apache.commons.math3.optim.univariate.UnivariateObjectiveFunction;
import org.apache.commons.math3.special.Erf;

/** Estimates how noisy a picture is. */
public final class NoiseLevel {
    /** The high-pass filter of Daubechies' wavelet with two vanishing moments. */
    private static final double[] DB2 = highPass();

    /** Denoisings of {@link #fit} and {@link #fitPeak}. */
    public static final int ROUNDS = 5;

    private static final double FIRST = 0.5;
    private static final double SMALLEST = 1e-3;
    private static final double LARGEST = 4;
    private static final double FIRST_PEAK = 20;
    private static final double SMALLEST_PEAK = 1;
    private static final double LARGEST_PEAK = 1e5;
    /** Brightness below which counts are too few to tell their spread. */
    private static final double DARK = 0.1;
    /** What files round to. */
    private static final double LEVEL = 1 / 255.0;

    private NoiseLevel() {}

    /**
     * The deviation of Gaussian noise from the median of the finest diagonal wavelet details, which hardly see the picture
     * (Donoho and Johnstone 1994); the mean over channels. Mirrors scikit-image's estimate_sigma.
     *
     * @param y [channels, height, width]
     */
    public static double wavelet(float[] y, int channels, int height, int width) {
        double sum = 0;
        int plane = height * width;
        for (int c = 0; c < channels; c++) {
            double[][] rows = new double[height][];
            for (int i = 0; i < height; i++) {
                double[] row = new double[width];
                for (int j = 0; j < width; j++) {
                    row[j] = y[c * plane + i * width + j];
                }
                rows[i] = details(row);
            }
            int columns = rows[0].length;
            double[] all = new double[0];
            for (int j = 0; j < columns; j++) {
                double[] column = new double[height];
                for (int i = 0; i < height; i++) {
                    column[i] = rows[i][j];
                }
                double[] found = details(column);
                int from = all.length;
                all = Arrays.copyOf(all, from + found.length);
                System.arraycopy(found, 0, all, from, found.length);
            }
            sum += medianOfSizes(all) / new NormalDistribution().inverseCumulativeProbability(0.75) / channels;
        }
        return sum;
    }

    /**
     * The deviation of Gaussian noise in pictures in [-1, 1], each on its own, from what a model's denoising takes away:
     * the most likely one given the differences, found anew for every denoising. Values at -1 and 1, where files cut noise
     * off, count as the probability of lying beyond.
     */
    public static double[] fit(PixelPrior prior, Pictures y) {
        return fit(y, FIRST, SMALLEST, LARGEST, sigma -> prior.denoise(y, sigma), NoiseLevel::likelihood);
    }

    /**
     * The counts at white of {@link PoissonNoise} in pictures in [-1, 1], found in the same way from the pixels that are
     * neither nearly black nor cut off at white, which count as the probability of lying beyond.
     */
    public static double[] fitPeak(PixelPrior prior, Pictures y) {
        return fit(
                y,
                FIRST_PEAK,
                SMALLEST_PEAK,
                LARGEST_PEAK,
                peaks -> PoissonNoise.denoise(prior, y, peaks),
                NoiseLevel::likelihoodOfPeak);
    }

    /** The logarithm of how likely pixels are, given their means and a level of noise, up to a constant. */
    private interface Likelihood {
        double of(float[] seen, float[] means, double level);
    }

    private static double[] fit(
            Pictures y,
            double first,
            double smallest,
            double largest,
            Function<double[], Pictures> denoise,
            Likelihood likelihood) {
        double[] level = new double[y.count()];
        Arrays.fill(level, first);
        for (int round = 0; round < ROUNDS; round++) {
            Pictures clean = denoise.apply(level);
            for (int i = 0; i < level.length; i++) {
                float[] seen = y.get(i);
                float[] means = clean.get(i);
                UnivariateObjectiveFunction ofLogarithm =
                        new UnivariateObjectiveFunction(log -> likelihood.of(seen, means, Math.exp(log)));
                level[i] = Math.exp(new BrentOptimizer(1e-4, 1e-6)
                        .optimize(
                                ofLogarithm,
                                GoalType.MAXIMIZE,
                                new SearchInterval(Math.log(smallest), Math.log(largest)),
                                new MaxEval(200))
                        .getPoint());
            }
        }
        return level;
    }

    private static double likelihoodOfPeak(float[] y, float[] means, double peak) {
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            double mean = Math.min(1, (means[i] + 1) / 2.0);
            if (mean < DARK) {
                continue;
            }
            double sigma = Math.sqrt(mean / peak + LEVEL * LEVEL / 12);
            double z = ((y[i] + 1) / 2 - mean) / sigma;
            sum += y[i] == 1
                    ? Math.log(Math.max(1e-300, Erf.erfc((1 - mean) / sigma * Math.sqrt(0.5)) / 2))
                    : -z * z / 2 - Math.log(sigma);
        }
        return sum;
    }

    private static double likelihood(float[] y, float[] means, double sigma) {
        double sum = 0;
        for (int i = 0; i < y.length; i++) {
            if (y[i] == -1) {
                sum += Math.log(Math.max(1e-300, Erf.erfc((means[i] + 1) / sigma * Math.sqrt(0.5)) / 2));
            } else if (y[i] == 1) {
                sum += Math.log(Math.max(1e-300, Erf.erfc((1 - means[i]) / sigma * Math.sqrt(0.5)) / 2));
            } else {
                double z = (y[i] - means[i]) / sigma;
                sum -= z * z / 2 + Math.log(sigma);
            }
        }
        return sum;
    }

    /** Of the absolute values that are not exactly 0; 0 if there are none. */
    private static double medianOfSizes(double[] values) {
        double[] sizes = Arrays.stream(values)
                .map(Math::abs)
                .filter(value -> value > 0)
                .sorted()
                .toArray();
        int n = sizes.length;
        return n == 0 ? 0 : (sizes[(n - 1) / 2] + sizes[n / 2]) / 2;
    }

    /** Every second value of the filtered line, which goes on beyond its ends as in a mirror. */
    private static double[] details(double[] line) {
        double[] out = new double[(line.length + DB2.length - 1) / 2];
        for (int k = 0; k < out.length; k++) {
            for (int j = 0; j < DB2.length; j++) {
                int i = Math.floorMod(2 * k + 1 - j, 2 * line.length);
                out[k] += DB2[j] * line[Math.min(i, 2 * line.length - 1 - i)];
            }
        }
        return out;
    }

    private static double[] highPass() {
        double root = Math.sqrt(3);
        double scale = 4 * Math.sqrt(2);
        return new double[] {
            -(1 + root) / scale, (3 + root) / scale, -(3 - root) / scale, -(root - 1) / scale,
        };
    }
}
