package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.SamplerStep;
import diffusion.graph.Tensor;
import diffusion.model.DenoisingModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.Step;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * The reverse process of one model for one batch shape: a graph of one step, and the loop that runs it.
 *
 * <p>The sample is a state of the program; a step moves only its coefficients, the timestep and, where the sampler is
 * stochastic, the noise. Mirrors the loops of diffusers' DDPMPipeline and DDIMPipeline.
 */
public final class SamplingLoop {
    /** Told after every step; {@code sample} copies the state [N, C, H, W] out when called. */
    @FunctionalInterface
    public interface Listener {
        /** Step {@code done} of {@code steps} is finished. */
        void step(int done, int steps, java.util.function.Supplier<float[]> sample);
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
        default float @Nullable [] after(int i, java.util.function.Supplier<float[]> sample, float @Nullable [] drawn) {
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

    private final Scheduler scheduler;
    private final Graph graph;
    private final int elements;
    private final Tensor sample; // [N, C, H, W], the state
    private final Tensor noise; // [N, C, H, W]
    private final Tensor timestep; // [N], or [2N] with guidance
    private final @Nullable Tensor guidance; // [2]: 1 - g and g
    private final Tensor inputScale; // [1]
    private final Tensor coefficients; // [SamplerStep.H + history]
    private final @Nullable Classes classes;

    /** The network as the loop sees it. */
    @FunctionalInterface
    public interface Network {
        /**
         * Records it; what else it reads are inputs of its own, which its maker writes before a run.
         *
         * @param x [R, C, H, W], R twice the batch with guidance: first without the condition, then with it
         * @param timestep [R]
         * @return [R, C, H, W], or twice the channels where the variance is learned
         */
        Tensor apply(Graph g, Tensor x, Tensor timestep);
    }

    /** A network of this project's training, which follows a class label or nothing. */
    private static final class Classes implements Network {
        private final DenoisingModel model;
        private final int nullClass;
        private @Nullable Tensor labels; // like timestep

        Classes(DenoisingModel model, int nullClass) {
            this.model = model;
            this.nullClass = nullClass;
        }

        @Override
        public Tensor apply(Graph g, Tensor x, Tensor timestep) {
            labels = model.classes() > 0 ? g.input("class_labels", timestep.dim(0)) : null;
            return model.apply(g, x, timestep, labels);
        }

        void write(Program program, int[] classes) {
            if (labels != null) {
                float[] values = new float[labels.size()];
                Arrays.fill(values, nullClass);
                for (int n = 0; n < classes.length; n++) {
                    values[values.length - classes.length + n] = classes[n];
                }
                program.write(labels, values);
            }
        }
    }

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
        this(new Classes(model, nullClass), model.inChannels(), scheduler, batch, height, width, guided);
    }

    /** Records one step of any network over {@code channels} of state. */
    public SamplingLoop(
            Network network, int channels, Scheduler scheduler, int batch, int height, int width, boolean guided) {
        classes = network instanceof Classes own ? own : null;
        this.scheduler = scheduler;
        elements = channels * height * width;
        graph = new Graph("sampling step");
        int[] shape = {batch, channels, height, width};
        sample = graph.state("sample", shape);
        noise = graph.input("noise", shape);
        inputScale = graph.input("input_scale", 1);
        coefficients = graph.input("coefficients", SamplerStep.H + scheduler.historySize());
        int rows = guided ? 2 * batch : batch;
        timestep = graph.input("timestep", rows);
        Tensor x = graph.linearCombination(List.of(sample), inputScale);
        if (guided) {
            x = graph.concat(List.of(x, x), 0); // [2N, C, H, W]: without the class, with it
        }
        Tensor m = network.apply(graph, x, timestep);
        guidance = guided ? graph.input("guidance", 2) : null;
        if (guidance != null) {
            m = graph.linearCombination(
                    List.of(graph.slice(m, 0, 0, batch), graph.slice(m, 0, batch, batch)), guidance);
        }
        List<Tensor> history = new ArrayList<>();
        for (int i = 0; i < scheduler.historySize(); i++) {
            history.add(graph.state("history." + i, shape));
        }
        graph.append(new SamplerStep(sample, m, noise, history, coefficients, null));
    }

    /** The graph of one step, to be compiled into the program that {@link #run} is given. */
    public Graph graph() {
        return graph;
    }

    /** Numbers in the sample of one picture. */
    int elements() {
        return elements;
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
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            @Nullable Course course,
            BooleanSupplier cancelled,
            Listener listener) {
        if (classes != null) {
            classes.write(program, labels);
        }
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
        float[] start = draw(generators, elements);
        for (int i = 0; i < start.length; i++) {
            start[i] *= (float) scheduler.initNoiseSigma();
        }
        scheduler.setBeginIndex(0);
        return run(program, generators, scale, () -> start, cancelled, listener);
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
        if (guidance != null) {
            program.write(guidance, new float[] {(float) (1 - scale), (float) scale});
        }
        double[] timesteps = scheduler.timesteps();
        int begin = course.begin();
        int end = course.end(timesteps.length);
        for (int i = begin; i < end; i++) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("stopped");
            }
            float[] t = new float[timestep.size()];
            Arrays.fill(t, (float) timesteps[i]);
            program.write(timestep, t);
            program.write(inputScale, new float[] {(float) scheduler.inputScale(i)});
            Step step = scheduler.step(i);
            program.write(coefficients, step.toFloats(scheduler.historySize()));
            float[] drawn = step.needsNoise() ? draw(generators, elements) : null;
            if (drawn != null) {
                program.write(noise, drawn);
            }
            program.run(graph);
            float[] changed = course.after(i, () -> program.read(sample), drawn);
            if (changed != null) {
                program.write(sample, changed);
            }
            listener.step(i + 1 - begin, end - begin, () -> program.read(sample));
        }
        return program.read(sample);
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
