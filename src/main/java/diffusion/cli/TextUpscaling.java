package diffusion.cli;

import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.pipeline.Edit;
import diffusion.pipeline.StableDiffusionComponents;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code upscale} by models that follow a text, such as the x4 upscaler of Stable Diffusion 2. */
final class TextUpscaling {
    private static final double GUIDANCE = 9;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private PromptOptions prompt;

    @Option(
            names = "--noise-level",
            paramLabel = "N",
            defaultValue = "20",
            description =
                    "Timestep of the noise under which a text model sees the picture (default: ${DEFAULT-VALUE}).")
    private int noiseLevel;

    @Option(names = "--guidance", paramLabel = "G", description = "Guidance scale of a text model (default: 9).")
    private @Nullable Double guidance;

    @Option(names = "--scheduler", description = "Sampler of a text model (default: its own).")
    private @Nullable String scheduler;

    /** Throws if any of this was given for a model that follows no text. */
    void requireUnused(String model) {
        prompt.requireUnused(model);
    }

    /** Makes the picture; {@code sampling} lacks only what this class knows. */
    int run(SamplingOptions sampling, Path input, @Nullable Path show, @Nullable Integer scale) {
        long start = System.nanoTime();
        if (prompt.width != null || prompt.height != null) {
            throw new Main.UsageException(
                    "--width, --height: expected none, because the size is that of the picture times the model's own");
        }
        Targets.requirePicture("--show", show);
        sampling.prompt = prompt;
        sampling.scheduler = scheduler;
        sampling.guidance = guidance != null ? guidance : GUIDANCE;
        sampling.check(Path.of("upscaled.png"));
        Picture picture = Images.read(input, 0);
        return PictureSampling.run(
                sampling,
                new PictureEdit(picture, show) {
                    @Override
                    Sized sized(
                            StableDiffusionComponents components, @Nullable Integer height, @Nullable Integer width) {
                        int factor = components.factor();
                        if (scale != null && scale != factor) {
                            throw new Main.UsageException("--scale: expected " + factor + ", to which "
                                    + components.name() + " enlarges, found " + scale);
                        }
                        return sized(
                                fitting(picture.height(), factor) * factor, fitting(picture.width(), factor) * factor);
                    }

                    @Override
                    Sized sized(int height, int width) {
                        Picture large = Resampler.resize(picture, height, width, Resampler.Filter.BICUBIC);
                        return new Sized(
                                height,
                                width,
                                new Edit.Upscale(picture, noiseLevel),
                                List.of(new Shown("bicubic", large)),
                                made -> made,
                                show());
                    }

                    @Override
                    void describe(Map<String, Object> fields) {
                        fields.put("Noise level", noiseLevel);
                        fields.put(SampleFiles.INPUT, input.getFileName());
                    }
                },
                start);
    }
}
