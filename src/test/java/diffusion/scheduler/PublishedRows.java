package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The rows that diffusers publishes for its samplers (tests/schedulers, version 0.40), by one way of doing the steps.
 *
 * <p>Loop B, in which the tests of k-diffusion's samplers hand the <em>scaled</em> x to the step, is no pipeline's: where a
 * sampler calls the model twice, the state before the first call, which ours solves for, is then the scaled x of that call, and
 * the x it is solved from is the unscaled x of the second. {@link #solvedFromScaled} rewrites that one coefficient.
 */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
public abstract class PublishedRows {
    private static final int BATCH = 4;

    /** The steps of one run, with a history that starts empty. */
    public interface Stepper extends AutoCloseable {
        /** x' [BATCH, elements]; {@code z} is null where no noise is drawn. */
        double[] step(Step step, double[] x, double[] m, double @Nullable [] z);

        @Override
        default void close() {}
    }

    /** Steps over so many samples of so many elements. */
    protected abstract Stepper stepper(int samples, int elements, int historySize);

    /** The rows to run, as they stand in the file: name, class and so on with a bar between. */
    protected List<String> lines() {
        return PublishedRow.lines();
    }

    @Test
    void allAreThere() {
        // and three of SASolver, of which sums alone are published
        assertThat(PublishedRow.lines()).hasSize(92 + 3);
    }

    @ParameterizedTest
    @MethodSource("lines")
    void holds(String line) {
        PublishedRow row = PublishedRow.of(line);
        int size = BATCH * row.elements();
        try (Stepper stepper = stepper(BATCH, row.elements(), row.scheduler().historySize())) {
            row.check(row.loop().equals("batch") ? batch(row, stepper, size) : run(row, stepper, size));
        }
    }

    /** Values 0..n-1 over n, counted along the elements and then the samples, stored sample by sample. */
    private static double[] sample(int n) {
        double[] x = new double[n];
        int d = n / BATCH;
        Arrays.setAll(x, i -> (float) (i % d * BATCH + i / d) / n);
        return x;
    }

    /** A stand-in for a network: x t / (t + 1). */
    private static double[] model(double[] x, double t) {
        return scaled(x, t / (t + 1));
    }

    private static double[] scaled(double[] x, double factor) {
        return Arrays.stream(x).map(v -> factor * v).toArray();
    }

    private static double[] draw(RandomSource random, int n) {
        float[] z = new float[n];
        random.normal(z);
        double[] wide = new double[n];
        Arrays.setAll(wide, i -> z[i]);
        return wide;
    }

    private static double[] run(PublishedRow row, Stepper stepper, int n) {
        Scheduler scheduler = row.scheduler();
        double[] timesteps = scheduler.timesteps();
        boolean scales = row.loop().equals("B") || row.loop().equals("C");
        double[] x = scaled(sample(n), scales ? scheduler.initNoiseSigma() : 1);
        int first = Math.abs(row.first()) * scheduler.order();
        scheduler.setBeginIndex(first);
        if (row.first() > 0) {
            NoiseSchedule.Mix mix = scheduler.addNoise(first);
            double[] clean = x;
            double[] ramp = sample(n);
            Arrays.setAll(
                    clean,
                    i -> mix.sample() * clean[i] + mix.noise() * ((n - 1 - ramp[i] * n) / n)); // noise: the reverse
        }
        // That loop plans its sigmas before its timesteps, so the model sees the first of all those of training.
        double[] seen = row.loop().equals("ve")
                ? SchedulerFactory.create(scheduler.config()).timesteps()
                : timesteps;
        RandomSource random = new TorchRandom(0);
        int loops = row.loop().equals("twice") ? 2 : 1;
        for (int loop = 0; loop < loops; loop++) {
            if (loop > 0) {
                scheduler.setBeginIndex(-timesteps.length); // the second loop goes on with the history of the first
            }
            for (int i = first; i < timesteps.length; i++) {
                Step step = scheduler.step(i);
                double scale = scheduler.inputScale(i);
                if (row.loop().equals("B")) {
                    x = scaled(x, scale);
                    step = scheduler instanceof TwoCallScheduler && i % 2 == 1 ? solvedFromScaled(step, scale) : step;
                }
                double[] m = model(row.loop().equals("C") ? scaled(x, scale) : x, seen[i]);
                x = stepper.step(step, x, m, step.needsNoise() ? draw(random, n) : null);
            }
        }
        return x;
    }

    /** The step with x saved + ..., where x saved = x / scale - ... rather than x - ... */
    private static Step solvedFromScaled(Step s, double scale) {
        return new Step(
                s.px(),
                s.pm(),
                s.clipMin(),
                s.clipMax(),
                s.thresholdRatio(),
                s.thresholdMax(),
                s.cx() - 1 + 1 / scale,
                s.cm(),
                s.c0(),
                s.h(),
                s.noise(),
                s.needsNoise(),
                s.varianceKind(),
                s.varMin(),
                s.varMax(),
                s.ex(),
                s.em(),
                s.e0(),
                s.push());
    }

    /** {@code batch_step_no_noise}: x, x + 0.1 and x - 0.1 at the timesteps 0, 1 and 2, each followed by none or the one below. */
    private static double[] batch(PublishedRow row, Stepper stepper, int n) {
        double[] all = new double[3 * n];
        double[] shifts = {0, 0.1, -0.1};
        for (int t = 0; t < shifts.length; t++) {
            double shift = shifts[t];
            double[] x = Arrays.stream(sample(n)).map(v -> v + shift).toArray();
            if (!row.steps().equals("0")) {
                row.scheduler().setTimesteps(new int[] {t});
            }
            Step step = row.scheduler()
                    .step(row.scheduler().timesteps().length - (row.steps().equals("0") ? t + 1 : 1));
            System.arraycopy(stepper.step(step.withNoise(0), x, model(x, t), null), 0, all, t * n, n);
        }
        return all;
    }
}
