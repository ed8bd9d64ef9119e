package diffusion.cli;

import diffusion.guidance.ClassifierGuide;
import diffusion.guidance.FeatureGuide;
import diffusion.guidance.MeasurementGuide;
import diffusion.guidance.PooledGuide;
import diffusion.guidance.SsimGuide;
import diffusion.guidance.StyleGuide;
import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.Resampler;
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
    private static final String CLASSIFIER_FIELD = "Guide classifier";
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

    /** The pictures that are led: the names of their classes, if any, and their shape. */
    record Pictures(List<String> classNames, int channels, int height, int width) {}

    @Option(
            names = "--guide",
            paramLabel = "KIND:...[:SCALE]",
            description = {
                "Lead the pictures by the gradient of a function of the denoised picture; repeatable; without --class"
                        + " models of pixels are unconditional; models of texts are led through their decoder, which takes"
                        + " about twice the memory. classifier:CLASS (log-probability), ssim:FILE and"
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

    private @Nullable Path opened; // that one, or the built-in one, copied out of the jar once

    private final List<Spec> more = new ArrayList<>();

    /** Leads the pictures to the style of another too. */
    void toStyle(Path picture, double scale) {
        more.add(new Spec(Kind.STYLE, List.of(picture.toString()), scale));
    }

    boolean given() {
        return !specs.isEmpty() || !more.isEmpty();
    }

    void describe(Map<String, Object> fields) {
        if (given()) {
            List<String> all = new ArrayList<>(specs);
            more.forEach(spec -> all.add(spec.toString()));
            fields.put(FIELD, String.join(SEPARATOR, all));
            if (classifier != null) {
                fields.put(CLASSIFIER_FIELD, classifier);
            }
        }
    }

    /** Takes over what was not given. */
    void take(PictureSettings settings) {
        String told = settings.fields().get(FIELD);
        if (!given() && told != null) {
            specs = List.of(told.split(SEPARATOR, -1));
            String folder = settings.fields().get(CLASSIFIER_FIELD);
            classifier = classifier != null || folder == null ? classifier : Path.of(folder);
        }
    }

    /** The guides for such pictures. */
    List<Guide> of(Pictures led) {
        return Stream.concat(specs.stream().map(GuideOptions::parse), more.stream())
                .map(spec -> guide(spec, led))
                .toList();
    }

    private static Spec parse(String given) {
        List<String> parts = split(given);
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

    /** The parts between colons, but for those behind the letter of a drive. */
    private static List<String> split(String given) {
        List<String> parts = new ArrayList<>();
        for (String part : given.split(":", -1)) {
            boolean onDrive = part.startsWith("\\") || part.startsWith("/");
            if (onDrive && parts.size() > 1 && parts.getLast().matches("[A-Za-z]")) {
                parts.add(parts.removeLast() + ":" + part);
            } else {
                parts.add(part);
            }
        }
        return parts;
    }

    private Guide guide(Spec spec, Pictures led) {
        String what = spec.arguments.getFirst();
        return switch (spec.kind) {
            case CLASSIFIER -> {
                int factor = factor(led);
                yield new PooledGuide(new ClassifierGuide(folder(led), label(led, what), spec.scale), factor);
            }
            case FEATURES -> {
                int factor = factor(led);
                Pictures seen = new Pictures(led.classNames, led.channels, led.height / factor, led.width / factor);
                yield new PooledGuide(new FeatureGuide(folder(led), pixels(what, seen), spec.scale), factor);
            }
            case STYLE -> new StyleGuide(folder(led), pixels(what, led), spec.scale);
            case SSIM -> {
                if (Math.min(led.height, led.width) < ImageSimilarity.SSIM_SIDE) {
                    throw new DiffusionException(
                            "--guide ssim: expected pictures of at least %d pixels a side, found %dx%d"
                                    .formatted(ImageSimilarity.SSIM_SIDE, led.width, led.height));
                }
                yield new SsimGuide(pixels(what, led), spec.scale);
            }
            case MASK -> {
                float[] white = picture(spec.arguments.getLast(), led)
                        .withChannels(1)
                        .withChannels(led.channels)
                        .toUnit();
                for (int i = 0; i < white.length; i++) {
                    white[i] = white[i] < 0.5f ? 1 : 0; // black is known
                }
                yield MeasurementGuide.masked(pixels(what, led), white, spec.scale);
            }
            case DOWNSAMPLED -> {
                Picture small = Images.read(Path.of(what), led.channels);
                int factor = led.width / small.width();
                if (factor < 1 || small.width() * factor != led.width || small.height() * factor != led.height) {
                    throw new DiffusionException(
                            "--guide downsampled: expected a picture that divides %dx%d, found %dx%d in %s"
                                    .formatted(led.width, led.height, small.width(), small.height(), what));
                }
                yield MeasurementGuide.averaged(small.toModel(), factor, spec.scale);
            }
        };
    }

    private int label(Pictures led, String given) {
        int classes = FeatureExtractor.open(folder(led)).config().classes();
        int named = led.classNames.indexOf(given);
        int label = named >= 0 ? named : given.matches("\\d{1,6}") ? Integer.parseInt(given) : -1;
        if (label < 0 || label >= classes) {
            throw new DiffusionException("--guide classifier: expected a class from 0 to " + (classes - 1)
                    + " or a name of the model's, found \"" + given + "\"");
        }
        return label;
    }

    /** How many times as large as the classifier's the pictures are. */
    private int factor(Pictures led) {
        int size = FeatureExtractor.open(folder(led)).config().size();
        int factor = led.height / size;
        if (factor < 1 || factor * size != led.height || factor * size != led.width) {
            throw new DiffusionException(
                    "--guide: expected pictures of %d x %d or a multiple, as the classifier takes, found %d x %d; give another classifier with --guide-classifier"
                            .formatted(size, size, led.width, led.height));
        }
        return factor;
    }

    /** The folder of the classifier, if it is for so many channels. */
    private Path folder(Pictures led) {
        Path given = opened != null ? opened : classifier;
        Path folder = given != null ? given : LoadedModel.builtInClassifier(led.channels);
        int channels = FeatureExtractor.open(folder).config().channels();
        if (channels != led.channels) {
            throw new DiffusionException(
                    "--guide: expected a classifier of pictures of %d channels, found one of %d; give one with --guide-classifier"
                            .formatted(led.channels, channels));
        }
        opened = folder;
        return folder;
    }

    private static float[] pixels(String file, Pictures led) {
        return picture(file, led).withChannels(led.channels).toModel();
    }

    private static Picture picture(String file, Pictures led) {
        return Resampler.resize(Images.read(Path.of(file), 0), led.height, led.width, Resampler.Filter.LANCZOS);
    }
}
