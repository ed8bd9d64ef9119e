package diffusion.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.restore.Measurement;
import diffusion.restore.NoiseLevel;
import diffusion.restore.Outliers;
import diffusion.restore.Pictures;
import diffusion.restore.PixelPrior;
import diffusion.restore.PoissonNoise;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion denoise}. */
@Command(
        description = "Takes noise out of a picture with a pixel-space model that knows pictures of its kind.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class DenoiseCommand implements Callable<Integer> {
    /** What spoilt the picture. */
    enum Noise {
        GAUSSIAN,
        SALT_AND_PEPPER,
        POISSON
    }

    /** How it is restored. */
    enum Method {
        /** The mean of all clean pictures it may have been, in one call. */
        MMSE,
        /** One of them. */
        DDRM
    }

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private RestoreOptions options;

    @Option(
            names = "--sigma",
            paramLabel = "LEVELS",
            description = "Deviation of the noise in levels of 255 (default: estimated with the model).")
    private @Nullable Double sigma;

    @Option(
            names = "--peak",
            paramLabel = "COUNTS",
            description = "Of Poisson noise, the counts at white (default: estimated with the model).")
    private @Nullable Double peak;

    @Option(
            names = "--noise",
            defaultValue = "GAUSSIAN",
            description = "${COMPLETION-CANDIDATES} (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Noise noise;

    @Option(
            names = "--method",
            defaultValue = "MMSE",
            description = "MMSE, the mean of what it may have been, in one model call, or DDRM, a sample (default:"
                    + " ${DEFAULT-VALUE}); salt and pepper is always sampled.")
    @SuppressWarnings("NullAway.Init")
    private Method method;

    @Override
    public Integer call() {
        if (sigma != null && !(sigma > 0 && sigma <= 1000)) {
            throw new Main.UsageException("--sigma: expected more than 0 and at most 1000 levels, found " + sigma);
        }
        if (sigma != null && noise != Noise.GAUSSIAN) {
            throw new Main.UsageException("--sigma: expected with --noise gaussian only, found --noise " + noise);
        }
        if (peak != null && !(peak >= 1 && peak <= 1e5)) {
            throw new Main.UsageException("--peak: expected 1 to 100000 counts, found " + peak);
        }
        if (peak != null && noise != Noise.POISSON) {
            throw new Main.UsageException("--peak: expected with --noise poisson only, found --noise " + noise);
        }
        if (method == Method.MMSE && noise != Noise.SALT_AND_PEPPER) {
            options.refuse(RestoreOptions.OF_SAMPLES, "expected --method ddrm with it, which samples, found mmse");
        }
        long sample = options.callsOfSample();
        return switch (noise) {
            case GAUSSIAN ->
                options.run(
                        "denoise",
                        1,
                        (sigma == null ? NoiseLevel.ROUNDS : 0) + (method == Method.MMSE ? 1 : sample),
                        this::gaussian);
            case POISSON ->
                options.run(
                        "denoise",
                        1,
                        (peak == null ? NoiseLevel.ROUNDS : 0) + 1 + (method == Method.MMSE ? 0 : sample),
                        this::poisson);
            case SALT_AND_PEPPER ->
                options.run(
                        "denoise",
                        1,
                        Outliers.ROUNDS * sample,
                        (prior, y, _) ->
                                Outliers.remove(prior, options.sampler(), y, options.average(), options.seed()));
        };
    }

    private Pictures gaussian(PixelPrior prior, Pictures y, ObjectNode notes) {
        double s = sigma != null ? sigma / 127.5 : NoiseLevel.fit(prior, y)[0];
        notes.put(sigma != null ? "sigma" : "sigma_estimated", Math.round(s * 12750) / 100.0);
        return method == Method.MMSE ? prior.denoise(y, s) : sample(prior, Measurement.noisy(y, s));
    }

    private Pictures poisson(PixelPrior prior, Pictures y, ObjectNode notes) {
        double counts = peak != null ? peak : NoiseLevel.fitPeak(prior, y)[0];
        notes.put(peak != null ? "peak" : "peak_estimated", Math.round(counts * 100) / 100.0);
        PoissonNoise light = new PoissonNoise(counts);
        Pictures mean = PoissonNoise.denoise(prior, y, counts);
        return method == Method.MMSE ? mean : sample(prior, light.measurement(y, mean));
    }

    private Pictures sample(PixelPrior prior, Measurement measurement) {
        return options.sampler().mean(prior, measurement, options.average(), options.seed());
    }
}
