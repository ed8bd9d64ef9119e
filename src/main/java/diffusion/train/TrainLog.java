package diffusion.train;

import diffusion.io.AtomicFiles;
import diffusion.io.DiffusionException;
import diffusion.io.Images;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** The log of a run: log.csv and a plot of its loss, loss.png. */
final class TrainLog {
    private static final String COLUMNS = "step,loss,gradient_norm,learning_rate";

    private final String header;
    private final Path csv;
    private final Path plot;
    private final List<String> lines = new ArrayList<>();
    private final List<Double> steps = new ArrayList<>();
    private final List<Double> losses = new ArrayList<>();

    /**
     * Opens the log of a folder; lines beyond {@code step}, written after the last checkpoint, are dropped.
     *
     * @param terms names of the terms of the loss that have columns
     */
    TrainLog(Path folder, long step, String... terms) {
        header = COLUMNS + Arrays.stream(terms).map(term -> "," + term).collect(Collectors.joining());
        csv = folder.resolve("log.csv");
        plot = folder.resolve("loss.png");
        if (step == 0 || !Files.exists(csv)) {
            return;
        }
        try {
            for (String line : Files.readAllLines(csv)) {
                String[] fields = line.split(",", -1);
                if (!line.equals(header) && Long.parseLong(fields[0]) <= step) {
                    keep(line, Long.parseLong(fields[0]), Double.parseDouble(fields[1]));
                }
            }
        } catch (IOException | NumberFormatException | ArrayIndexOutOfBoundsException e) {
            throw new DiffusionException(
                    csv + ": expected lines of " + header + ", found " + e.getMessage() + "; move the file away", e);
        }
    }

    void add(Trainer.Report report) {
        StringBuilder line = new StringBuilder(String.format(
                Locale.ROOT,
                "%d,%.6g,%.6g,%.6g",
                report.step(),
                report.loss(),
                report.gradientNorm(),
                report.learningRate()));
        report.terms().values().forEach(term -> line.append(String.format(Locale.ROOT, ",%.6g", term)));
        keep(line.toString(), report.step(), report.loss());
    }

    private void keep(String line, long step, double loss) {
        lines.add(line);
        steps.add((double) step);
        losses.add(loss);
    }

    /** Writes both files. */
    void flush() {
        if (lines.isEmpty()) {
            return;
        }
        AtomicFiles.write(csv, header + "\n" + String.join("\n", lines) + "\n");
        XYChart chart = new XYChartBuilder()
                .width(900)
                .height(500)
                .title("Training loss")
                .xAxisTitle("step")
                .yAxisTitle("loss")
                .build();
        chart.getStyler().setYAxisLogarithmic(losses.stream().allMatch(loss -> loss > 0));
        chart.getStyler().setYAxisDecimalPattern("0.####");
        chart.addSeries("loss", steps, losses).setMarker(SeriesMarkers.NONE);
        chart.addSeries("mean of 50", steps, smooth(50)).setMarker(SeriesMarkers.NONE);
        Images.writePng(plot, BitmapEncoder.getBufferedImage(chart), Map.of());
    }

    private List<Double> smooth(int window) {
        List<Double> means = new ArrayList<>();
        double sum = 0;
        for (int i = 0; i < losses.size(); i++) {
            sum += losses.get(i) - (i >= window ? losses.get(i - window) : 0);
            means.add(sum / Math.min(i + 1, window));
        }
        return means;
    }
}
