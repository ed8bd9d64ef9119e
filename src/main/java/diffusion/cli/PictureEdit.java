package diffusion.cli;

import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.pipeline.Edit;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.scheduler.Scheduler;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import org.jspecify.annotations.Nullable;

/** What a command does to a picture, before the size of the result is known. */
abstract class PictureEdit {
    /** A picture of the figure of before and after. */
    record Shown(String label, Picture picture) {}

    /**
     * An edit at the size of the result.
     *
     * @param before what the figure shows before the results
     * @param finishing what is done to every result of a text model
     * @param figure where the figure goes; null for none
     */
    record Sized(
            int height,
            int width,
            Edit edit,
            List<Shown> before,
            UnaryOperator<Picture> finishing,
            @Nullable Path figure) {
        Picture finish(Picture made) {
            return finishing.apply(made);
        }

        /** Writes the figure, if it is wanted. */
        void show(SampleFiles files, List<Generated> pictures) {
            if (figure == null) {
                return;
            }
            List<Picture> shown =
                    new ArrayList<>(before.stream().map(Shown::picture).toList());
            List<String> labels =
                    new ArrayList<>(before.stream().map(Shown::label).toList());
            for (Generated picture : pictures) {
                shown.add(picture.picture());
                labels.add(files.caption(picture));
            }
            Images.writePng(figure, Grid.compose(shown, labels, Math.min(shown.size(), COLUMNS)), Map.of());
            files.add(figure, pictures);
        }
    }

    private static final int COLUMNS = 8;

    private final @Nullable Picture picture;
    private final @Nullable Path show;

    /** An edit of a picture, or of none, where the size is the model's own. */
    PictureEdit(@Nullable Picture picture, @Nullable Path show) {
        this.picture = picture;
        this.show = show;
    }

    final @Nullable Path show() {
        return show;
    }

    /** The edit at a size. */
    abstract Sized sized(int height, int width);

    /** The sampler of a model that follows no text. */
    Scheduler scheduler(LoadedModel model, @Nullable String name) {
        return model.scheduler(name);
    }

    /** What a run is sampled with where the user, or else the model, says {@code chosen}. */
    Scheduler sampler(Scheduler chosen) {
        return chosen;
    }

    /** Told the results after they are written. */
    void finished(SampleFiles files, List<Generated> pictures) {}

    /** Adds to the text of a picture's file. */
    abstract void describe(Map<String, Object> fields);

    /** The edit at a given size or, for null, the picture's own, rounded down to what the autoencoder takes. */
    Sized sized(StableDiffusionComponents components, @Nullable Integer height, @Nullable Integer width) {
        int factor = components.factor();
        int own = components.size();
        if (picture == null && own == 0 && (height == null || width == null)) {
            throw new Main.UsageException(
                    "--width, --height: expected sizes, because the U-Net's config.json has no sample_size");
        }
        return sized(
                height != null ? height : picture == null ? own : fitting(picture.height(), factor),
                width != null ? width : picture == null ? own : fitting(picture.width(), factor));
    }

    static int fitting(int side, int factor) {
        return Math.max(factor, side - side % factor);
    }

    static Picture resized(Picture given, int height, int width) {
        return Resampler.resize(given, height, width, Resampler.Filter.LANCZOS);
    }
}
