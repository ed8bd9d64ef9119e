package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.io.Json;
import diffusion.pipeline.LoadedModel;
import diffusion.report.Benchmark;
import diffusion.report.BenchmarkReport;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion bench}. */
@Command(
        description = "Measures backends side by side: denoising steps, each of their ops, compiling and copying.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class BenchCommand implements Callable<Integer> {
    private static final int FEWEST_STEPS = 5;

    @Option(
            names = "--backends",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "cpu,reference",
            description = "Backends; ratios are to the first (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private List<String> backends;

    @Option(names = "--device", paramLabel = "B:D", description = "TornadoVM's device, such as 0:0.")
    private @Nullable String device;

    @Option(
            names = "--model",
            defaultValue = "digits",
            description = "Built-in name or model folder (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private String model;

    @Option(
            names = "--batch",
            paramLabel = "N",
            defaultValue = "16",
            description = "Pictures computed together (default: ${DEFAULT-VALUE}).")
    private int batch;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "20",
            description = "Steps of a picture (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--report", paramLabel = "FILE", description = "Also write a page (.html) or everything (.json).")
    private @Nullable Path report;

    @Option(names = "--json", description = "Print one JSON object instead of tables.")
    private boolean json;

    @Override
    public Integer call() {
        Targets.requireFile(report);
        if (steps < FEWEST_STEPS) {
            throw new Main.UsageException("--steps: expected at least " + FEWEST_STEPS + ", found " + steps);
        }
        if (batch < 1) {
            throw new Main.UsageException("--batch: expected at least 1, found " + batch);
        }
        BackendOptions.useDevice(device);
        List<Backend> chosen = new ArrayList<>();
        for (String name : backends) {
            chosen.add(Backends.choose(name).backend());
        }
        LoadedModel loaded = LoadedModel.open(model);
        int own = loaded.model().sampleSize();
        int size = own == 0 ? 8 * loaded.model().sizeMultiple() : own;
        List<Benchmark> benchmarks = new ArrayList<>();
        try (Interrupt interrupt = new Interrupt()) {
            for (Backend backend : chosen) {
                Benchmark.Request request = new Benchmark.Request(loaded, loaded.scheduler(null), batch, size, steps);
                benchmarks.add(Benchmark.of(
                        backend, request, interrupt, line -> System.err.println("measuring " + line + " ...")));
            }
            BenchmarkReport result = new BenchmarkReport(benchmarks, loaded.name(), steps, Reports.machine(chosen));
            System.out.print(json ? Json.pretty(result.json()) + System.lineSeparator() : result.text());
            if (report != null) {
                Reports.write(report, result.html(), result.json());
            }
            return 0;
        } catch (CancellationException e) {
            return 130;
        }
    }
}
