package diffusion.scheduler;

import java.util.ArrayList;
import java.util.List;

/**
 * Diffusion of points whose exact denoiser is known: the real schedulers with a perfect model.
 *
 * @param data the distribution of x0
 * @param scheduler a DDPM or DDIM, best without clipping, since points know no range
 */
public record PointDiffusion(GaussianMixture data, Scheduler scheduler) {
    /** The states of a run, each [n, d], and what the run still has of noise: alphaBar before each of them. */
    public record Path(List<double[]> states, List<Double> alphaBars) {}

    /** x_t for points x0 [n, d] in one jump. */
    public double[] forward(double[] x0, int t, RandomSource random) {
        NoiseSchedule.Mix mix = scheduler.noise().addNoise(t);
        float[] z = new float[x0.length];
        random.normal(z);
        double[] x = new double[x0.length];
        for (int i = 0; i < x.length; i++) {
            x[i] = mix.sample() * x0[i] + mix.noise() * z[i];
        }
        return x;
    }

    /** What a perfect model of the scheduler's prediction type answers for x [n, d] at t. */
    public double[] model(double[] x, int t) {
        double alphaBar = scheduler.noise().alphaBar(t);
        double[] x0 = data.posteriorMean(x, alphaBar);
        NoiseSchedule.Mix target = scheduler.noise().target(t, scheduler.predictionType());
        double[] m = new double[x.length];
        for (int i = 0; i < x.length; i++) {
            double eps = (x[i] - Math.sqrt(alphaBar) * x0[i]) / Math.sqrt(1 - alphaBar);
            m[i] = target.sample() * x0[i] + target.noise() * eps;
        }
        return m;
    }

    /** Runs the planned timesteps backwards for n points, from noise to samples. */
    public Path reverse(int n, RandomSource random) {
        double[] x = draw(n * data.dimension(), random);
        List<double[]> states = new ArrayList<>(List.of(x));
        List<Double> alphaBars = new ArrayList<>();
        List<double[]> history = new ArrayList<>();
        double[] timesteps = scheduler.timesteps();
        for (int i = 0; i < timesteps.length; i++) {
            int t = (int) timesteps[i];
            Step step = scheduler.step(i);
            double[] m = model(x, t);
            x = step.apply(x, m, step.needsNoise() ? draw(x.length, random) : null, history, n);
            states.add(x);
            alphaBars.add((double) scheduler.noise().alphaBar(t));
        }
        alphaBars.add(1.0);
        return new Path(states, alphaBars);
    }

    private static double[] draw(int count, RandomSource random) {
        float[] z = new float[count];
        random.normal(z);
        double[] wide = new double[count];
        for (int i = 0; i < count; i++) {
            wide[i] = z[i];
        }
        return wide;
    }
}
