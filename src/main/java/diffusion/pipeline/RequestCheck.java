package diffusion.pipeline;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import org.jspecify.annotations.Nullable;

/** Whether models of texts can make what is wanted of them. */
final class RequestCheck {
    private static final String GUIDED = "--guide: expected every step in full and the model's own, found ";

    private RequestCheck() {}

    /** Throws if the model does not make pictures from noise by itself, and is to. */
    static void unrefined(StableDiffusionComponents components, StableDiffusionPipeline.Request request) {
        if (request.edit() == null && components.scoresAesthetics()) {
            throw new DiffusionException(components.name() + " is a refiner, which makes pictures only from other"
                    + " pictures; give the base model, and this one with --refiner");
        }
    }

    /** Throws if two models on the same latents cannot make it together. */
    static void refined(
            StableDiffusionComponents first,
            StableDiffusionComponents second,
            StableDiffusionPipeline.Request request,
            @Nullable Saving saving,
            boolean guides) {
        if (guides) {
            throw new DiffusionException(GUIDED + "--refiner");
        }
        if (saving != null && !(saving instanceof Saving.Cache)) {
            throw new DiffusionException("--refiner: expected each model's steps once and in turn, found "
                    + saving.option() + "; of the ways to spend model calls only --cache goes with it");
        }
        if (request.edit() != null) {
            throw new DiffusionException("--refiner: expected pictures of texts alone, found an input picture;"
                    + " refine what is made of it with img2img --model " + second.name());
        }
        if (second.factor() != first.factor()
                || second.vae().latentChannels() != first.vae().latentChannels()
                || second.extraChannels() != 0) {
            throw new DiffusionException("--refiner: expected a model of the same latents as " + first.name()
                    + ", found another kind in " + second.name());
        }
    }

    /** Throws if the model cannot make what is wanted. */
    static void alone(
            StableDiffusionComponents components,
            StableDiffusionPipeline.Request request,
            @Nullable Saving saving,
            boolean guides) {
        int multiple = components.factor();
        if (request.height() < multiple
                || request.height() % multiple != 0
                || request.width() < multiple
                || request.width() % multiple != 0) {
            throw new DiffusionException("the size must be a multiple of %d, found %dx%d; the nearest is %dx%d"
                    .formatted(
                            multiple,
                            request.width(),
                            request.height(),
                            nearest(request.width(), multiple),
                            nearest(request.height(), multiple)));
        }
        int extra = components.extraChannels();
        int latent = components.vae().latentChannels();
        String made = extra == 0
                ? "makes or changes pictures"
                : extra == latent + 1
                        ? "fills holes of pictures: use inpaint with --input and --mask"
                        : extra == components.vae().inChannels()
                                ? "makes pictures larger: use upscale with --input"
                                : "is none that is known";
        boolean fits = switch (request.edit()) {
            case null -> extra == 0;
            case Edit.ImageToImage _, Edit.Invert _, Edit.Between _, Edit.Stylize _ -> extra == 0;
            case Edit.Inpaint _ -> extra == 0 || extra == latent + 1;
            case Edit.Upscale _ -> extra == components.vae().inChannels() && components.lowResScheduler() != null;
        };
        if (!fits) {
            throw new DiffusionException("%s: its U-Net takes %d channels, with which it %s"
                    .formatted(components.name(), components.unet().inChannels(), made));
        }
        if (request.edit() != null) {
            request.edit().check(request.steps());
        }
        Saving.check(saving, request.edit(), guides);
        if (guides && request.guidanceRescale() != 0) {
            throw new DiffusionException(GUIDED + "--guidance-rescale");
        }
        if (!(request.guidanceRescale() >= 0 && request.guidanceRescale() <= 1)) {
            throw new DiffusionException("--guidance-rescale: expected 0 to 1, found " + request.guidanceRescale());
        }
        Integer levels = components.unet().numClassEmbeds();
        if (request.edit() instanceof Edit.Upscale(Picture _, int level)
                && levels != null
                && (level < 0 || level >= levels)) {
            throw new DiffusionException("--noise-level: expected 0 to " + (levels - 1) + ", found " + level);
        }
    }

    private static int nearest(int size, int multiple) {
        return Math.max(1, Math.round((float) size / multiple)) * multiple;
    }
}
