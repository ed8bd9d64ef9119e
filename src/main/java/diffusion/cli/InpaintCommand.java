package diffusion.cli;

import diffusion.io.Images;
import diffusion.io.Mask;
import diffusion.io.Picture;
import diffusion.pipeline.Edit;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.scheduler.RePaintScheduler;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion inpaint}. */
@Command(
        description = "Makes the masked part of a picture anew, or continues it beyond its borders.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class InpaintCommand implements Callable<Integer> {
    private static final List<String> OF_REPAINT = List.of("--jump-length", "--jump-samples");

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private InputOptions input;

    @Option(
            names = "--mask",
            paramLabel = "FILE",
            description = "A picture that is white where the other is made anew; it is resized like that.")
    private @Nullable Path mask;

    @Option(
            names = "--expand",
            paramLabel = "L,T,R,B",
            hideParamSyntax = true,
            split = ",",
            arity = "1",
            description = "Pixels to add at the left, top, right and bottom; they are made anew.")
    private int @Nullable [] expand;

    @Option(
            names = "--feather",
            paramLabel = "N",
            defaultValue = "0",
            description = "Blend the new part into the old over about N pixels inside the mask (default: 0).")
    private double feather;

    @Option(
            names = "--overlay",
            description =
                    "Put the old part back pixel by pixel over what a text model made; models that follow no text,"
                            + " and --feather, always do.")
    private boolean overlay;

    @Option(
            names = "--jump-length",
            paramLabel = "N",
            defaultValue = "10",
            description = "Steps that RePaint undoes at a time (default: ${DEFAULT-VALUE}).")
    private int jumpLength;

    @Option(
            names = "--jump-samples",
            paramLabel = "N",
            defaultValue = "10",
            description = "How often RePaint goes through each stretch; 1 for once (default: ${DEFAULT-VALUE}).")
    private int jumpSamples;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private SamplingOptions options;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        options.check(Path.of("inpaint.png"));
        if (mask == null && expand == null) {
            throw new Main.UsageException("--mask: expected a picture of what is to be made anew, or --expand");
        }
        if (!(feather >= 0 && feather <= 1000)) {
            throw new Main.UsageException("--feather: expected 0 to 1000 pixels, found " + feather);
        }
        Picture picture = input.picture();
        Picture white = mask == null ? Mask.none(picture) : Images.read(mask, 1);
        if (expand != null) {
            white = Mask.expanded(resized(white, picture), borders(expand));
            picture = picture.expand(borders(expand));
        }
        return PictureSampling.run(options, new Hole(picture, white), start);
    }

    private static Picture resized(Picture white, Picture picture) {
        return PictureEdit.resized(white, picture.height(), picture.width());
    }

    private static int[] borders(int... given) {
        boolean fits = given.length == 4;
        for (int side : given) {
            fits &= side >= 0 && side <= 16_384;
        }
        if (!fits) {
            throw new Main.UsageException(
                    "--expand: expected four numbers of pixels, left, top, right and bottom, found "
                            + java.util.Arrays.toString(given));
        }
        return given;
    }

    private final class Hole extends PictureEdit {
        private final Picture picture;
        private final Picture white;

        Hole(Picture picture, Picture white) {
            super(picture, input.show);
            this.picture = picture;
            this.white = white;
        }

        @Override
        Sized sized(int height, int width) {
            Picture resized = resized(picture, height, width);
            Mask hard = Mask.of(resized(white, height, width));
            if (hard.isEmpty()) {
                throw new Main.UsageException(
                        "--mask: expected white where the picture is to be made anew, found none");
            }
            Mask soft = hard.feathered(feather);
            boolean text = TextSampling.matches(options.model);
            return new Sized(
                    height,
                    width,
                    new Edit.Inpaint(resized, (text ? hard : soft).picture(), input.strength(1)),
                    List.of(new Shown("input", resized), new Shown("mask", soft.over(resized))),
                    made -> overlay || feather > 0 ? soft.blend(made, resized) : made,
                    show());
        }

        @Override
        Scheduler scheduler(LoadedModel model, @Nullable String name) {
            boolean repaint = name == null && input.strength(1) == 1;
            Scheduler scheduler = model.anyScheduler(repaint ? "repaint" : name);
            if (!(scheduler instanceof RePaintScheduler jumping)) {
                options.refuse(
                        OF_REPAINT,
                        "expected RePaint with it, found " + scheduler.config().className()
                                + "; leave --scheduler and --strength out");
                return SchedulerFactory.requireSampler(scheduler);
            }
            if (input.strength(1) != 1) {
                throw new Main.UsageException("--strength: expected 1 for RePaint, which starts from noise, found "
                        + input.strength(1) + "; choose another --scheduler");
            }
            jumping.setJumps(jumpLength, jumpSamples);
            return jumping;
        }

        @Override
        Sized sized(StableDiffusionComponents components, @Nullable Integer height, @Nullable Integer width) {
            options.refuse(
                    OF_REPAINT,
                    "expected a model of pixels with it, found " + components.name() + ", which follows a text");
            return super.sized(components, height, width);
        }

        @Override
        void describe(Map<String, Object> fields) {
            fields.put("Denoising strength", input.strength(1));
            fields.put(SampleFiles.INPUT, input.input.getFileName());
        }
    }
}
