package diffusion.cli;

import diffusion.io.Picture;
import diffusion.pipeline.Edit;
import java.util.List;
import java.util.Set;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What a command that leads pictures back to noise can be told. */
final class InversionOptions {
    @Option(
            names = "--source",
            paramLabel = "CLASS|TEXT",
            description = "What the picture that is led back to noise shows (default: not said).")
    private @Nullable String source;

    /** Throws if the options do not fit together; {@code switched} is what makes a run an inversion. */
    void check(SamplingOptions options, boolean inverted, String switched) {
        if (source != null && !inverted) {
            throw new Main.UsageException("--source: expected " + switched + " with it, found none");
        }
        String scheduler = options.scheduler;
        if (inverted && scheduler != null && !Set.of("ddim", "DDIMScheduler").contains(scheduler)) {
            throw new Main.UsageException(
                    "--scheduler: expected ddim, which is what can be led back, found " + scheduler);
        }
    }

    /** The way back to noise, and from there. */
    Edit.Invert edit(List<Picture> pictures, double strength, SamplingOptions options) {
        return new Edit.Invert(pictures, source, strength, options.prompt.plain);
    }

    String said() {
        return "DDIM, " + (source == null ? "unconditional" : "of " + source);
    }
}
