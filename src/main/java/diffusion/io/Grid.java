package diffusion.io;

import java.awt.Color;
import java.awt.Font;
import java.awt.FontMetrics;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.util.List;

/** Pictures side by side on white, small ones enlarged pixel by pixel, each with an optional label beneath. */
public final class Grid {
    private static final int GAP = 8;
    private static final int LABEL_HEIGHT = 22;

    /** Pictures smaller than half of this are enlarged towards it. */
    private static final int TARGET = 128;

    private Grid() {}

    /** A grid about as wide as it is high. */
    public static BufferedImage compose(List<Picture> pictures, List<String> labels) {
        return compose(pictures, labels, (int) Math.ceil(Math.sqrt(pictures.size())));
    }

    /**
     * A grid with the given number of columns.
     *
     * @param pictures at least one; cells are as large as the largest
     * @param labels one for each picture, or none at all
     */
    public static BufferedImage compose(List<Picture> pictures, List<String> labels, int columns) {
        if (pictures.isEmpty() || columns < 1 || (!labels.isEmpty() && labels.size() != pictures.size())) {
            throw new IllegalArgumentException(
                    "found " + pictures.size() + " pictures, " + labels.size() + " labels and " + columns + " columns");
        }
        int widest = pictures.stream().mapToInt(Picture::width).max().orElseThrow();
        int highest = pictures.stream().mapToInt(Picture::height).max().orElseThrow();
        int scale = scale(Math.max(widest, highest));
        int cellWidth = widest * scale;
        int cellHeight = highest * scale + (labels.isEmpty() ? 0 : LABEL_HEIGHT);
        int shown = Math.min(columns, pictures.size());
        int rows = Math.ceilDiv(pictures.size(), columns);

        BufferedImage image = new BufferedImage(
                GAP + shown * (cellWidth + GAP), GAP + rows * (cellHeight + GAP), BufferedImage.TYPE_INT_RGB);
        Graphics2D g = image.createGraphics();
        try {
            g.setColor(Color.WHITE);
            g.fillRect(0, 0, image.getWidth(), image.getHeight());
            g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_NEAREST_NEIGHBOR);
            g.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
            for (int i = 0; i < pictures.size(); i++) {
                // RGB first: Java2D would brighten 8-bit grey on its way to an RGB image.
                Picture picture = pictures.get(i).withChannels(3);
                int x = GAP + i % columns * (cellWidth + GAP);
                int y = GAP + i / columns * (cellHeight + GAP);
                g.drawImage(picture.toImage(), x, y, picture.width() * scale, picture.height() * scale, null);
                if (!labels.isEmpty()) {
                    drawLabel(g, labels.get(i), x, y + highest * scale, cellWidth);
                }
            }
        } finally {
            g.dispose();
        }
        return image;
    }

    /** Integer enlargement: 28 and 32 pixels become 4 times as large, 64 twice, anything larger stays. */
    static int scale(int size) {
        return size > 64 ? 1 : Math.max(1, TARGET / size);
    }

    private static void drawLabel(Graphics2D g, String label, int x, int y, int width) {
        g.setColor(Color.DARK_GRAY);
        g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 15));
        FontMetrics metrics = g.getFontMetrics();
        String text = label;
        while (text.length() > 1 && metrics.stringWidth(text) > width) {
            text = text.substring(0, text.length() - 2) + "\u2026";
        }
        int baseline = y + (LABEL_HEIGHT + metrics.getAscent() - metrics.getDescent()) / 2 + 1;
        g.drawString(text, x + (width - metrics.stringWidth(text)) / 2, baseline);
    }
}
