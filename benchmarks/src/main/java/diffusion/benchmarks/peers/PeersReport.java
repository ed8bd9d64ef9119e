package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.benchmarks.peers.Result.Entry;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.stream.Collectors;

/** {@link Result}s as a table for the terminal, as JSON and as a page. */
public final class PeersReport {
    private static final String NOTE =
            "Milliseconds of a run: the median of the rounds, and the quickest and slowest of them."
                    + " Speed: how many times as fast as the quickest peer this project is. Difference: the largest of any engine from"
                    + " PyTorch's output, relative to its largest value. GFLOP/s count multiplications and additions by definition,"
                    + " whatever the algorithm, so that Winograd's convolutions may exceed the peak of fused multiply-adds; GB/s count"
                    + " what each op reads and writes once, and small tensors stay in caches. Memory: the most a process had resident,"
                    + " with its runtime.";

    private final List<Result> results;
    private final String machine;
    private final int rounds;

    /** A report; {@code machine} says in a line where, when and with what it was made. */
    public PeersReport(List<Result> results, String machine, int rounds) {
        this.results = List.copyOf(results);
        this.machine = machine;
        this.rounds = rounds;
    }

    /** A plain table. */
    public String text() {
        StringBuilder text = new StringBuilder(machine).append('\n');
        byGroup().forEach((group, rows) -> {
            text.append('\n').append(group).append('\n');
            for (List<String> line : table(rows)) {
                text.append(line(line));
            }
            failures(rows).forEach(failure -> text.append("  ").append(failure).append('\n'));
        });
        return text.append('\n').append(versions()).append('\n').toString();
    }

    private static String line(List<String> cells) {
        StringBuilder line = new StringBuilder("%-54s".formatted(cells.getFirst()));
        cells.subList(1, cells.size()).forEach(cell -> line.append(" %21s".formatted(cell)));
        return line.toString().stripTrailing() + "\n";
    }

    /** A page with all figures. */
    public HtmlReport html() {
        HtmlReport page = new HtmlReport("Speed beside other engines");
        page.text(machine);
        page.text(versions());
        byGroup().forEach((group, rows) -> {
            List<List<String>> table = table(rows);
            page.rows(
                    "%s, %d rounds".formatted(group, rounds),
                    table.getFirst(),
                    table.subList(1, table.size()),
                    i -> !rows.get(i).sound());
            failures(rows).forEach(page::text);
        });
        page.text(NOTE);
        return page;
    }

    private Map<String, List<Result>> byGroup() {
        return results.stream().collect(Collectors.groupingBy(Result::group, LinkedHashMap::new, Collectors.toList()));
    }

    private static List<String> failures(List<Result> rows) {
        List<String> lines = new ArrayList<>();
        for (Result row : rows) {
            for (Entry entry : row.entries()) {
                if (entry.failure() != null) {
                    lines.add(row.name() + ": " + entry.engine() + " has no figures: " + entry.failure());
                }
            }
        }
        return lines;
    }

    private String versions() {
        Map<String, String> versions = new LinkedHashMap<>();
        results.forEach(result -> result.entries().stream()
                .filter(entry -> !entry.version().isEmpty())
                .forEach(entry -> versions.putIfAbsent(entry.engine(), entry.version())));
        return versions.entrySet().stream()
                .map(entry -> entry.getKey() + ": " + entry.getValue())
                .collect(Collectors.joining("; "));
    }

    /** The engines of some rows on all threads, in the order they were asked for. */
    private static Set<String> engines(List<Result> rows) {
        Set<String> engines = new LinkedHashSet<>();
        rows.forEach(row -> row.entries().forEach(entry -> engines.add(entry.engine())));
        return engines;
    }

    /** The header and a line for each row. */
    private static List<List<String>> table(List<Result> rows) {
        Set<String> engines = engines(rows);
        boolean scaling = rows.stream().anyMatch(row -> row.scaling().isPresent());
        List<String> header = new ArrayList<>(List.of(""));
        engines.forEach(engine -> header.add(engine + ", ms"));
        header.addAll(List.of("speed", "GFLOP/s, of peak", "GB/s, of peak"));
        if (scaling) {
            header.add("threads' gain");
        }
        engines.forEach(engine -> header.add(engine + ", MB"));
        header.add("difference");
        List<List<String>> table = new ArrayList<>(List.of(header));
        for (Result row : rows) {
            List<String> line = new ArrayList<>(List.of(row.title()));
            engines.forEach(
                    engine -> line.add(row.entry(engine).map(PeersReport::time).orElse("")));
            line.add(row.speed().map(speed -> number("%.2f", speed)).orElse(""));
            line.add(row.ours()
                    .map(ours -> rate(ours.flops(), ours, row.peak().flops()))
                    .orElse(""));
            line.add(row.ours()
                    .map(ours -> rate(ours.bytes(), ours, row.peak().bytesPerSecond()))
                    .orElse(""));
            if (scaling) {
                line.add(row.scaling().map(gain -> number("%.2f", gain)).orElse(""));
            }
            engines.forEach(engine -> line.add(row.entry(engine)
                    .filter(entry -> entry.peakBytes() > 0)
                    .map(entry -> number("%.0f", entry.peakBytes() / 1e6))
                    .orElse("")));
            line.add(row.entries().stream()
                    .map(Entry::difference)
                    .filter(Double::isFinite)
                    .max(Double::compare)
                    .map(difference -> number("%.1e", difference))
                    .orElse(""));
            table.add(line);
        }
        return table;
    }

    private static String time(Entry entry) {
        double scale = 1e3;
        String pattern = entry.median() < 1e-2
                ? "%.3f (%.3f..%.3f)"
                : entry.median() < 1 ? "%.1f (%.1f..%.1f)" : "%.0f (%.0f..%.0f)";
        return String.format(
                Locale.ROOT, pattern, scale * entry.median(), scale * entry.fewest(), scale * entry.most());
    }

    private static String rate(double amount, Entry entry, double peak) {
        double rate = amount / entry.median();
        return amount == 0 ? "" : number("%.1f", rate / 1e9) + number(", %.0f %%", 100 * rate / peak);
    }

    private static String number(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }

    /** Everything, for programs; seconds, bytes and operations. */
    public ObjectNode json() {
        ObjectNode json = Json.object().put("machine", machine).put("rounds", rounds);
        ArrayNode rows = json.putArray("rows");
        for (Result result : results) {
            ObjectNode row = rows.addObject();
            row.put("name", result.name()).put("title", result.title()).put("group", result.group());
            row.putObject("peak")
                    .put("flops", result.peak().flops())
                    .put("bytes_per_second", result.peak().bytesPerSecond());
            put(row, "speed", result.speed());
            put(row, "scaling", result.scaling());
            ArrayNode entries = row.putArray("engines");
            for (Entry entry : result.entries()) {
                ObjectNode one = entries.addObject();
                one.put("engine", entry.engine())
                        .put("threads", entry.threads())
                        .put("version", entry.version())
                        .put("failure", entry.failure());
                put(one, "difference", Optional.of(entry.difference()).filter(Double::isFinite));
                one.put("flops", entry.flops()).put("bytes", entry.bytes()).put("peak_memory_bytes", entry.peakBytes());
                if (entry.counts()) {
                    one.put("median", entry.median()).put("min", entry.fewest()).put("max", entry.most());
                }
                ArrayNode seconds = one.putArray("rounds");
                entry.rounds().forEach(seconds::add);
            }
        }
        return json;
    }

    private static void put(ObjectNode json, String key, Optional<Double> value) {
        value.ifPresent(number -> json.put(key, number));
    }
}
