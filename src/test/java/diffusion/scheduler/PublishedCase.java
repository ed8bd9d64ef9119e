package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import java.util.ArrayList;
import java.util.List;
import org.jspecify.annotations.Nullable;

/** The sample, the model and the loop of the scheduler tests of diffusers (tests/schedulers, version 0.40). */
final class PublishedCase {
    static final int BATCH = 4;
    static final int ELEMENTS = 768; // [4, 3, 8, 8]

    private PublishedCase() {}

    /** Values 0..n-1 over n, counted along (c, h, w, b), stored as [b, c, h, w]. */
    static double[] sample() {
        double[] x = new double[ELEMENTS];
        int d = ELEMENTS / BATCH;
        for (int i = 0; i < ELEMENTS; i++) {
            x[i] = (float) (i % d * BATCH + i / d) / ELEMENTS;
        }
        return x;
    }

    /** The same values in reverse. */
    static double[] noise() {
        double[] z = sample();
        for (int i = 0; i < ELEMENTS; i++) {
            z[i] = (ELEMENTS - 1 - z[i] * ELEMENTS) / ELEMENTS;
        }
        return z;
    }

    /** A stand-in for a network: x t / (t + 1). */
    static double[] model(double[] x, double t) {
        double[] m = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            m[i] = x[i] * t / (t + 1);
        }
        return m;
    }

    /** Runs the loop from step {@code first}; x is noised there first if that is not 0. */
    static double[] run(Scheduler scheduler, int first, @Nullable RandomSource random) {
        return run(scheduler, first, random, false);
    }

    /** The loop of the tests of k-diffusion's samplers, which hands the scaled x on to the step. */
    static double[] runScaled(Scheduler scheduler, int first, @Nullable RandomSource random) {
        return run(scheduler, first, random, true);
    }

    private static double[] run(Scheduler scheduler, int first, @Nullable RandomSource random, boolean scaled) {
        double[] x = scaled(sample(), scheduler.initNoiseSigma());
        if (first > 0) {
            NoiseSchedule.Mix mix = scheduler.addNoise(first);
            double[] z = noise();
            for (int i = 0; i < x.length; i++) {
                x[i] = mix.sample() * x[i] + mix.noise() * z[i];
            }
            scheduler.setBeginIndex(first);
        }
        List<double[]> history = new ArrayList<>();
        double[] timesteps = scheduler.timesteps();
        for (int i = first; i < timesteps.length; i++) {
            Step step = scheduler.step(i);
            if (scaled) {
                x = scaled(x, scheduler.inputScale(i));
            }
            double[] m = model(x, timesteps[i]);
            double[] z = step.needsNoise() && random != null ? draw(random) : null;
            x = step.apply(x, m, z, history, BATCH);
        }
        return x;
    }

    private static double[] scaled(double[] x, double factor) {
        double[] y = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            y[i] = factor * x[i];
        }
        return y;
    }

    private static double[] draw(RandomSource random) {
        float[] z = new float[ELEMENTS];
        random.normal(z);
        double[] wide = new double[ELEMENTS];
        for (int i = 0; i < z.length; i++) {
            wide[i] = z[i];
        }
        return wide;
    }

    /** Compares with the published sum and mean of |x|, and with single elements of the reference run. */
    static void check(double[] x, double sum, double mean, double signedSum, double... probes) {
        double total = 0;
        double signed = 0;
        for (double v : x) {
            total += Math.abs(v);
            signed += v;
        }
        assertThat(total).isCloseTo(sum, offset(Math.max(0.01, 1e-5 * sum)));
        assertThat(total / x.length).isCloseTo(mean, offset(1e-3));
        assertThat(signed).isCloseTo(signedSum, offset(1e-5 * sum));
        int[] at = {0, 1, 2, x.length / 2, x.length - 1};
        for (int i = 0; i < at.length; i++) {
            assertThat(x[at[i]])
                    .as("element %d", at[i])
                    .isCloseTo(probes[i], offset(Math.max(1e-5, 1e-6 * Math.abs(probes[i]))));
        }
    }
}
