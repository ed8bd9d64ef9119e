package diffusion.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.HtmlReport;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.report.Comparison.Losses;
import diffusion.report.GraphComparison.Row;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.function.IntPredicate;

/** A {@link Comparison} as a table for the terminal, as JSON and as a page. */
public final class ComparisonReport {
    private static final List<String> KIND_COLUMNS =
            List.of("op", "count", "largest sum", "absolute", "relative", "ulps", "cosine", "of its bound");
    private static final List<String> ROW_COLUMNS = List.of(
            "op",
            "tensor",
            "shape",
            "sum of",
            "alone: absolute",
            "relative",
            "ulps",
            "cosine",
            "bound",
            "whole run: absolute",
            "relative",
            "ulps",
            "cosine",
            "bound");

    private final Comparison comparison;
    private final String machine;

    /** A report; {@code machine} says in a line what it was made on. */
    public ComparisonReport(Comparison comparison, String machine) {
        this.comparison = comparison;
        this.machine = machine;
    }

    /** The verdict in one line. */
    public String verdict() {
        String first = comparison.firstBeyond();
        return "%s and %s %s on model %s; pictures %s"
                .formatted(
                        comparison.standard(),
                        comparison.other(),
                        first == null ? "agree" : "DIFFER, first at " + first,
                        comparison.model(),
                        psnr());
    }

    private String psnr() {
        return Double.isInfinite(comparison.psnr()) ? "are identical" : format("%.1f dB", comparison.psnr());
    }

    /** Lines for a terminal: a table a graph, one row a kind of op. */
    public String text() {
        StringBuilder text = new StringBuilder();
        for (GraphComparison graph : comparison.graphs()) {
            text.append(graph.graph()).append(", each op on the same input\n");
            List<List<String>> table = new ArrayList<>(List.of(KIND_COLUMNS));
            table.addAll(kinds(graph));
            for (List<String> line : table) {
                text.append(String.format("  %-20s %6s %12s %10s %10s %9s %12s %13s%n", line.toArray()));
            }
        }
        for (int i = 0; i < comparison.losses().size(); i++) {
            Losses loss = comparison.losses().get(i);
            text.append(String.format(
                    Locale.ROOT,
                    "training step %d: loss %.6f and %.6f, %.1e apart%n",
                    i,
                    loss.expected(),
                    loss.actual(),
                    loss.relative()));
        }
        return text.append(verdict()).append('\n').toString();
    }

    private static List<List<String>> kinds(GraphComparison graph) {
        Map<String, List<Row>> kinds = new LinkedHashMap<>();
        graph.rows()
                .forEach(row ->
                        kinds.computeIfAbsent(row.op(), _ -> new ArrayList<>()).add(row));
        List<List<String>> lines = new ArrayList<>();
        kinds.forEach((op, rows) -> lines.add(List.of(
                op,
                String.valueOf(rows.size()),
                String.valueOf(rows.stream().mapToLong(Row::terms).max().orElse(0)),
                format("%.1e", max(rows, row -> row.single().absolute())),
                format("%.1e", max(rows, row -> row.single().relative())),
                format("%.1f", max(rows, row -> row.single().ulps())),
                format("%.9f", -max(rows, row -> -row.single().cosine())),
                format("%.1f %%", 100 * max(rows, Row::share)))));
        return lines;
    }

    private static double max(List<Row> rows, java.util.function.ToDoubleFunction<Row> value) {
        return rows.stream().mapToDouble(value).max().orElse(0);
    }

    /** Everything, for programs. */
    public ObjectNode json() {
        ObjectNode json = Json.object();
        json.put("agrees", comparison.agrees());
        json.put("first_beyond", comparison.firstBeyond());
        json.put("model", comparison.model());
        json.put("standard", comparison.standard());
        json.put("other", comparison.other());
        json.put("machine", machine);
        if (Double.isInfinite(comparison.psnr())) {
            json.putNull("psnr");
        } else {
            json.put("psnr", comparison.psnr());
        }
        json.put("pictures_identical", Double.isInfinite(comparison.psnr()));
        ArrayNode losses = json.putArray("losses");
        comparison
                .losses()
                .forEach(loss ->
                        losses.addObject().put("standard", loss.expected()).put("other", loss.actual()));
        ArrayNode graphs = json.putArray("graphs");
        for (GraphComparison graph : comparison.graphs()) {
            ObjectNode object = graphs.addObject().put("graph", graph.graph());
            ArrayNode rows = object.putArray("tensors");
            for (Row row : graph.rows()) {
                ObjectNode line = rows.addObject();
                line.put("index", row.index()).put("op", row.op()).put("tensor", row.tensor());
                ArrayNode shape = line.putArray("shape");
                Arrays.stream(row.shape()).forEach(shape::add);
                line.put("terms", row.terms()).put("agrees", row.agrees());
                put(line.putObject("alone"), row.single(), row.singleBound());
                put(line.putObject("whole_run"), row.whole(), row.wholeBound());
            }
        }
        return json;
    }

    private static void put(ObjectNode json, Difference difference, double bound) {
        json.put("absolute", finite(difference.absolute()));
        json.put("relative", finite(difference.relative()));
        json.put("ulps", finite(difference.ulps()));
        json.put("cosine", difference.cosine());
        json.put("largest_value", difference.largest());
        json.put("bound", bound);
    }

    private static double finite(double value) {
        return Double.isFinite(value) ? value : Double.MAX_VALUE;
    }

    /** A page with the pictures and every tensor. */
    public HtmlReport html() {
        HtmlReport page = new HtmlReport("Equivalence of " + comparison.standard() + " and " + comparison.other());
        page.text(verdict());
        page.text(machine);
        page.pictures(
                "Pictures of the same seed, and their difference times 16",
                List.of(comparison.expected(), comparison.actual(), difference()),
                List.of(comparison.standard(), comparison.other(), psnr()),
                3);
        page.text(
                "Two correct float32 programs differ by rounding. Each op is given the same input on both backends; the"
                        + " bound for the difference of its results is %d ulp(1) (1 + sqrt(terms)) times the largest value, terms"
                                .formatted(ErrorBound.FACTOR)
                        + " being the length of the longest sum. In a whole run the differences of all earlier ops come along, and"
                        + " the relative bounds are added up. Ulps are units in the last place of the tensor's largest value.");
        if (!comparison.losses().isEmpty()) {
            List<List<String>> rows = new ArrayList<>();
            for (int i = 0; i < comparison.losses().size(); i++) {
                Losses loss = comparison.losses().get(i);
                rows.add(List.of(
                        String.valueOf(i),
                        format("%.7f", loss.expected()),
                        format("%.7f", loss.actual()),
                        format("%.1e", loss.relative())));
            }
            IntPredicate bad = i -> comparison.losses().get(i).relative() > Comparison.LOSS_TOLERANCE;
            page.rows(
                    "Training losses, at most %.0e apart".formatted(Comparison.LOSS_TOLERANCE),
                    List.of("step", comparison.standard(), comparison.other(), "relative"),
                    rows,
                    bad);
        }
        for (GraphComparison graph : comparison.graphs()) {
            page.rows("Graph \"" + graph.graph() + "\" by kind, each op alone", KIND_COLUMNS, kinds(graph), _ -> false);
        }
        for (GraphComparison graph : comparison.graphs()) {
            List<List<String>> rows =
                    graph.rows().stream().map(ComparisonReport::cells).toList();
            page.rows(
                    "Graph \"" + graph.graph() + "\", every tensor",
                    ROW_COLUMNS,
                    rows,
                    i -> !graph.rows().get(i).agrees());
        }
        return page;
    }

    private static List<String> cells(Row row) {
        List<String> cells = new ArrayList<>(List.of(
                row.index() + " " + row.op(), row.tensor(), Arrays.toString(row.shape()), String.valueOf(row.terms())));
        for (var part : List.of(Map.entry(row.single(), row.singleBound()), Map.entry(row.whole(), row.wholeBound()))) {
            Difference difference = part.getKey();
            cells.add(format("%.1e", difference.absolute()));
            cells.add(format("%.1e", difference.relative()));
            cells.add(format("%.1f", difference.ulps()));
            cells.add(format("%.9f", difference.cosine()));
            cells.add(format("%.1e", part.getValue()));
        }
        return cells;
    }

    private Picture difference() {
        byte[] first = comparison.expected().data();
        byte[] second = comparison.actual().data();
        byte[] data = new byte[first.length];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) Math.min(255, 16 * Math.abs((first[i] & 255) - (second[i] & 255)));
        }
        return new Picture(
                comparison.expected().channels(),
                comparison.expected().height(),
                comparison.expected().width(),
                data);
    }

    private static String format(String pattern, double value) {
        return String.format(Locale.ROOT, pattern, value);
    }
}
