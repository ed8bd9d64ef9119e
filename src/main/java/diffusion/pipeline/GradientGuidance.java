package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Gradients;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.Step;
import java.util.List;
import java.util.Map;

/**
 * Sampling from p(x) exp(-energy): the score of the model is joined by that of the energy, which is taken of the denoised
 * picture (Dhariwal and Nichol 2021, algorithm 2; Chung et al. 2022, DPS, equation 10), so that x0 moves by -sigma^2 / alpha
 * times the gradient by x.
 *
 * <p>The gradient flows through the network, with classifier-free guidance through both of its answers. Where the sample is
 * almost pure noise, sigma^2 / alpha multiplies the errors of the network's derivative by thousands; therefore the move is
 * cut to a root mean square of {@link #LIMIT}.
 */
final class GradientGuidance {
    /** In units of pictures in [-1, 1], or of latents, whose deviation is about 1. */
    private static final double LIMIT = 0.5;

    private final Graph network;
    private final Graph update;
    private final Tensor answer; // [N, C or 2C, H, W]
    private final Tensor x; // [N, C, H, W], as the network sees it
    private final Tensor m; // [N, C or 2C, H, W]
    private final Tensor mix; // [2]: x0 of x and m
    private final Tensor gradient; // [N, C, H, W]

    /**
     * Appends the energies and their gradient to the graph of a network.
     *
     * @param update a graph to which the sampler's step is to be appended
     * @param x what the network sees
     * @param m what it answers
     */
    GradientGuidance(Graph graph, Graph update, List<Guide> guides, Tensor x, Tensor m) {
        network = graph;
        this.update = update;
        answer = update.input("model_output", m.shape());
        this.x = x;
        this.m = graph.output(m);
        mix = graph.input("x0_mix", 2);
        Tensor mean = m.sameShape(x) ? m : graph.slice(m, 1, 0, x.dim(1));
        Tensor x0 = graph.linearCombination(List.of(x, mean), mix);
        Tensor energy = null;
        for (Guide guide : guides) {
            Tensor one = guide.energy(graph, x0);
            energy = energy == null ? one : graph.add(energy, one);
        }
        if (energy == null) {
            throw new IllegalArgumentException("no guides");
        }
        Map<Tensor, Tensor> gradients = Gradients.append(graph, energy, List.of(x));
        gradient = graph.output(gradients.values().iterator().next());
    }

    /** Throws if the sampler's steps do not say how the denoised picture follows from the network's answer. */
    static void check(Scheduler scheduler) {
        if (scheduler.step(0).pm() == 0) {
            throw new DiffusionException("--guide: expected a sampler that knows the denoised picture, found "
                    + scheduler.config().className() + ", which does not");
        }
    }

    /** What the sampler's step is to read instead of the network's answer. */
    Tensor answer() {
        return answer;
    }

    /**
     * Runs the network and then the sampler's step on its answer, moved.
     *
     * @param level how much of a clean picture and of noise the sample has
     */
    void run(Program program, Step step, double inputScale, NoiseSchedule.Mix level) {
        program.write(mix, new float[] {(float) (step.px() / inputScale), (float) step.pm()});
        program.run(network);
        program.write(answer, moved(program, step, inputScale, level));
        program.run(update);
    }

    private float[] moved(Program program, Step step, double inputScale, NoiseSchedule.Mix level) {
        float[] answer = program.read(m);
        if (level.sample() == 0 || level.noise() == 0) {
            return answer; // no signal, no gradient; no noise, no step
        }
        double ratio = level.noise() / (double) level.sample();
        double alpha = 1 / Math.sqrt(1 + ratio * ratio);
        // The gradient by the sample in the scale of a variance-preserving process is that by x divided by this.
        double scale = alpha / (level.sample() * inputScale);
        double factor = -ratio * ratio * alpha / scale; // sigma^2 / alpha
        float[] slope = program.read(gradient);
        int samples = x.dim(0);
        int size = slope.length / samples;
        int stride = answer.length / samples;
        for (int n = 0; n < samples; n++) {
            double squares = 0;
            for (int i = 0; i < size; i++) {
                squares += Math.pow(factor * slope[n * size + i], 2);
            }
            double rms = Math.sqrt(squares / size);
            double cut = rms > LIMIT ? LIMIT / rms : 1;
            for (int i = 0; i < size && Double.isFinite(rms); i++) {
                answer[n * stride + i] += (float) (factor * cut * slope[n * size + i] / step.pm());
            }
        }
        return answer;
    }
}
