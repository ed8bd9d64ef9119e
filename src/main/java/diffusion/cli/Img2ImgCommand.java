package diffusion.cli;

import diffusion.io.Picture;
import diffusion.pipeline.Edit;
import diffusion.pipeline.Inversion;
import diffusion.scheduler.Scheduler;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion img2img}. */
@Command(
        description =
                "Makes pictures that resemble a given one: noise is added to it and taken away again, or (--invert) worked"
                        + " out from it.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class Img2ImgCommand implements Callable<Integer> {
    private static final double STRENGTH = 0.8;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private InputOptions input;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private SamplingOptions options;

    @Option(
            names = "--invert",
            description =
                    "Lead the picture back to the noise it could come from instead (DDIM) and sample from there; without"
                            + " --class or --prompt it comes back.")
    private boolean invert;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private InversionOptions inversion;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        options.check(Path.of("img2img.png"));
        inversion.check(options, invert, "--invert");
        Picture picture = input.picture();
        double strength = input.strength(invert ? 1 : STRENGTH);
        return PictureSampling.run(
                options,
                new PictureEdit(picture, input.show) {
                    @Override
                    Sized sized(int height, int width) {
                        Picture resized = resized(picture, height, width);
                        return new Sized(
                                height,
                                width,
                                invert
                                        ? inversion.edit(List.of(resized), strength, options)
                                        : new Edit.ImageToImage(resized, strength),
                                List.of(new Shown("input", resized)),
                                made -> made,
                                show());
                    }

                    @Override
                    Scheduler sampler(Scheduler chosen) {
                        return invert ? Inversion.sampler(chosen) : chosen;
                    }

                    @Override
                    void describe(Map<String, Object> fields) {
                        if (invert) {
                            fields.put("Inversion", inversion.said());
                        }
                        fields.put("Denoising strength", strength);
                        fields.put(SampleFiles.INPUT, input.input.getFileName());
                    }
                },
                start);
    }
}
