package diffusion.cli;

import java.nio.file.Path;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion sample}. */
@Command(
        description = "Makes pictures; without options, 16 labelled digits in samples.png; of a text with --prompt.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class SampleCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private SamplingOptions options;

    @Option(
            names = "--from",
            paramLabel = "FILE.png",
            description =
                    "Make a picture again from what its file says (ours, AUTOMATIC1111's); other options override it.")
    private @Nullable Path from;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        if (from != null) {
            PictureSettings settings = PictureSettings.read(from);
            options.take(settings);
            if (!settings.unknown().isEmpty()) {
                System.err.println("--from: " + from + " also says " + String.join(", ", settings.unknown())
                        + ", which is not followed here; the picture may be another");
            }
        }
        options.check(Path.of("samples.png"));
        return PictureSampling.run(options, null, start);
    }
}
