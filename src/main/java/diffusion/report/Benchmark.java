package diffusion.report;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.backend.Program.Usage;
import diffusion.graph.Graph;
import diffusion.graph.Op;
import diffusion.graph.Tensor;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.stream.Collectors;

/**
 * The speed of one backend at one model: denoising steps of a batch, and each of their ops alone.
 *
 * @param peak the hardware's, measured in the same run; empty where it has no meaning
 * @param firstStep seconds from the start of the first step to its end, with all compiling and copying
 * @param step a later step
 * @param firstUsage what the device cost in the first step
 * @param laterUsage the same in the two steps after it
 * @param memoryBytes memory of all tensors
 * @param ops one for each kind and shape of op
 */
public record Benchmark(
        String backend,
        String description,
        int batch,
        Optional<Backend.Peak> peak,
        double firstStep,
        Timing step,
        Usage firstUsage,
        List<Usage> laterUsage,
        long memoryBytes,
        List<OpTime> ops) {
    private static final int ACCOUNTED_STEPS = 3;
    private static final double OP_SECONDS = 0.2;
    private static final int MOST_RUNS = 200;
    private static final int FEWEST_RUNS = 3;

    /**
     * An op of the step.
     *
     * @param count how often the step has it
     */
    public record OpTime(String kind, String shapes, int count, Timing time, double flops, double bytes) {
        /** Seconds of a step. */
        public double total() {
            return count * time.median();
        }
    }

    /**
     * What to measure.
     *
     * @param steps denoising steps; at least five, the first three being the warm-up
     */
    public record Request(LoadedModel model, Scheduler scheduler, int batch, int size, int steps) {
        ImageGenerator.Request pictures() {
            return new ImageGenerator.Request(
                    batch,
                    0,
                    RandomSource.Kind.TORCH,
                    steps,
                    model.guidance(),
                    size,
                    Collections.nCopies(batch, model.realClasses() == 0 ? -1 : 0));
        }
    }

    /** Pictures a second, at {@code steps} steps each, once everything is compiled. */
    public double picturesPerSecond(int steps) {
        return batch / (steps * step.median());
    }

    /** Measures a backend; {@code progress} is told what is being done. */
    public static Benchmark of(Backend backend, Request request, BooleanSupplier cancelled, Consumer<String> progress) {
        progress.accept("the peak of " + backend.name());
        Optional<Backend.Peak> peak = backend.peak();
        progress.accept(request.steps + " steps of " + request.batch + " pictures on " + backend.name());
        StepClock clock = new StepClock();
        try (ImageGenerator generator = new ImageGenerator(
                request.model, request.scheduler, new ObservedBackend(backend, clock), request.pictures())) {
            generator.run(cancelled, _ -> {}, _ -> {});
        }
        progress.accept("each op on " + backend.name());
        Map.Entry<Graph, Map<Tensor, float[]>> recorded =
                clock.recorder.inputs().entrySet().iterator().next();
        List<OpTime> ops = ops(backend, recorded.getKey(), recorded.getValue(), cancelled);
        return new Benchmark(
                backend.name(),
                backend.description(),
                request.batch,
                peak,
                clock.seconds.getFirst(),
                Timing.of(clock.seconds.stream()
                        .skip(ACCOUNTED_STEPS)
                        .mapToDouble(Double::doubleValue)
                        .toArray()),
                clock.usages.getFirst(),
                List.copyOf(clock.usages.subList(1, clock.usages.size())),
                clock.memoryBytes,
                ops);
    }

    /** Times steps from the end of the one before, so that writing their inputs counts. */
    private static final class StepClock implements ObservedBackend.Observer {
        private final Recorder recorder = new Recorder();
        private final List<Double> seconds = new ArrayList<>();
        private final List<Usage> usages = new ArrayList<>();
        private Usage last = Usage.NONE;
        private long start;
        private long memoryBytes;

        @Override
        public void before(Program program, Graph graph) {
            if (seconds.isEmpty()) {
                recorder.before(program, graph);
                program.measure(true);
                memoryBytes = program.memoryBytes();
                start = System.nanoTime();
            }
        }

        @Override
        public void after(Program program, Graph graph) {
            seconds.add((System.nanoTime() - start) / 1e9);
            if (seconds.size() <= ACCOUNTED_STEPS) {
                usages.add(program.usage().since(last));
                last = program.usage();
                program.measure(seconds.size() < ACCOUNTED_STEPS);
            }
            start = System.nanoTime();
        }
    }

    private static List<OpTime> ops(
            Backend backend, Graph graph, Map<Tensor, float[]> inputs, BooleanSupplier cancelled) {
        Map<Tensor, float[]> values = new LinkedHashMap<>(inputs);
        values.putAll(GraphComparison.everyTensor(graph, inputs, backend));
        Map<String, List<Op>> kinds = graph.ops().stream()
                .collect(Collectors.groupingBy(
                        op -> op.getClass().getSimpleName() + " " + shapes(op),
                        LinkedHashMap::new,
                        Collectors.toList()));
        List<OpTime> times = new ArrayList<>();
        for (List<Op> same : kinds.values()) {
            if (cancelled.getAsBoolean()) {
                throw new CancellationException("stopped");
            }
            Op op = same.getFirst();
            Graph single = new Graph("op");
            single.append(op);
            Isolation isolation = new Isolation(single);
            Graph alone = isolation.graph();
            try (Program program = backend.compile(List.of(alone))) {
                isolation.copies(0).forEach((tensor, copy) -> {
                    if (copy.role() != Tensor.Role.ACTIVATION) {
                        program.write(copy, Objects.requireNonNull(values.get(tensor)));
                    }
                });
                OpCost cost = OpCost.of(op);
                times.add(new OpTime(
                        op.getClass().getSimpleName(),
                        shapes(op),
                        same.size(),
                        time(() -> program.run(alone)),
                        cost.flops(),
                        cost.bytes()));
            }
        }
        return times;
    }

    private static String shapes(Op op) {
        return op.reads().stream().map(t -> Arrays.toString(t.shape())).collect(Collectors.joining(" "))
                + " -> "
                + op.writes().stream().map(t -> Arrays.toString(t.shape())).collect(Collectors.joining(" "));
    }

    private static Timing time(Runnable body) {
        double[] seconds = new double[MOST_RUNS];
        run(body);
        int runs = 0;
        double total = 0;
        while (runs < MOST_RUNS && (runs < FEWEST_RUNS || total < OP_SECONDS)) {
            seconds[runs] = run(body);
            total += seconds[runs++];
        }
        // The first half warms the JIT up.
        return Timing.of(Arrays.copyOfRange(seconds, runs / 2, runs));
    }

    private static double run(Runnable body) {
        long start = System.nanoTime();
        body.run();
        return (System.nanoTime() - start) / 1e9;
    }
}
