package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.pipeline.FinishedStep;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** What {@code --preview-every} writes: what the finished pictures will be, as far as the run knows, beside its result. */
final class Previews {
    private final Path out;
    private final @Nullable Integer every;
    private final long seed;

    Previews(SamplingOptions options) {
        out = options.out();
        every = options.previewEvery;
        seed = options.seed;
    }

    /** Writes a file if it is time for one; of the last step there is the result. */
    void show(FinishedStep step) {
        if (every == null
                || step.first() == FinishedStep.LED_BACK
                || step.done() % every != 0
                || step.done() == step.steps()) {
            return;
        }
        String end = "seed%d-step%04d.png".formatted(seed + step.first(), step.done());
        String name = String.valueOf(out.getFileName());
        boolean file = Targets.isPng(out);
        Path path = file
                ? out.resolveSibling(name.substring(0, name.length() - ".png".length()) + "-" + end)
                : out.resolve("preview-" + end);
        try {
            if (!file) {
                Files.createDirectories(out);
            }
        } catch (IOException e) {
            throw new DiffusionException("--out: cannot create folder " + out + ": " + e.getMessage(), e);
        }
        List<Picture> previews = step.previews();
        Map<String, String> text = Map.of("Step", String.valueOf(step.done()));
        if (previews.size() == 1) {
            Images.writePng(path, previews.getFirst(), text);
        } else {
            Images.writePng(path, Grid.compose(previews, List.of()), text);
        }
    }
}
