package diffusion.cli;

import org.jspecify.annotations.Nullable;

/** What {@code sample} and the commands that change pictures do, by whether the model follows a text. */
final class PictureSampling {
    private PictureSampling() {}

    /** Makes and writes the pictures, from a picture or, for null, from noise; returns the exit status. */
    static int run(SamplingOptions options, @Nullable PictureEdit edit, long start) {
        options.model = PullCommand.resolve(options.model);
        return TextSampling.matches(options.model)
                ? new TextSampling(options, edit).run(start)
                : new ClassSampling(options, edit).run(start);
    }
}
