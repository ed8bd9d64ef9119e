package diffusion.pipeline;

import diffusion.scheduler.GaussianMixture;
import diffusion.scheduler.LinearDiffusion.Moments;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Graphics2D;
import java.awt.image.BufferedImage;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import org.jspecify.annotations.Nullable;
import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.Styler;
import org.knowm.xchart.style.markers.SeriesMarkers;

/** Pictures of diffusing points: rows of small charts, one row a process. */
public final class PointPlots {
    private static final int SIZE = 260;
    private static final double RANGE = 3.2;
    private static final int BINS = 64;

    private PointPlots() {}

    /** Which process a panel shows, for its colour. */
    public enum Direction {
        /** Forward by a noise schedule. */
        FORWARD(0x1F77B4),
        /** Forward by a matrix. */
        LINEAR(0x2CA02C),
        /** Reverse. */
        REVERSE(0xD62728);

        private final Color colour;

        Direction(int rgb) {
            colour = new Color(rgb);
        }

        private Color shade() {
            return new Color(colour.getRed(), colour.getGreen(), colour.getBlue(), 90);
        }
    }

    /**
     * One chart: points and a title.
     *
     * @param points [n, d], d the dimension of {@code data}
     * @param alphaBar how much signal is left; the density of a line is drawn for it
     * @param moments drawn as an ellipse of two standard deviations in a plane, if given
     */
    public record Panel(
            String title,
            double[] points,
            double alphaBar,
            Direction direction,
            @Nullable Moments moments) {
        /** A panel without an ellipse. */
        public Panel(String title, double[] points, double alphaBar, Direction direction) {
            this(title, points, alphaBar, direction, null);
        }
    }

    /** The panels row by row; a plane as a scatter plot, a line as a histogram under its exact density. */
    public static BufferedImage draw(GaussianMixture data, List<List<Panel>> rows) {
        int columns = rows.stream().mapToInt(List::size).max().orElseThrow();
        BufferedImage page = new BufferedImage(columns * SIZE, rows.size() * SIZE, BufferedImage.TYPE_INT_RGB);
        Graphics2D graphics = page.createGraphics();
        for (int r = 0; r < rows.size(); r++) {
            for (int c = 0; c < rows.get(r).size(); c++) {
                Panel panel = rows.get(r).get(c);
                XYChart chart = data.dimension() == 1 ? histogram(data, panel) : scatter(panel);
                graphics.drawImage(BitmapEncoder.getBufferedImage(chart), c * SIZE, r * SIZE, null);
            }
        }
        graphics.dispose();
        return page;
    }

    private static XYChart scatter(Panel panel) {
        XYChart chart = frame(panel.title);
        chart.getStyler().setYAxisMin(-RANGE).setYAxisMax(RANGE);
        chart.getStyler().setDefaultSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Scatter);
        int n = panel.points.length / 2;
        double[] x = IntStream.range(0, n).mapToDouble(i -> panel.points[2 * i]).toArray();
        double[] y =
                IntStream.range(0, n).mapToDouble(i -> panel.points[2 * i + 1]).toArray();
        chart.addSeries("points", x, y).setMarker(SeriesMarkers.CIRCLE).setMarkerColor(panel.direction.colour);
        if (panel.moments != null) {
            ellipse(chart, panel.moments);
        }
        return chart;
    }

    /** The image of a circle of radius 2 under the Cholesky factor of the covariance. */
    private static void ellipse(XYChart chart, Moments moments) {
        double[][] covariance = moments.covariance();
        double l00 = Math.sqrt(covariance[0][0]);
        double l10 = covariance[1][0] / l00;
        double l11 = Math.sqrt(covariance[1][1] - l10 * l10);
        double[] x = new double[73];
        double[] y = new double[73];
        for (int i = 0; i < x.length; i++) {
            double c = 2 * Math.cos(i * Math.PI / 36);
            double s = 2 * Math.sin(i * Math.PI / 36);
            x[i] = moments.mean()[0] + l00 * c;
            y[i] = moments.mean()[1] + l10 * c + l11 * s;
        }
        chart.addSeries("ellipse", x, y)
                .setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Line)
                .setMarker(SeriesMarkers.NONE)
                .setLineColor(Color.BLACK)
                .setLineStyle(new BasicStroke(1.5f));
    }

    private static XYChart histogram(GaussianMixture data, Panel panel) {
        XYChart chart = frame(panel.title);
        double width = 2 * RANGE / BINS;
        // two points a bin draw the outline of its bar
        double[] x = new double[2 * BINS];
        double[] counts = new double[2 * BINS];
        double[] density = new double[2 * BINS];
        for (double point : panel.points) {
            int bin = (int) Math.floor((point + RANGE) / width);
            if (bin >= 0 && bin < BINS) {
                counts[2 * bin] += 1 / (panel.points.length * width);
            }
        }
        for (int i = 0; i < 2 * BINS; i++) {
            counts[i] = counts[i / 2 * 2];
            x[i] = -RANGE + (i + 1) / 2 * width;
            density[i] = data.density(new double[] {x[i]}, panel.alphaBar);
        }
        double top = Math.max(
                Arrays.stream(counts).max().orElseThrow(),
                Arrays.stream(density).max().orElseThrow());
        chart.getStyler().setYAxisMin(0.0).setYAxisMax(1.1 * top);
        chart.addSeries("points", x, counts)
                .setXYSeriesRenderStyle(XYSeries.XYSeriesRenderStyle.Area)
                .setMarker(SeriesMarkers.NONE)
                .setLineColor(panel.direction.colour)
                .setFillColor(panel.direction.shade());
        chart.addSeries("density", x, density)
                .setMarker(SeriesMarkers.NONE)
                .setLineColor(Color.BLACK)
                .setLineStyle(new BasicStroke(1.5f));
        return chart;
    }

    private static XYChart frame(String title) {
        XYChart chart = new XYChartBuilder()
                .width(SIZE)
                .height(SIZE)
                .title(title)
                .theme(Styler.ChartTheme.Matlab)
                .build();
        chart.getStyler()
                .setXAxisMin(-RANGE)
                .setXAxisMax(RANGE)
                .setXAxisTickMarkSpacingHint(60)
                .setMarkerSize(3)
                .setLegendVisible(false)
                .setPlotContentSize(1);
        return chart;
    }
}
