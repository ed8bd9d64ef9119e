package diffusion.io;

import com.fasterxml.jackson.databind.node.ObjectNode;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;

/** A self-contained HTML page: figures in tables, pictures embedded. */
public final class HtmlReport {
    private final StringBuilder body = new StringBuilder();
    private final String title;

    /** An empty page. */
    public HtmlReport(String title) {
        this.title = title;
    }

    /** Adds a paragraph. */
    public void text(String text) {
        body.append("<p>").append(escape(text)).append("</p>\n");
    }

    /** Adds a table of an object's plain fields. */
    public void table(String heading, ObjectNode values) {
        body.append("<h2>").append(escape(heading)).append("</h2>\n<table>\n");
        values.properties().forEach(entry -> {
            if (entry.getValue().isValueNode()) {
                body.append("<tr><th>")
                        .append(escape(entry.getKey().replace('_', ' ')))
                        .append("</th><td>")
                        .append(escape(entry.getValue().asText()))
                        .append("</td></tr>\n");
            }
        });
        body.append("</table>\n");
    }

    /** Adds a table of rows; those that {@code bad} says so of stand out. */
    public void rows(String heading, List<String> columns, List<List<String>> rows, IntPredicate bad) {
        body.append("<h2>").append(escape(heading)).append("</h2>\n<table>\n<tr>");
        columns.forEach(column -> body.append("<th>").append(escape(column)).append("</th>"));
        body.append("</tr>\n");
        for (int i = 0; i < rows.size(); i++) {
            body.append(bad.test(i) ? "<tr class=\"bad\">" : "<tr>");
            rows.get(i).forEach(cell -> body.append("<td>").append(escape(cell)).append("</td>"));
            body.append("</tr>\n");
        }
        body.append("</table>\n");
    }

    /** Adds a grid of pictures. */
    public void pictures(String heading, List<Picture> pictures, List<String> labels, int columns) {
        if (pictures.isEmpty()) {
            return;
        }
        body.append("<h2>").append(escape(heading)).append("</h2>\n");
        image(heading, Grid.compose(pictures, labels, columns));
    }

    /** Adds one image; {@code description} is for those who cannot see it. */
    public void image(String description, BufferedImage image) {
        String data = Base64.getEncoder().encodeToString(Images.encodePng(image, Map.of()));
        body.append("<img alt=\"").append(escape(description)).append("\" src=\"data:image/png;base64,");
        body.append(data).append("\">\n");
    }

    /** Writes the page. */
    public void write(Path path) {
        AtomicFiles.write(path, """
                <!doctype html>
                <html lang="en"><head><meta charset="utf-8"><title>%s</title>
                <style>
                body { font: 15px/1.5 system-ui, sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; color: #222; }
                h1, h2 { font-weight: 600; } h2 { margin-top: 1.6em; font-size: 1.1em; }
                table { border-collapse: collapse; } th { text-align: left; font-weight: normal; color: #555; }
                th, td { padding: .2em 1.2em .2em 0; border-bottom: 1px solid #ddd; }
                tr.bad td { background: #fdd; }
                img { max-width: 100%%; image-rendering: pixelated; }
                </style></head><body>
                <h1>%s</h1>
                %s</body></html>
                """.formatted(escape(title), escape(title), body));
    }

    /** Pairs of pictures one after the other, for a grid of two columns a pair. */
    public static List<Picture> interleave(List<Picture> first, List<Picture> second) {
        List<Picture> all = new ArrayList<>();
        for (int i = 0; i < first.size(); i++) {
            all.add(first.get(i));
            all.add(second.get(i));
        }
        return all;
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
