package diffusion.cli;

import diffusion.restore.Measurement;
import java.util.List;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion upscale}. */
@Command(
        description = "Enlarges a picture: a sample of what a pixel-space model holds for possible, whose means over"
                + " squares are the given pixels, or what an upscaler that follows a text makes of it.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class UpscaleCommand implements Callable<Integer> {
    @Mixin
    @SuppressWarnings("NullAway.Init")
    private RestoreOptions options;

    @Option(
            names = "--scale",
            paramLabel = "N",
            description = "How many times as large, 2 to 16 (default: a text model's own, such as 4).")
    private @Nullable Integer scale;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private TextUpscaling text;

    @Option(
            names = "--sigma",
            defaultValue = "0",
            paramLabel = "LEVELS",
            description = "Deviation of noise in the small picture, in levels of 255 (default: ${DEFAULT-VALUE}).")
    private double sigma;

    @Override
    public Integer call() {
        if (TextSampling.matches(options.model())) {
            options.refuse(
                    List.of("--sigma", "--average", "--repeats"),
                    "expected a model of pixels with it, found " + options.model() + ", which follows a text");
            return text.run(options.sampling(), options.input(), options.show(), scale);
        }
        text.requireUnused(options.model());
        options.refuse(
                List.of("--noise-level", "--guidance", "--scheduler"),
                "expected a model that follows a text with it, found " + options.model());
        Integer times = scale;
        if (times == null || times < 2 || times > 16) {
            throw new Main.UsageException("--scale: expected 2 to 16, found " + (times == null ? "none" : times));
        }
        if (!(sigma >= 0 && sigma <= 1000)) {
            throw new Main.UsageException("--sigma: expected 0 to 1000 levels, found " + sigma);
        }
        return options.run("upscale", times, options.callsOfSample(), (prior, y, notes) -> {
            notes.put("scale", times);
            Measurement measurement = Measurement.averaged(y, times, sigma / 127.5);
            return options.sampler().mean(prior, measurement, options.average(), options.seed());
        });
    }
}
