package diffusion.pipeline;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.TorchRandom;
import diffusion.scheduler.Trajectory;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import org.jspecify.annotations.Nullable;

/**
 * A reverse process whose states the host holds: every picture goes its own way, and what all of them ask the network is one
 * batch, each state at a timestep of its own.
 */
final class TrajectoryLoop implements ReverseProcess {
    /** Begins the way of one picture. */
    @FunctionalInterface
    interface Start {
        /** From a state x [C, H, W]; {@code random} has drawn it and draws what follows. */
        Trajectory at(double[] x, RandomSource random);
    }

    private final Scheduler scheduler;
    private final Start start;
    private final int batch;
    private final int width; // states that a picture asks about at once, at most
    private final double startSigma;
    private final Graph graph = new Graph("model call");
    private final Tensor states; // [batch * width, C, H, W]
    private final Tensor outputs; // the same, or twice the channels
    private final GuidedNetwork network;
    private Effort effort = Effort.NONE;

    /**
     * Records the network for as many states as a batch of pictures may ask about together.
     *
     * @param startSigma standard deviation of the noise a picture begins with
     */
    TrajectoryLoop(Sampling sampling, double startSigma, Start start) {
        scheduler = sampling.scheduler();
        this.start = start;
        this.startSigma = startSigma;
        // Refuses now rather than during a run what it cannot do.
        width = Math.max(1, start.at(new double[1], new TorchRandom(0)).width());
        batch = sampling.batch();
        states = graph.input("states", batch * width, sampling.channels(), sampling.height(), sampling.width());
        network = new GuidedNetwork(sampling, graph, batch * width, 0);
        outputs = graph.output(network.apply(graph, states, null));
    }

    @Override
    public List<Graph> graphs() {
        return List.of(graph);
    }

    @Override
    public int width() {
        return width;
    }

    @Override
    public Effort effort() {
        return effort;
    }

    @Override
    public float[] run(
            Program program,
            List<? extends RandomSource> generators,
            int[] labels,
            double scale,
            SamplingLoop.@Nullable Course course,
            BooleanSupplier cancelled,
            SamplingLoop.Listener listener) {
        if (course != null) {
            throw new IllegalArgumentException("a course needs a loop of the sampler's steps");
        }
        scheduler.setBeginIndex(0);
        network.writeGuidance(program, scale);
        int[] rows = new int[batch * width];
        Arrays.setAll(rows, row -> labels[row / width]);
        network.writeClasses(program, rows);
        List<Trajectory> ways = generators.stream().map(this::begin).toList();
        int[] calls = new int[batch];
        int passes = 0;
        int planned = scheduler.timesteps().length;
        int told = 0;
        while (!ways.stream().allMatch(Trajectory::done)) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("stopped");
            }
            ask(program, ways, calls);
            passes++;
            double least = ways.stream().mapToDouble(Trajectory::progress).min().orElse(1);
            while (told < (int) (least * planned)) {
                listener.step(++told, planned, () -> samples(ways), () -> samples(ways));
            }
        }
        double accepted =
                ways.stream().mapToDouble(Trajectory::accepted).average().orElse(Double.NaN);
        effort = new Effort(passes, 0, calls, accepted);
        return samples(ways);
    }

    private Trajectory begin(RandomSource random) {
        float[] z = new float[states.sizeFrom(1)];
        random.normal(z);
        double[] x = new double[z.length];
        Arrays.setAll(x, i -> (float) (z[i] * startSigma));
        return start.at(x, random);
    }

    private void ask(Program program, List<Trajectory> ways, int[] calls) {
        float[] values = new float[states.size()];
        double[] timesteps = new double[batch * width];
        int size = states.sizeFrom(1);
        for (int n = 0; n < batch; n++) {
            List<Trajectory.Query> queries = ways.get(n).queries();
            calls[n] += queries.size();
            for (int k = 0; k < queries.size(); k++) {
                int row = n * width + k;
                timesteps[row] = queries.get(k).timestep();
                for (int i = 0; i < size; i++) {
                    values[row * size + i] = (float) queries.get(k).x()[i];
                }
            }
        }
        program.write(states, values);
        network.writeTimesteps(program, timesteps);
        program.run(graph);
        float[] answers = program.read(outputs);
        int length = outputs.sizeFrom(1);
        for (int n = 0; n < batch; n++) {
            Trajectory way = ways.get(n);
            if (!way.done()) {
                double[][] own = new double[way.queries().size()][length];
                for (int k = 0; k < own.length; k++) {
                    int from = (n * width + k) * length;
                    Arrays.setAll(own[k], i -> answers[from + i]);
                }
                way.answer(List.of(own));
            }
        }
    }

    private static float[] samples(List<Trajectory> ways) {
        int size = ways.getFirst().sample().length;
        float[] all = new float[ways.size() * size];
        for (int i = 0; i < all.length; i++) {
            all[i] = (float) ways.get(i / size).sample()[i % size];
        }
        return all;
    }
}
