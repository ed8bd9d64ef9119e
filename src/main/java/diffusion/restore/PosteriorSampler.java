package diffusion.restore;

import diffusion.scheduler.RandomSource;
import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/**
 * Draws pictures from what a model holds for possible given a measurement: denoising diffusion restoration models (Kawar et
 * al. 2022, equations 7 and 8), in the variance-exploding notation of that paper.
 *
 * <p>What is unknown agrees better with what is known if every step is made several times, with the noise that it took away
 * added again in between (Lugmayr et al. 2022, RePaint; Wang et al. 2023, DDNM's time travel).
 *
 * @param steps levels of noise
 * @param repeats model calls at each level
 * @param eta how much of the noise is drawn anew where nothing is known or the sample is already cleaner than the measurement
 * @param etaB how much the measurement counts where the sample is noisier than it
 */
public record PosteriorSampler(int steps, int repeats, double eta, double etaB) {
    /** Noise beyond which a picture in [-1, 1] is as good as lost; schedules that go on start here. */
    private static final double LARGEST_SIGMA = 50;

    /** With all noise drawn anew, which restores better here than the paper's eta of 0.85. */
    public PosteriorSampler(int steps, int repeats) {
        this(steps, repeats, 1, 1);
    }

    /** One picture for each measured; picture i draws from a generator of {@code seed + i} alone. */
    public Pictures sample(PixelPrior prior, Measurement y, long seed) {
        Pictures shape = y.values();
        List<RandomSource> generators = new ArrayList<>();
        for (int i = 0; i < shape.count(); i++) {
            generators.add(RandomSource.of(RandomSource.Kind.TORCH, seed + i));
        }
        double[] sigmas = sigmas(prior, y);
        float[] x = move(y, new float[shape.values().length], null, sigmas[0], generators);
        for (int i = 0; i < steps * repeats; i++) {
            double from = sigmas[i / repeats];
            double to = sigmas[i / repeats + 1];
            float[] x0 = prior.denoise(shape.with(x), from).values();
            float[] eps = new float[x.length];
            for (int k = 0; k < x.length; k++) {
                x0[k] = Math.clamp(x0[k], -1, 1);
                eps[k] = (float) ((x[k] - x0[k]) / from);
            }
            x = move(y, x0, eps, to, generators);
            if (i % repeats < repeats - 1) {
                float[] z = draw(y, generators);
                for (int k = 0; k < x.length; k++) {
                    x[k] += (float) (Math.sqrt(from * from - to * to) * z[k]);
                }
            }
        }
        return shape.with(x);
    }

    /** The mean of several samples, the n-th with seeds from {@code seed + n * count} on: nearer in pixels, less sharp. */
    public Pictures mean(PixelPrior prior, Measurement y, int samples, long seed) {
        float[] mean = new float[y.noise().length];
        for (int n = 0; n < samples; n++) {
            float[] next =
                    sample(prior, y, seed + (long) n * y.values().count()).values();
            for (int i = 0; i < mean.length; i++) {
                mean[i] += next[i] / samples;
            }
        }
        return y.values().with(mean);
    }

    /** Falling, with 0 at the end, at timesteps a like distance apart. */
    private double[] sigmas(PixelPrior prior, Measurement y) {
        double largest = 0;
        for (float noise : y.noise()) {
            largest = Math.max(largest, noise);
        }
        // Above the noise of the least known pixel a sample does not depend on the model, so nothing is lost by
        // starting there.
        double start = y.factor() == 1 && etaB == 1 ? Math.min(largest, LARGEST_SIGMA) : LARGEST_SIGMA;
        double first = prior.timestep(start);
        double[] sigmas = new double[steps + 1];
        for (int i = 0; i < steps; i++) {
            sigmas[i] = i == 0 ? prior.sigma(first) : prior.sigma(first * (steps - i) / steps);
        }
        return sigmas;
    }

    /** The sample at the noise {@code sigma}, given the model's x0 and the noise it saw; without noise at the start. */
    private float[] move(
            Measurement y, float[] x0, float @Nullable [] eps, double sigma, List<RandomSource> generators) {
        float[] z = sigma > 0 ? draw(y, generators) : new float[x0.length];
        double kept = Math.sqrt(1 - eta * eta) * sigma;
        float[] seen = new float[x0.length];
        float[] unseen = new float[x0.length];
        for (int i = 0; i < x0.length; i++) {
            double noise = y.noise()[i];
            unseen[i] = (float) (eps == null ? sigma * z[i] : x0[i] + kept * eps[i] + eta * sigma * z[i]);
            if (noise == Double.POSITIVE_INFINITY) {
                seen[i] = unseen[i];
            } else if (sigma < noise) {
                seen[i] = (float) (x0[i] + kept * (y.values().values()[i] - x0[i]) / noise + eta * sigma * z[i]);
            } else {
                double fresh = Math.sqrt(sigma * sigma - noise * noise * etaB * etaB);
                seen[i] = (float) ((1 - etaB) * x0[i] + etaB * y.values().values()[i] + fresh * z[i]);
            }
        }
        if (y.factor() == 1) {
            return seen;
        }
        // The projection to what H sees is the mean over each square.
        float[] inSeen = project(y, seen);
        float[] inUnseen = project(y, unseen);
        for (int i = 0; i < unseen.length; i++) {
            unseen[i] += inSeen[i] - inUnseen[i];
        }
        return unseen;
    }

    private static float[] draw(Measurement y, List<RandomSource> generators) {
        float[] z = new float[y.noise().length];
        float[] one = new float[y.values().elements()];
        for (int i = 0; i < generators.size(); i++) {
            generators.get(i).normal(one);
            System.arraycopy(one, 0, z, i * one.length, one.length);
        }
        return z;
    }

    private static float[] project(Measurement y, float[] values) {
        return y.values().with(values).average(y.factor()).repeat(y.factor()).values();
    }
}
