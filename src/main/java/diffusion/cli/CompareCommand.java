package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.io.Json;
import diffusion.pipeline.LoadedModel;
import diffusion.report.Comparison;
import diffusion.report.ComparisonReport;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.CancellationException;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion compare}. */
@Command(
        description = "Compares two backends op by op, tensor by tensor and picture by picture; exit status 1 if they"
                + " differ by more than rounding.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class CompareCommand implements Callable<Integer> {
    @Option(
            names = "--backends",
            split = ",",
            paramLabel = "NAME",
            defaultValue = "reference,cpu",
            description = "Two backends, the one taken as right first (default: ${DEFAULT-VALUE}).")
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

    @Option(names = "--scheduler", description = "Sampler (default: the model's own).")
    private @Nullable String scheduler;

    @Option(
            names = "--steps",
            paramLabel = "N",
            defaultValue = "20",
            description = "Steps of the picture (default: ${DEFAULT-VALUE}).")
    private int steps;

    @Option(names = "--seed", paramLabel = "N", defaultValue = "0", description = "Seed (default: ${DEFAULT-VALUE}).")
    private long seed;

    @Option(names = "--train", description = "Compare gradients, the update of the weights and ten training steps too.")
    private boolean train;

    @Option(names = "--report", paramLabel = "FILE", description = "Also write a page (.html) or everything (.json).")
    private @Nullable Path report;

    @Option(names = "--json", description = "Print one JSON object instead of tables.")
    private boolean json;

    @Override
    public Integer call() {
        Targets.requireFile(report);
        if (steps < 1) {
            throw new Main.UsageException("--steps: expected at least 1, found " + steps);
        }
        if (backends.size() != 2) {
            throw new Main.UsageException("--backends: expected two names with a comma, such as cpu,tornado, found "
                    + String.join(",", backends));
        }
        BackendOptions.useDevice(device);
        Backend standard = Backends.choose(backends.get(0)).backend();
        Backend other = Backends.choose(backends.get(1)).backend();
        LoadedModel loaded = LoadedModel.open(model);
        int own = loaded.model().sampleSize();
        int size = own == 0 ? 8 * loaded.model().sizeMultiple() : own;
        Comparison.Request request =
                new Comparison.Request(loaded, loaded.scheduler(scheduler), steps, size, seed, train);
        try (Interrupt interrupt = new Interrupt()) {
            Comparison comparison = Comparison.of(
                    standard, other, request, interrupt, line -> System.err.println("comparing " + line + " ..."));
            ComparisonReport result = new ComparisonReport(comparison, Reports.machine(List.of(standard, other)));
            System.out.print(json ? Json.pretty(result.json()) + System.lineSeparator() : result.text());
            if (report != null) {
                Reports.write(report, result.html(), result.json());
            }
            return comparison.agrees() ? 0 : 1;
        } catch (CancellationException e) {
            return 130;
        }
    }
}
