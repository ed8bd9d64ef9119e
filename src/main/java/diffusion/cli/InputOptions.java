package diffusion.cli;

import diffusion.io.Images;
import diffusion.io.Picture;
import java.nio.file.Path;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** The picture that a command changes. */
final class InputOptions {
    @Option(
            names = "--input",
            required = true,
            paramLabel = "FILE",
            description = "The picture, PNG or JPEG; it is resized to the size of the result.")
    @SuppressWarnings("NullAway.Init")
    Path input;

    @Option(
            names = "--strength",
            paramLabel = "S",
            description =
                    "Share of the steps that are done, above 0 and at most 1: the more, the freer (default: 0.8 for"
                            + " img2img, 1 for inpaint and for --invert).")
    private @Nullable Double strength;

    @Option(
            names = "--show",
            paramLabel = "FILE.png",
            description = "Also write a figure of before and after, with labels.")
    @Nullable
    Path show;

    Picture picture() {
        Targets.requirePicture("--show", show);
        return Images.read(input, 0);
    }

    double strength(double usual) {
        return strength == null ? usual : strength;
    }
}
