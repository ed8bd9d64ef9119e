package diffusion.cli;

import diffusion.io.Picture;
import diffusion.pipeline.Edit;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;

/** {@code diffusion img2img}. */
@Command(
        name = "img2img",
        description = "Makes pictures that resemble a given one: noise is added to it and taken away again.",
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

    @Override
    public Integer call() {
        long start = System.nanoTime();
        options.check(Path.of("img2img.png"));
        Picture picture = input.picture();
        double strength = input.strength(STRENGTH);
        return PictureSampling.run(
                options,
                new PictureEdit(picture, input.show) {
                    @Override
                    Sized sized(int height, int width) {
                        Picture resized = resized(picture, height, width);
                        return new Sized(
                                height,
                                width,
                                new Edit.ImageToImage(resized, strength),
                                List.of(new Shown("input", resized)),
                                made -> made,
                                show());
                    }

                    @Override
                    void describe(Map<String, Object> fields) {
                        fields.put("Denoising strength", strength);
                        fields.put(SampleFiles.INPUT, input.input.getFileName());
                    }
                },
                start);
    }
}
