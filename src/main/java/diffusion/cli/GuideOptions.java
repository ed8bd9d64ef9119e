package diffusion.cli;

import diffusion.guidance.ClassifierGuide;
import diffusion.guidance.FeatureGuide;
import diffusion.guidance.MeasurementGuide;
import diffusion.guidance.SsimGuide;
import diffusion.guidance.StyleGuide;
import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.metrics.Classifier;
import diffusion.metrics.FeatureExtractor;
import diffusion.metrics.ImageSimilarity;
import diffusion.pipeline.Guide;
import diffusion.pipeline.LoadedModel;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Stream;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Option;

/** What pictures are led to by gradients. */
final class GuideOptions {
    /** The scale of a style where none is given. */
    static final double STYLE_SCALE = 1000;

    private static final String FIELD = "Guide";
    private static final String SEPARATOR = " & ";

    /** What a guide is told beside its scale, and the scale where none is given. */
    private enum Kind {
        CLASSIFIER(1, 1),
        SSIM(1, 300),
        FEATURES(1, 1),
        STYLE(1, STYLE_SCALE),
        MASK(2, 10),
        DOWNSAMPLED(1, 10);

        private final int arguments;
        private final double usualScale;

        Kind(int arguments, double usualScale) {
            this.arguments = arguments;
            this.usualScale = usualScale;
        }
    }

    private record Spec(Kind kind, List<String> arguments, double scale) {
        @Override
        public String toString() {
            return kind.name().toLowerCase(Locale.ROOT) + ":" + String.join(":", arguments) + ":" + scale;
        }
    }

    @Option(
            names = "--guide",
            paramLabel = "KIND:...[:SCALE]",
            description = {
                "Lead the pictures by the gradient of a function of the denoised picture; repeatable; models of pixels"
                        + " only; without --class they are unconditional. classifier:CLASS (log-probability), ssim:FILE and"
                        + " features:FILE (likeness to a picture), style:FILE (its colours and textures), mask:FILE:MASK (the picture where the mask is black),"
                        + " downsampled:FILE (a small picture that means over squares should give)."
            })
    private List<String> specs = new ArrayList<>();

    @Option(
            names = "--guide-classifier",
            paramLabel = "DIR",
            description =
                    "The classifier of guides, as evaluate --retrain writes it (default: the built-in one, of digits for grey"
                            + " pictures, of CIFAR-10 for colour).")
    private @Nullable Path classifier;

    private final List<Spec> more = new ArrayList<>();

    /** Leads the pictures to the style of another too. */
    void toStyle(Path picture, double scale) {
        more.add(new Spec(Kind.STYLE, List.of(picture.toString()), scale));
    }

    boolean given() {
        return !specs.isEmpty() || !more.isEmpty();
    }

    void requireUnused(String model) {
        if (given() || classifier != null) {
            throw new Main.UsageException("--guide: expected a model of pixels, found " + model
                    + ", which works on an autoencoder's latents");
        }
    }

    void describe(Map<String, Object> fields) {
        if (given()) {
            List<String> all = new ArrayList<>(specs);
            more.forEach(spec -> all.add(spec.toString()));
            fields.put(FIELD, String.join(SEPARATOR, all));
        }
    }

    /** Takes over what was not given. */
    void take(PictureSettings settings) {
        String told = settings.fields().get(FIELD);
        if (!given() && told != null) {
            specs = List.of(told.split(SEPARATOR, -1));
        }
    }

    /** The guides for pictures of a model at a size. */
    List<Guide> of(LoadedModel model, int size) {
        return Stream.concat(specs.stream().map(GuideOptions::parse), more.stream())
                .map(spec -> guide(spec, model, size))
                .toList();
    }

    private static Spec parse(String given) {
        List<String> parts = new ArrayList<>(List.of(given.split(":", -1)));
        String name = parts.removeFirst();
        for (Kind kind : Kind.values()) {
            if (!kind.name().equalsIgnoreCase(name)) {
                continue;
            }
            boolean scaled = parts.size() == kind.arguments + 1;
            if (!scaled && parts.size() != kind.arguments) {
                break;
            }
            String last = scaled ? parts.removeLast() : String.valueOf(kind.usualScale);
            if (!last.matches("\\d*\\.?\\d+")) {
                throw new Main.UsageException("--guide: expected a scale of 0 or more at the end, found \"" + last
                        + "\" in \"" + given + "\"");
            }
            return new Spec(kind, List.copyOf(parts), Double.parseDouble(last));
        }
        throw new Main.UsageException(
                "--guide: expected classifier:CLASS, ssim:FILE, features:FILE, style:FILE, mask:FILE:MASK or"
                        + " downsampled:FILE, each with or without :SCALE, found \"" + given + "\"");
    }

    private Guide guide(Spec spec, LoadedModel model, int size) {
        String what = spec.arguments.getFirst();
        int channels = model.pictureChannels();
        return switch (spec.kind) {
            case CLASSIFIER -> new ClassifierGuide(fitting(channels, size), label(model, what, size), spec.scale);
            case FEATURES -> new FeatureGuide(fitting(channels, size), pixels(what, channels, size), spec.scale);
            case STYLE -> new StyleGuide(fitting(channels), pixels(what, channels, size), spec.scale);
            case SSIM -> {
                if (size < ImageSimilarity.SSIM_SIDE) {
                    throw new DiffusionException("--guide ssim: expected pictures of at least "
                            + ImageSimilarity.SSIM_SIDE + " pixels a side, found " + size);
                }
                yield new SsimGuide(pixels(what, channels, size), spec.scale);
            }
            case MASK -> {
                float[] white = picture(spec.arguments.getLast(), size)
                        .withChannels(1)
                        .withChannels(channels)
                        .toUnit();
                for (int i = 0; i < white.length; i++) {
                    white[i] = white[i] < 0.5f ? 1 : 0; // black is known
                }
                yield MeasurementGuide.masked(pixels(what, channels, size), white, spec.scale);
            }
            case DOWNSAMPLED -> {
                Picture small = Images.read(Path.of(what), channels);
                int factor = size / small.width();
                if (factor < 1 || small.width() * factor != size || small.height() * factor != size) {
                    throw new DiffusionException("--guide downsampled: expected a square picture whose side divides "
                            + size + ", found " + small.width() + "x" + small.height() + " in " + what);
                }
                yield MeasurementGuide.averaged(small.toModel(), factor, spec.scale);
            }
        };
    }

    private int label(LoadedModel model, String given, int size) {
        int classes = FeatureExtractor.open(fitting(model.pictureChannels(), size))
                .config()
                .classes();
        int named = model.classNames().indexOf(given);
        int label = named >= 0 ? named : given.matches("\\d{1,6}") ? Integer.parseInt(given) : -1;
        if (label < 0 || label >= classes) {
            throw new DiffusionException("--guide classifier: expected a class from 0 to " + (classes - 1)
                    + " or a name of the model's, found \"" + given + "\"");
        }
        return label;
    }

    /** The classifier's folder, if it is for such pictures. */
    private Path fitting(int channels, int size) {
        Path folder = folder(channels);
        Classifier.Config config = FeatureExtractor.open(folder).config();
        if (config.channels() != channels || config.size() != size) {
            throw new DiffusionException(
                    "--guide: expected a classifier of pictures of %d x %d x %d, found one of %d x %d x %d; give one with --guide-classifier"
                            .formatted(channels, size, size, config.channels(), config.size(), config.size()));
        }
        return folder;
    }

    /** The classifier's folder, if it is for so many channels; its convolutions take pictures of any size. */
    private Path fitting(int channels) {
        return fitting(
                channels, FeatureExtractor.open(folder(channels)).config().size());
    }

    private Path folder(int channels) {
        classifier =
                classifier == null ? LoadedModel.builtInClassifier(channels) : classifier; // copied out of the jar once
        return classifier;
    }

    private static float[] pixels(String file, int channels, int size) {
        return picture(file, size).withChannels(channels).toModel();
    }

    private static Picture picture(String file, int size) {
        return Resampler.resize(Images.read(Path.of(file), 0), size, size, Resampler.Filter.LANCZOS);
    }
}
