package diffusion.cli;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.pipeline.ImageGenerator.Generated;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.function.Function;
import org.jspecify.annotations.Nullable;

/** The files of a run of {@code sample}, and what is said about them. */
final class SampleFiles {
    /** A file that was written, and the pictures in it. */
    private record Written(Path path, List<Generated> pictures) {}

    /** The field of a picture's text that names the picture it was made from. */
    static final String INPUT = "Input";

    private final SamplingOptions options;
    private final String model;
    private final String sampler;
    private final double guidance;
    private final String backend;
    private final String key;
    private final Function<Generated, @Nullable String> label;
    private final Function<List<Generated>, Map<String, String>> text;
    private final List<Written> files = new ArrayList<>();

    /**
     * Files at the options' place, a PNG file or a folder.
     *
     * @param key what {@code label} is called in JSON
     * @param label what a picture shows; null if nobody said
     * @param text the PNG text of a file with these pictures
     */
    SampleFiles(
            SamplingOptions options,
            String model,
            String sampler,
            double guidance,
            String backend,
            String key,
            Function<Generated, @Nullable String> label,
            Function<List<Generated>, Map<String, String>> text) {
        this.options = options;
        this.model = model;
        this.sampler = sampler;
        this.guidance = guidance;
        this.backend = backend;
        this.key = key;
        this.label = label;
        this.text = text;
    }

    /** One file with a grid, or a file for each picture. */
    void write(List<Generated> pictures) {
        Path out = options.out();
        if (Targets.isPng(out)) {
            if (pictures.size() == 1) {
                Images.writePng(out, pictures.getFirst().picture(), text.apply(pictures));
            } else {
                List<String> names = key.equals("class") && pictures.stream().anyMatch(this::isLabelled)
                        ? pictures.stream()
                                .map(made -> Objects.requireNonNullElse(label.apply(made), "none"))
                                .toList()
                        : List.of();
                List<Picture> images = pictures.stream().map(Generated::picture).toList();
                Images.writePng(
                        out,
                        options.columns == 0
                                ? Grid.compose(images, names)
                                : Grid.compose(images, names, options.columns),
                        text.apply(pictures));
            }
            add(out, pictures);
            return;
        }
        try {
            Files.createDirectories(out);
        } catch (IOException e) {
            throw new DiffusionException("--out: cannot create folder " + out + ": " + e.getMessage(), e);
        }
        for (int i = 0; i < pictures.size(); i++) {
            Generated picture = pictures.get(i);
            Path file = out.resolve("%05d-seed%d.png".formatted(i, picture.seed()));
            Images.writePng(file, picture.picture(), text.apply(List.of(picture)));
            add(file, List.of(picture));
        }
    }

    private boolean isLabelled(Generated picture) {
        return label.apply(picture) != null;
    }

    /** What a picture is called in a figure: its class, or else its seed. */
    String caption(Generated picture) {
        String shown = key.equals("class") ? label.apply(picture) : null;
        return shown == null ? "seed " + picture.seed() : shown;
    }

    /** Notes a file that was written by others. */
    void add(Path path, List<Generated> pictures) {
        files.add(new Written(path, pictures));
    }

    /**
     * Prints a line a file, or one JSON object.
     *
     * @param times where the time went; only in JSON
     */
    void report(boolean json, double seconds, Map<String, Double> times) {
        if (!json) {
            for (Written file : files) {
                System.out.printf(
                        Locale.ROOT,
                        "%s: %d picture%s, model %s, %s, %d steps, seed %d, backend %s, %.1f s%n",
                        file.path,
                        file.pictures.size(),
                        file.pictures.size() == 1 ? "" : "s",
                        model,
                        sampler,
                        options.steps,
                        file.pictures.getFirst().seed(),
                        backend,
                        seconds);
            }
            return;
        }
        ObjectNode object = Json.object();
        object.put("model", model);
        object.put("scheduler", sampler);
        object.put("steps", options.steps);
        object.put("guidance", guidance);
        object.put("seed", files.getFirst().pictures.getFirst().seed());
        object.put("rng", options.rng.name().toLowerCase(Locale.ROOT));
        object.put("backend", backend);
        object.put("seconds", Math.round(seconds * 1000) / 1000.0);
        if (!times.isEmpty()) {
            ObjectNode parts = object.putObject("times");
            times.forEach((name, value) -> parts.put(name.replace(' ', '_'), value));
        }
        ArrayNode list = object.putArray("files");
        for (Written file : files) {
            ObjectNode entry = list.addObject();
            entry.put("path", file.path.toString());
            Generated first = file.pictures.getFirst();
            entry.put("seed", first.seed());
            if (file.pictures.size() > 1 && file.pictures.stream().anyMatch(this::isLabelled)) {
                ArrayNode names = entry.putArray(key);
                file.pictures.forEach(p -> names.add(label.apply(p)));
            } else {
                entry.put(key, label.apply(first));
            }
        }
        System.out.println(Json.pretty(object));
    }
}
