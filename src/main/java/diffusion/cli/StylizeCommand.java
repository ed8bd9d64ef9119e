package diffusion.cli;

import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.metrics.ImageSimilarity;
import diffusion.metrics.StyleMoments;
import diffusion.pipeline.Edit;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.Injection;
import diffusion.pipeline.Inversion;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.Scheduler;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** {@code diffusion stylize}. */
@Command(
        description =
                "Gives a picture the style of another, without training: both are led back to noise (DDIM), and the"
                        + " content is sampled again with the style's keys and values in its self-attention (StyleID), or led"
                        + " by a classifier's features.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class StylizeCommand implements Callable<Integer> {
    /** Larger pictures are measured at this size. */
    private static final int MEASURED = 256;

    private static final Set<String> OF_INJECTION = Set.of("--gamma", "--tau", "--inject", "--adain", "--layers");

    /** How the style comes in. */
    enum Method {
        INJECTION,
        MOMENTS
    }

    @Option(
            names = "--content",
            required = true,
            paramLabel = "FILE",
            description = "The picture to be changed, PNG or JPEG; it is resized to the size of the result.")
    @SuppressWarnings("NullAway.Init")
    private Path content;

    @Option(
            names = "--style",
            required = true,
            paramLabel = "FILE",
            description = "The picture whose style it is to have; it is resized likewise.")
    @SuppressWarnings("NullAway.Init")
    private Path style;

    @Option(
            names = "--method",
            defaultValue = "INJECTION",
            description =
                    "INJECTION of keys and values, for models with self-attention, or MOMENTS: guidance to the means and"
                            + " deviations of a classifier's features (default: ${DEFAULT-VALUE}).")
    @SuppressWarnings("NullAway.Init")
    private Method method;

    @Option(
            names = "--strength",
            paramLabel = "S",
            defaultValue = "1",
            description = "Share of the steps that are gone back, above 0 and at most 1: the less, the more of the"
                    + " content is left (default: ${DEFAULT-VALUE}).")
    private double strength;

    @Option(
            names = "--gamma",
            paramLabel = "G",
            description = "How much of the content's query is kept, 0 to 1 (default: 0.75).")
    private double gamma = Injection.DEFAULT.gamma();

    @Option(
            names = "--tau",
            paramLabel = "T",
            description = "What attention's logits are multiplied by; more is sharper (default: 1.5).")
    private double tau = Injection.DEFAULT.tau();

    @Option(
            names = "--inject",
            paramLabel = "S",
            description = "Share of the steps with injection, from the noisiest on, 0 to 1 (default: 1).")
    private double share = Injection.DEFAULT.share();

    @Option(
            names = "--layers",
            split = ",",
            paramLabel = "NAME",
            description =
                    "Beginnings of names of layers with injection, such as up_blocks.2 (default: the later half of"
                            + " the way up, or all of it where the later half has no self-attention).")
    private List<String> layers = new ArrayList<>();

    @Option(
            names = "--adain",
            negatable = true,
            defaultValue = "true",
            fallbackValue = "true",
            description = "Start with the means and deviations of the style's noise (default), or do not.")
    private boolean adaIn;

    @Option(
            names = "--style-scale",
            paramLabel = "W",
            description = "Scale of the guidance of MOMENTS (default: 1000).")
    private @Nullable Double scale;

    @Option(
            names = "--show",
            paramLabel = "FILE.png",
            description = "Also write a figure of content, style and results, with labels.")
    private @Nullable Path show;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private InversionOptions inversion;

    @Mixin
    @SuppressWarnings("NullAway.Init")
    private SamplingOptions options;

    @Override
    public Integer call() {
        long start = System.nanoTime();
        options.check(Path.of("stylize.png"));
        inversion.check(options, true, "--content");
        check();
        Targets.requirePicture("--show", show);
        Picture given = Images.read(content, 0);
        Picture wanted = Images.read(style, 0);
        if (!options.given("--model")) {
            options.model = LoadedModel.builtIn(Math.max(given.channels(), wanted.channels()));
        }
        if (method == Method.MOMENTS) {
            options.guides.toStyle(style, scale == null ? GuideOptions.STYLE_SCALE : scale);
        }
        return PictureSampling.run(options, new Styled(given, wanted), start);
    }

    private void check() {
        boolean moments = method == Method.MOMENTS;
        if (moments) {
            options.refuse(OF_INJECTION, "expected --method injection with it, found moments");
        }
        if (scale != null && !moments) {
            throw new Main.UsageException("--style-scale: expected --method moments with it, found injection");
        }
        if (scale != null && !(scale >= 0 && Double.isFinite(scale))) {
            throw new Main.UsageException("--style-scale: expected 0 or more, found " + scale);
        }
    }

    private final class Styled extends PictureEdit {
        private final Picture given;
        private final Picture wanted;
        private List<Shown> before = List.of();

        Styled(Picture given, Picture wanted) {
            super(given, StylizeCommand.this.show);
            this.given = given;
            this.wanted = wanted;
        }

        @Override
        Sized sized(int height, int width) {
            before = List.of(
                    new Shown("content", resized(given, height, width)),
                    new Shown("style", resized(wanted, height, width)));
            List<Picture> pictures = before.stream().map(Shown::picture).toList();
            Edit edit = method == Method.MOMENTS
                    ? inversion.edit(pictures.subList(0, 1), strength, options)
                    : new Edit.Stylize(
                            inversion.edit(pictures, strength, options),
                            new Injection(gamma, tau, share, adaIn, layers));
            return new Sized(height, width, edit, before, made -> made, show());
        }

        @Override
        Scheduler sampler(Scheduler chosen) {
            return Inversion.sampler(chosen);
        }

        @Override
        void describe(Map<String, Object> fields) {
            fields.put("Inversion", inversion.said());
            if (method == Method.INJECTION) {
                fields.put(
                        "Style injection",
                        "gamma %s, tau %s, steps %s, AdaIN %s%s"
                                .formatted(
                                        gamma,
                                        tau,
                                        share,
                                        adaIn,
                                        layers.isEmpty() ? "" : ", in " + String.join(" ", layers)));
            }
            fields.put("Denoising strength", strength);
            fields.put(SampleFiles.INPUT, content.getFileName() + " in the style of " + style.getFileName());
        }

        /** Says how near the results are to the style, and how much of the content is left. */
        @Override
        void finished(SampleFiles files, List<Generated> pictures) {
            int channels = pictures.getFirst().picture().channels();
            List<Picture> measured = new ArrayList<>();
            before.forEach(shown -> measured.add(measured(shown.picture(), channels)));
            pictures.forEach(made -> measured.add(measured(made.picture(), channels)));
            List<float[]> moments = StyleMoments.of(
                    LoadedModel.builtInClassifier(channels),
                    options.backend.choose().backend(),
                    measured);
            double first = StyleMoments.distance(moments.getFirst(), moments.get(1));
            float[] kept = measured.getFirst().toUnit();
            for (int i = 0; i < pictures.size(); i++) {
                float[] made = measured.get(i + 2).toUnit();
                int height = measured.getFirst().height();
                int width = measured.getFirst().width();
                boolean large = Math.min(height, width) >= ImageSimilarity.SSIM_SIDE;
                System.err.printf(
                        Locale.ROOT,
                        "%s: distance to the style %.4f (of the content: %.4f); content kept: PSNR %.1f dB%s%n",
                        files.caption(pictures.get(i)),
                        StyleMoments.distance(moments.get(i + 2), moments.get(1)),
                        first,
                        ImageSimilarity.psnr(kept, made),
                        large
                                ? ", SSIM %.3f".formatted(ImageSimilarity.ssim(kept, made, channels, height, width))
                                : "");
            }
        }

        private Picture measured(Picture picture, int channels) {
            double factor = Math.min(1, (double) MEASURED / Math.max(picture.height(), picture.width()));
            int height = Math.max(4, (int) Math.round(picture.height() * factor));
            int width = Math.max(4, (int) Math.round(picture.width() * factor));
            return resized(picture, height, width).withChannels(channels);
        }
    }
}
