package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.model.DeepFeatures;
import diffusion.model.DenoisingModel;
import diffusion.nn.StyleInjection;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * The reverse process of one model for one batch shape: a graph of one step, and the loop that runs it.
 *
 * <p>The sample is a state of the program; a step moves only its coefficients, the timestep and, where the sampler is
 * stochastic, the noise. Mirrors the loops of diffusers' DDPMPipeline and DDIMPipeline.
 */
public final class SamplingLoop implements ReverseProcess {
    /** Told after every step. */
    @FunctionalInterface
    public interface Listener {
        /**
         * Step {@code done} of {@code steps} is finished.
         *
         * @param sample copies the state [N, C, H, W] out when called
         * @param prediction copies out what the sampler takes the finished sample to be, x0 [N, C, H, W]
         */
        void step(int done, int steps, Supplier<float[]> sample, Supplier<float[]> prediction);
    }

    /** What shapes a run beside the network: where it starts, and what is done to the sample between steps. */
    public interface Course {
        /** The first step; the scheduler must have been told. */
        default int begin() {
            return 0;
        }

        /** The step before which the run ends, of {@code steps} that are planned. */
        default int end(int steps) {
            return steps;
        }

        /** The sample before the first step, [N, C, H, W]. */
        float[] start();

        /**
         * The sample to go on with after step i, or null for the one it has.
         *
         * @param sample copies the state [N, C, H, W] out when called
         * @param drawn the noise that the step has drawn, [N, C, H, W]; null if it drew none
         */
        default float @Nullable [] after(int i, Supplier<float[]> sample, float @Nullable [] drawn) {
            return null;
        }
    }

    /** The steps from {@code begin} to before {@code end}, from a given sample. */
    record Part(int begin, int end, float[] start) implements Course {
        @Override
        public int end(int steps) {
            return end;
        }
    }

    /** A style for the results of a run: {@code steps} of its {@code all} steps, the first ones, follow the rule. */
    record Injected(StyleInjection rule, int steps, int all) {}

    private final Scheduler scheduler;
    private final List<Graph> graphs; // a step, and for a cache a shallow one, for an injection one without
    private final int cacheInterval;
    private final int elements;
    private final Tensor sample; // [N, C, H, W], the state
    private final Tensor noise; // [N, C, H, W]
    private final Tensor prediction; // x0 [N, C, H, W], a state
    private final Tensor inputScale; // [1]
    private final List<Tensor> history = new ArrayList<>(); // [N, C, H, W] each, states, newest first
    private final Tensor coefficients; // [SamplerStep.H + history]
    private final GuidedNetwork network;
    private final @Nullable GradientGuidance gradients;
    private final int injectedSteps;
    private Effort effort = Effort.NONE;

    /**
     * Records one step of a model that follows classes.
     *
     * @param guided whether the model is asked twice, with and without its class (Ho and Salimans 2022)
     * @param nullClass the label that stands for no class; read only if guided
     */
    public SamplingLoop(
            DenoisingModel model,
            Scheduler scheduler,
            int batch,
            int height,
            int width,
            boolean guided,
            int nullClass) {
        this(
                Sampling.of(
                        new ClassNetwork(model, nullClass),
                        scheduler,
                        guided,
                        batch,
                        model.inChannels(),
                        height,
                        width),
                1);
    }

    /**
     * Records one step of any network.
     *
     * @param cacheInterval of so many steps in turn the first goes through all levels of a U-Net and the others through the
     *     topmost alone (DeepCache, Ma et al. 2023, section 3.3); 1 for all through all
     */
    SamplingLoop(Sampling sampling, int cacheInterval) {
        this(sampling, cacheInterval, null);
    }

    /** Records one step of any network whose results take a style from companions, the last of the batch. */
    SamplingLoop(Sampling sampling, Injected injected) {
        this(sampling, 1, injected);
    }

    private SamplingLoop(Sampling sampling, int cacheInterval, @Nullable Injected injected) {
        if (cacheInterval < 1) {
            throw new DiffusionException("--cache: expected at least 1, found " + cacheInterval);
        }
        Scheduler scheduler = sampling.scheduler();
        List<Guide> guides = sampling.guides();
        int[] shape = {sampling.batch(), sampling.channels(), sampling.height(), sampling.width()};
        this.scheduler = scheduler;
        this.cacheInterval = cacheInterval;
        elements = sampling.channels() * sampling.height() * sampling.width();
        Graph full = new Graph("sampling step");
        sample = full.state("sample", shape);
        noise = full.input("noise", shape);
        prediction = full.state("prediction", shape);
        inputScale = full.input("input_scale", 1);
        coefficients = full.input("coefficients", SamplerStep.H + scheduler.historySize());
        int companions = injected == null ? 0 : StyleInjection.COMPANIONS;
        network = new GuidedNetwork(sampling, full, sampling.batch(), companions);
        for (int i = 0; i < scheduler.historySize(); i++) {
            history.add(full.state("history." + i, shape));
        }
        if (!guides.isEmpty()) {
            GradientGuidance.check(scheduler);
            Tensor x = full.linearCombination(List.of(sample), inputScale);
            Graph update = new Graph("sampler");
            injectedSteps = 0;
            gradients = new GradientGuidance(full, update, guides, x, network.apply(full, x, null));
            update.append(new SamplerStep(sample, gradients.answer(), noise, history, coefficients, prediction));
            graphs = List.of(full, update);
            return;
        }
        gradients = null;
        injectedSteps = injected == null ? 0 : injected.steps;
        if (injected != null && injected.steps > 0) {
            Graph plain = new Graph("plain sampling step");
            record(full.withSelfAttention(injected.rule), null);
            if (injected.steps < injected.all) {
                record(plain, null);
            }
            graphs = injected.steps < injected.all ? List.of(full, plain) : List.of(full);
        } else if (cacheInterval == 1) {
            record(full, null);
            graphs = List.of(full);
        } else {
            Graph shallow = new Graph("shallow sampling step");
            DeepFeatures deep = new DeepFeatures();
            record(full, deep);
            record(shallow, deep);
            graphs = List.of(full, shallow);
        }
    }

    private void record(Graph g, @Nullable DeepFeatures deep) {
        Tensor m = network.apply(g, g.linearCombination(List.of(sample), inputScale), deep);
        g.append(new SamplerStep(sample, m, noise, history, coefficients, prediction));
    }

    /** The graph of one step, to be compiled into the program that {@link #run} is given; for a cache see {@link #graphs}. */
    public Graph graph() {
        return graphs.getFirst();
    }

    /** The graphs to be compiled together into the program that {@link #run} is given. */
    @Override
    public List<Graph> graphs() {
        return graphs;
    }

    /** Runs a model that follows classes, one label for each picture, from noise; see the other methods. */
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            BooleanSupplier cancelled,
            Listener listener) {
        return run(program, generators, labels, scale, null, cancelled, listener);
    }

    /** Runs a model that follows classes, one label for each picture, along a course or, for null, from noise. */
    @Override
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            @Nullable Course course,
            BooleanSupplier cancelled,
            Listener listener) {
        network.writeClasses(program, labels);
        return course == null
                ? run(program, generators, scale, cancelled, listener)
                : run(program, generators, scale, course, cancelled, listener);
    }

    /**
     * Runs the whole reverse process over the timesteps the scheduler has planned, from noise.
     *
     * @param generators one for each picture: it draws the start and every step's noise, as it would for that picture alone
     * @param scale guidance scale; 1 follows the class alone
     * @return samples in [-1, 1], [N, C, H, W]
     * @throws CancellationException within one step after {@code cancelled} turns true
     */
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            double scale,
            BooleanSupplier cancelled,
            Listener listener) {
        float[] start = start(generators);
        scheduler.setBeginIndex(0);
        return run(program, generators, scale, () -> start, cancelled, listener);
    }

    /** Noise to begin with, [N, C, H, W]. */
    float[] start(List<? extends RandomSource> generators) {
        float[] start = draw(generators, elements);
        for (int i = 0; i < start.length; i++) {
            start[i] *= (float) scheduler.initNoiseSigma();
        }
        return start;
    }

    /** Runs the reverse process along a course; see the other method. */
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            double scale,
            Course course,
            BooleanSupplier cancelled,
            Listener listener) {
        program.write(sample, course.start());
        history.forEach(entry -> program.write(entry, new float[entry.size()]));
        network.writeGuidance(program, scale);
        double[] timesteps = scheduler.timesteps();
        int begin = course.begin();
        int end = course.end(timesteps.length);
        for (int i = begin; i < end; i++) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("stopped");
            }
            network.writeTimesteps(program, timesteps[i]);
            double scaled = scheduler.inputScale(i);
            program.write(inputScale, new float[] {(float) scaled});
            Step step = scheduler.step(i);
            program.write(coefficients, step.toFloats(scheduler.historySize()));
            float[] drawn = step.needsNoise() ? draw(generators, elements) : null;
            if (drawn != null) {
                program.write(noise, drawn);
            }
            if (gradients != null) {
                gradients.run(program, step, scaled, scheduler.addNoise(i));
            } else {
                boolean first = injectedSteps > 0 ? i - begin < injectedSteps : (i - begin) % cacheInterval == 0;
                program.run(first ? graphs.getFirst() : graphs.getLast());
            }
            float[] changed = course.after(i, () -> program.read(sample), drawn);
            if (changed != null) {
                program.write(sample, changed);
            }
            listener.step(i + 1 - begin, end - begin, () -> program.read(sample), () -> program.read(prediction));
        }
        int full = (end - begin + cacheInterval - 1) / cacheInterval;
        int[] calls = new int[generators.size()];
        Arrays.fill(calls, end - begin);
        effort = new Effort(end - begin, end - begin - full, calls);
        return program.read(sample);
    }

    @Override
    public Effort effort() {
        return effort;
    }

    /** Standard normal numbers [N, elements], those of picture n from generator n. */
    static float[] draw(List<? extends RandomSource> generators, int elements) {
        float[] all = new float[generators.size() * elements];
        float[] one = new float[elements];
        for (int n = 0; n < generators.size(); n++) {
            generators.get(n).normal(one);
            System.arraycopy(one, 0, all, n * elements, elements);
        }
        return all;
    }
}
