package diffusion.cli;

import diffusion.io.Gif;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.pipeline.Edit;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.Inversion;
import diffusion.scheduler.Scheduler;
import java.awt.image.BufferedImage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion interpolate}. */
@Command(
        description =
                "Makes the pictures between those of two seeds, or between two pictures, as a strip: their noises are"
                        + " interpolated on a sphere and sampled.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class InterpolateCommand implements Callable<Integer> {
    private static final int COUNT = 8;
    private static final int FRAME_MILLIS = 120;

    @Option(names = "--to-seed", paramLabel = "N", description = "The last seed; --seed is the first.")
    private @Nullable Long toSeed;

    @Option(names = "--input", paramLabel = "FILE", description = "The first picture, PNG or JPEG, instead of a seed.")
    private @Nullable Path input;

    @Option(names = "--to", paramLabel = "FILE", description = "The last picture.")
    private @Nullable Path to;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private InversionOptions inversion;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private SamplingOptions options;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        options.check(Path.of("interpolation.png"));
        boolean pictures = input != null && to != null;
        if (pictures == (toSeed != null) || (input == null) != (to == null)) {
            throw new Main.UsageException(
                    "expected two seeds, --seed and --to-seed, or two pictures, --input and --to");
        }
        inversion.check(options, pictures, "--input and --to");
        if (options.classes.size() > 1 || options.prompt.prompts.size() > 1) {
            throw new Main.UsageException("--class, --prompt: expected one at most, for all pictures of the strip");
        }
        options.count = options.count == null ? COUNT : options.count;
        options.columns = options.count;
        Path animation = options.animate; // of the strip, not of the reverse process
        options.animate = null;
        PictureEdit edit = toSeed == null
                ? between(
                        Images.read(Objects.requireNonNull(input), 0),
                        Images.read(Objects.requireNonNull(to), 0),
                        animation)
                : between(toSeed, animation);
        return PictureSampling.run(options, edit, start);
    }

    private PictureEdit between(long last, @Nullable Path animation) {
        return new Strip(null, animation) {
            @Override
            Edit edit(int height, int width) {
                return new Edit.Between(options.seed, last);
            }

            @Override
            void describe(Map<String, Object> fields) {
                fields.put(SampleFiles.INPUT, "seeds " + options.seed + " to " + last);
            }
        };
    }

    private PictureEdit between(Picture first, Picture last, @Nullable Path animation) {
        return new Strip(first, animation) {
            @Override
            Edit edit(int height, int width) {
                return inversion.edit(List.of(resized(first, height, width), resized(last, height, width)), 1, options);
            }

            @Override
            Scheduler sampler(Scheduler chosen) {
                return Inversion.sampler(chosen);
            }

            @Override
            void describe(Map<String, Object> fields) {
                fields.put("Inversion", inversion.said());
                fields.put(SampleFiles.INPUT, input + " to " + to);
            }
        };
    }

    /** An edit whose results are written as an animation too, there and back. */
    private abstract static class Strip extends PictureEdit {
        private final @Nullable Path animation;

        Strip(@Nullable Picture picture, @Nullable Path animation) {
            super(picture, null);
            this.animation = animation;
        }

        abstract Edit edit(int height, int width);

        @Override
        final Sized sized(int height, int width) {
            return new Sized(height, width, edit(height, width), List.of(), made -> made, null);
        }

        @Override
        final void finished(SampleFiles files, List<Generated> pictures) {
            if (animation == null) {
                return;
            }
            List<BufferedImage> frames = new ArrayList<>();
            for (int i = 0; i < Math.max(1, 2 * pictures.size() - 2); i++) {
                int at = i < pictures.size() ? i : 2 * pictures.size() - 2 - i;
                frames.add(Grid.compose(List.of(pictures.get(at).picture()), List.of()));
            }
            Gif.write(animation, frames, FRAME_MILLIS, FRAME_MILLIS);
            files.add(animation, pictures);
        }
    }
}
