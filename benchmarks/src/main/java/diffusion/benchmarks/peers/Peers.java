package diffusion.benchmarks.peers;

import diffusion.backend.Backend;
import diffusion.cpu.PeakMeter;
import diffusion.io.AtomicFiles;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.List;
import java.util.ServiceLoader;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** {@code diffusion-bench peers}. */
@Command(
        name = "diffusion-bench peers",
        description =
                "Measures this project's cpu backend, ONNX Runtime and libtorch in turns at the same layers and models, with the"
                        + " same weights, inputs and number of threads. First every output is compared with PyTorch's.",
        mixinStandardHelpOptions = true,
        sortOptions = false,
        footer = {
            "",
            "FOLDER is written, once, by scripts/golden/peers.py (its head says how). Without figures of the right output from"
                    + " every engine the exit status is 1."
        })
public final class Peers implements Callable<Integer> {
    @Parameters(paramLabel = "FOLDER", description = "What scripts/golden/peers.py wrote.")
    @SuppressWarnings("NullAway.Init")
    private Path folder;

    @Option(
            names = "--rows",
            split = ",",
            paramLabel = "GLOB",
            defaultValue = "*",
            description =
                    "Names of rows, such as 'sd15-*,clip-text' (default: all); first-image and first-images are the"
                            + " times from the start of scripts/diffusion to one picture and to 16.")
    @SuppressWarnings("NullAway.Init")
    private List<String> patterns;

    @Option(
            names = "--rounds",
            paramLabel = "N",
            defaultValue = "5",
            description = "Rounds (default: ${DEFAULT-VALUE}).")
    private int rounds;

    @Option(names = "--threads", paramLabel = "N", description = "Threads of each engine (default: all processors).")
    private int threads = Runtime.getRuntime().availableProcessors();

    @Option(
            names = "--warm-up",
            paramLabel = "SECONDS",
            defaultValue = "4",
            description = "Before the first round, for each engine and row (default: ${DEFAULT-VALUE}).")
    private double warmUp;

    @Option(
            names = "--turn",
            paramLabel = "SECONDS",
            defaultValue = "0.3",
            description = "Least length of a turn, of at least one run (default: ${DEFAULT-VALUE}).")
    private double turn;

    @Option(
            names = "--python",
            paramLabel = "FILE",
            description = "A Python with torch: takes part too, with optimize_for_inference.")
    private @Nullable Path python;

    @Option(
            names = "--report",
            paramLabel = "FILE",
            split = ",",
            description = "Also write a page (.html) or everything (.json); both if given twice.")
    private List<Path> reports = new ArrayList<>();

    private final double load = ManagementFactory.getOperatingSystemMXBean().getSystemLoadAverage();

    private Peers() {}

    /** Runs one command line. */
    @SuppressWarnings("SystemOut")
    public static void main(String[] args) {
        CommandLine line = new CommandLine(new Peers());
        line.setExecutionExceptionHandler((e, _, _) -> {
            System.err.println("diffusion-bench: " + (e instanceof DiffusionException ? e.getMessage() : e));
            return 1;
        });
        System.exit(line.execute(args));
    }

    @Override
    @SuppressWarnings("SystemOut")
    public Integer call() {
        reports.forEach(AtomicFiles::requireWritable);
        if (rounds < 1 || threads < 1) {
            throw new DiffusionException("--rounds, --threads: expected at least 1, found " + rounds + ", " + threads);
        }
        List<Row> rows = Row.in(folder, patterns);
        List<FirstImage> firstImages = FirstImage.wanted(patterns);
        if (rows.isEmpty() && firstImages.isEmpty()) {
            throw new DiffusionException(folder + ": expected rows named like " + String.join(" or ", patterns)
                    + ", found none; write them with scripts/golden/peers.py");
        }
        List<Result> results = new ArrayList<>();
        try (PeakMeter meter = new PeakMeter(threads)) {
            meter.flops();
            Contest contest = new Contest(
                    candidates(),
                    rounds,
                    warmUp,
                    turn,
                    () -> new Backend.Peak(meter.flops(), meter.bytesPerSecond()),
                    Peers::progress);
            for (Row row : rows) {
                results.add(contest.run(row));
                write(results);
            }
        }
        for (FirstImage images : firstImages) {
            images.run(rounds, Peers::progress).ifPresent(results::add);
        }
        write(results);
        progress("");
        System.out.print(report(results).text());
        return results.stream().allMatch(Result::sound) ? 0 : 1;
    }

    private List<Contest.Candidate> candidates() {
        List<Contest.Candidate> candidates = new ArrayList<>();
        for (Engine engine : ServiceLoader.load(Engine.class)) {
            String name = engine.name();
            candidates.add(new Contest.Candidate(name, threads, engine::has, Contestant.java(name, threads)));
        }
        if (python != null) {
            List<String> command =
                    List.of(python.toString(), System.getProperty("diffusion.peer_worker", "peer_worker.py"));
            candidates.add(new Contest.Candidate(
                    "pytorch",
                    threads,
                    row -> Files.exists(row.folder().resolve("model.pt")),
                    Contestant.process(command, "pytorch", threads)));
        }
        if (threads > 1) {
            candidates.add(new Contest.Candidate(
                    CpuEngine.NAME, 1, row -> row.kind() != Row.Kind.OP, Contestant.java(CpuEngine.NAME, 1)));
        }
        return candidates;
    }

    /** Written after every row, so that a run that is stopped has not been for nothing. */
    private void write(List<Result> results) {
        PeersReport report = report(results);
        for (Path path : reports) {
            if (path.toString().endsWith(".json")) {
                Json.write(path, report.json());
            } else {
                report.html().write(path);
            }
        }
    }

    private PeersReport report(List<Result> results) {
        String machine = "%s, %s, %s %s, %d processors, %d threads each, Java %s, load %.1f when it began"
                .formatted(
                        Instant.now().truncatedTo(ChronoUnit.MINUTES),
                        processor(),
                        System.getProperty("os.name"),
                        System.getProperty("os.version"),
                        Runtime.getRuntime().availableProcessors(),
                        threads,
                        Runtime.version(),
                        load);
        return new PeersReport(results, machine, rounds);
    }

    /** The processor's name, where Linux tells it. */
    private static String processor() {
        Path info = Path.of("/proc/cpuinfo");
        if (!Files.exists(info)) {
            return System.getProperty("os.arch");
        }
        try {
            return Files.readAllLines(info).stream()
                    .filter(line -> line.startsWith("model name"))
                    .map(line -> line.substring(line.indexOf(':') + 1).strip())
                    .findFirst()
                    .orElse(System.getProperty("os.arch"));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    @SuppressWarnings("SystemOut")
    private static void progress(String line) {
        System.err.println(line);
    }
}
