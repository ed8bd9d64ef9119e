package diffusion.cli;

import diffusion.restore.Measurement;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion upscale}. */
@Command(
        name = "upscale",
        description = "Enlarges a picture: a sample of what a pixel-space model holds for possible, whose means over"
                + " squares are the given pixels.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class UpscaleCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private RestoreOptions options;

    @Option(names = "--scale", required = true, paramLabel = "N", description = "How many times as large, 2 to 16.")
    private int scale;

    @Option(
            names = "--sigma",
            defaultValue = "0",
            paramLabel = "LEVELS",
            description = "Deviation of noise in the small picture, in levels of 255 (default: ${DEFAULT-VALUE}).")
    private double sigma;

    @Override
    public Integer call() {
        if (scale < 2 || scale > 16) {
            throw new Main.UsageException("--scale: expected 2 to 16, found " + scale);
        }
        if (!(sigma >= 0 && sigma <= 1000)) {
            throw new Main.UsageException("--sigma: expected 0 to 1000 levels, found " + sigma);
        }
        return options.run("upscale", scale, options.callsOfSample(), (prior, y, notes) -> {
            notes.put("scale", scale);
            Measurement measurement = Measurement.averaged(y, scale, sigma / 127.5);
            return options.sampler().mean(prior, measurement, options.average(), options.seed());
        });
    }
}
