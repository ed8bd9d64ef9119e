package diffusion.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.backend.Program.Usage;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.report.Benchmark.OpTime;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeSet;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.CategoryChart;
import org.knowm.xchart.CategoryChartBuilder;
import org.knowm.xchart.style.Styler;

/** {@link Benchmark}s of some backends at one model, as tables for the terminal, as JSON and as a page with charts. */
public final class BenchmarkReport {
    private static final List<String> STEP_COLUMNS = List.of(
            "backend",
            "step, ms",
            "spread",
            "to the first",
            "GFLOP/s",
            "of peak",
            "pictures/s",
            "first step, s",
            "compile, s",
            "memory, MiB");
    private static final List<String> TRAFFIC_COLUMNS =
            List.of("backend", "step", "compile, ms", "to device, bytes", "from device, bytes", "copying, ms");
    private static final List<String> OP_COLUMNS =
            List.of("op", "count", "ms each", "spread", "ms a step", "share", "GFLOP/s", "of peak", "GB/s", "of peak");
    private static final int LINES = 12;

    private final List<Benchmark> benchmarks;
    private final String model;
    private final int steps;
    private final String machine;

    /** A report on runs of {@code steps} steps; {@code machine} says in a line what it was made on. */
    public BenchmarkReport(List<Benchmark> benchmarks, String model, int steps, String machine) {
        this.benchmarks = List.copyOf(benchmarks);
        this.model = model;
        this.steps = steps;
        this.machine = machine;
    }

    private String title() {
        return "%s, %d pictures at once".formatted(model, benchmarks.getFirst().batch());
    }

    /** Tables for a terminal: the steps, and the ops of each backend that take longest. */
    public String text() {
        StringBuilder text = new StringBuilder(title()).append('\n');
        table(text, STEP_COLUMNS, stepRows());
        text.append("what a device costs besides computing, step by step\n");
        table(text, TRAFFIC_COLUMNS, trafficRows());
        for (Benchmark benchmark : benchmarks) {
            text.append(benchmark.backend()).append(", the ops that take longest\n");
            table(text, OP_COLUMNS, opRows(benchmark).stream().limit(LINES).toList());
        }
        return text.toString();
    }

    private static void table(StringBuilder text, List<String> columns, List<List<String>> rows) {
        int[] widths = new int[columns.size()];
        List<List<String>> all = new ArrayList<>(List.of(columns));
        all.addAll(rows);
        all.forEach(row -> {
            for (int i = 0; i < widths.length; i++) {
                widths[i] = Math.max(widths[i], row.get(i).length());
            }
        });
        for (List<String> row : all) {
            for (int i = 0; i < widths.length; i++) {
                String padding = " ".repeat(widths[i] - row.get(i).length());
                text.append("  ").append(i == 0 ? row.get(i) + padding : padding + row.get(i));
            }
            text.append('\n');
        }
    }

    private List<List<String>> stepRows() {
        double first = benchmarks.getFirst().step().median();
        List<List<String>> rows = new ArrayList<>();
        for (Benchmark b : benchmarks) {
            double flops =
                    b.ops().stream().mapToDouble(op -> op.count() * op.flops()).sum()
                            / b.step().median();
            rows.add(List.of(
                    b.backend(),
                    number("%.2f", 1e3 * b.step().median()),
                    number("%.2f", 1e3 * b.step().spread()),
                    number("%.2fx", b.step().median() / first),
                    number("%.1f", flops / 1e9),
                    b.peak()
                            .map(peak -> number("%.1f %%", 100 * flops / peak.flops()))
                            .orElse(""),
                    number("%.3f", b.picturesPerSecond(steps)),
                    number("%.3f", b.firstStep()),
                    number("%.3f", b.firstUsage().compileNanos() / 1e9),
                    number("%.1f", b.memoryBytes() / 0x1p20)));
        }
        return rows;
    }

    private List<List<String>> trafficRows() {
        List<List<String>> rows = new ArrayList<>();
        for (Benchmark b : benchmarks) {
            List<Usage> all = new ArrayList<>(List.of(b.firstUsage()));
            all.addAll(b.laterUsage());
            for (int i = 0; i < all.size(); i++) {
                Usage usage = all.get(i);
                rows.add(List.of(
                        b.backend(),
                        String.valueOf(i + 1),
                        number("%.1f", usage.compileNanos() / 1e6),
                        String.valueOf(usage.bytesToDevice()),
                        String.valueOf(usage.bytesFromDevice()),
                        number("%.2f", usage.transferNanos() / 1e6)));
            }
        }
        return rows;
    }

    private static List<List<String>> opRows(Benchmark b) {
        double total = b.ops().stream().mapToDouble(OpTime::total).sum();
        return b.ops().stream()
                .sorted(Comparator.comparingDouble((OpTime op) -> -op.total()))
                .map(op -> {
                    double seconds = op.time().median();
                    double flops = op.flops() / seconds;
                    double bytes = op.bytes() / seconds;
                    return List.of(
                            op.kind() + " " + op.shapes(),
                            String.valueOf(op.count()),
                            number("%.3f", 1e3 * seconds),
                            number("%.3f", 1e3 * op.time().spread()),
                            number("%.2f", 1e3 * op.total()),
                            number("%.1f %%", 100 * op.total() / total),
                            flops == 0 ? "" : number("%.1f", flops / 1e9),
                            flops == 0
                                    ? ""
                                    : b.peak()
                                            .map(peak -> number("%.0f %%", 100 * flops / peak.flops()))
                                            .orElse(""),
                            number("%.2f", bytes / 1e9),
                            b.peak()
                                    .map(peak -> number("%.0f %%", 100 * bytes / peak.bytesPerSecond()))
                                    .orElse(""));
                })
                .toList();
    }

    /** Everything, for programs; seconds, bytes and operations. */
    public ObjectNode json() {
        ObjectNode json = Json.object();
        json.put("model", model).put("machine", machine).put("steps", steps);
        ArrayNode list = json.putArray("backends");
        for (Benchmark b : benchmarks) {
            ObjectNode object = list.addObject();
            object.put("backend", b.backend())
                    .put("description", b.description())
                    .put("batch", b.batch());
            b.peak()
                    .ifPresent(peak -> object.putObject("peak")
                            .put("flops", peak.flops())
                            .put("bytes_per_second", peak.bytesPerSecond()));
            put(object.putObject("step"), b.step());
            object.put("first_step", b.firstStep());
            object.put("pictures_per_second", b.picturesPerSecond(steps));
            object.put("memory_bytes", b.memoryBytes());
            ArrayNode usages = object.putArray("device_usage_by_step");
            put(usages.addObject(), b.firstUsage());
            b.laterUsage().forEach(usage -> put(usages.addObject(), usage));
            ArrayNode ops = object.putArray("ops");
            for (OpTime op : b.ops()) {
                ObjectNode line = ops.addObject();
                line.put("op", op.kind()).put("shapes", op.shapes()).put("count", op.count());
                put(line, op.time());
                line.put("flops", op.flops()).put("bytes", op.bytes());
            }
        }
        return json;
    }

    private static void put(ObjectNode json, Timing timing) {
        json.put("median", timing.median()).put("spread", timing.spread()).put("runs", timing.runs());
    }

    private static void put(ObjectNode json, Usage usage) {
        json.put("compile_seconds", usage.compileNanos() / 1e9);
        json.put("bytes_to_device", usage.bytesToDevice());
        json.put("bytes_from_device", usage.bytesFromDevice());
        json.put("transfer_seconds", usage.transferNanos() / 1e9);
    }

    /** A page with charts and all tables. */
    public HtmlReport html() {
        HtmlReport page = new HtmlReport("Performance: " + title());
        page.text(machine);
        for (Benchmark b : benchmarks) {
            b.peak()
                    .ifPresent(peak -> page.text("%s, measured peak: %s GFLOP/s in registers, %s GB/s copying"
                            .formatted(
                                    b.backend(),
                                    number("%.1f", peak.flops() / 1e9),
                                    number("%.1f", peak.bytesPerSecond() / 1e9))));
        }
        page.rows("A denoising step, and %d of them a picture".formatted(steps), STEP_COLUMNS, stepRows(), _ -> false);
        page.text(
                "Median and difference of the quartiles of all steps but the first three. Compile is the time the device's"
                        + " compilers took in the first step.");
        page.image("Where the time of a step goes, by kind of op", chart());
        page.rows("What a device costs besides computing, step by step", TRAFFIC_COLUMNS, trafficRows(), _ -> false);
        for (Benchmark b : benchmarks) {
            page.rows("Ops of " + b.backend() + ", each run alone", OP_COLUMNS, opRows(b), _ -> false);
        }
        page.text(
                "GFLOP/s are given for matrix ops; the others are bound by memory. GB/s count every value read and written"
                        + " once; small tensors stay in caches and can exceed the peak of memory.");
        return page;
    }

    private BufferedImage chart() {
        CategoryChart chart = new CategoryChartBuilder()
                .width(1000)
                .height(420)
                .yAxisTitle("% of the ops' time")
                .theme(Styler.ChartTheme.Matlab)
                .build();
        chart.getStyler().setLegendPosition(Styler.LegendPosition.InsideNE);
        chart.getStyler().setXAxisLabelRotation(45);
        Map<String, Map<String, Double>> all = new LinkedHashMap<>();
        TreeSet<String> kinds = new TreeSet<>();
        for (Benchmark b : benchmarks) {
            Map<String, Double> sums = new LinkedHashMap<>();
            double total = b.ops().stream().mapToDouble(OpTime::total).sum();
            b.ops().forEach(op -> sums.merge(op.kind(), 100 * op.total() / total, Double::sum));
            kinds.addAll(sums.keySet());
            all.put(b.backend(), sums);
        }
        all.forEach((backend, sums) -> chart.addSeries(
                backend,
                List.copyOf(kinds),
                kinds.stream().map(kind -> sums.getOrDefault(kind, 0.0)).toList()));
        return BitmapEncoder.getBufferedImage(chart);
    }

    private static String number(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
