package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.nn.StyleInjection;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.RePaintScheduler;
import diffusion.scheduler.Scheduler;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Makes pictures in batches: picture i of a run with seed S is the one diffusers makes alone with manual_seed(S + i).
 */
public final class ImageGenerator implements AutoCloseable {
    /**
     * What is wanted.
     *
     * @param saving how model calls are spent; null for one a step
     */
    public record Request(
            int batch,
            long seed,
            RandomSource.Kind rng,
            int steps,
            double guidance,
            int size,
            List<Integer> classes,
            @Nullable Saving saving) {
        /** With a model call a step. */
        public Request(
                int batch,
                long seed,
                RandomSource.Kind rng,
                int steps,
                double guidance,
                int size,
                List<Integer> classes) {
            this(batch, seed, rng, steps, guidance, size, classes, null);
        }

        /** The number of pictures: one a class, classes being -1 for an unconditional model. */
        public int count() {
            return classes.size();
        }
    }

    /** A finished picture. */
    public record Generated(Picture picture, long seed, int label) {}

    /**
     * What the pictures made so far took.
     *
     * @param calls model calls a picture
     * @param passes runs of the network a batch, one after the other
     * @param shallow share of them that left out its deep levels
     * @param accepted share of proposed moves that were taken; NaN where none are proposed
     */
    public record Effort(double calls, double passes, double shallow, double accepted) {}

    private final LoadedModel model;
    private final Request request;
    private final Scheduler scheduler;
    private final ReverseProcess process;
    private final int elements; // of a sample
    private final Program program;
    private final int batch;
    private final int rows; // the batch, and what keeps it company
    private final @Nullable Edit edit;
    private final @Nullable LatentDecoder decoder;
    private final @Nullable SamplingLoop inverse;
    private final EffortSum effort = new EffortSum();

    /** Plans the steps, compiles and loads the model. */
    public ImageGenerator(LoadedModel model, Scheduler scheduler, Backend backend, Request request) {
        this(model, scheduler, backend, request, null);
    }

    /**
     * Plans the steps, compiles and loads the model.
     *
     * @param edit what the pictures are made from, resized to the request's size; null for noise alone
     */
    public ImageGenerator(
            LoadedModel model, Scheduler scheduler, Backend backend, Request request, @Nullable Edit edit) {
        this(model, scheduler, backend, request, edit, List.of());
    }

    /**
     * Plans the steps, compiles and loads the model.
     *
     * @param guides what the pictures are led to by gradients, of models of pixels only
     */
    public ImageGenerator(
            LoadedModel model,
            Scheduler scheduler,
            Backend backend,
            Request request,
            @Nullable Edit edit,
            List<Guide> guides) {
        this.edit = edit;
        this.model = model;
        this.request = request;
        this.scheduler = scheduler;
        int multiple = model.model().sizeMultiple() * model.factor();
        if (request.size < 1 || request.size % multiple != 0) {
            int nearest = Math.max(1, Math.round((float) request.size / multiple)) * multiple;
            throw new DiffusionException("--size: expected a multiple of %d, found %d; the nearest is %d"
                    .formatted(multiple, request.size, nearest));
        }
        boolean guided = request.guidance != 1;
        if (guided && model.nullClass() < 0) {
            throw new DiffusionException("--guidance: expected 1, found " + request.guidance + "; the model "
                    + model.name() + " was not trained for guidance");
        }
        if (edit != null) {
            edit.check(request.steps);
        }
        Edit.Invert invert = edit == null ? null : edit.inversion();
        if (invert != null) {
            source(invert);
        }
        Saving.check(request.saving, edit, !guides.isEmpty());
        LoadedModel.FirstStage stage = model.firstStage();
        if (edit != null && stage != null) {
            throw new DiffusionException("--input: expected a model of pixels or of texts, found " + model.name()
                    + ", which works on latents without a text and makes pictures only from noise");
        }
        if (!guides.isEmpty() && stage != null) {
            throw new DiffusionException("--guide: expected a model of pixels, found " + model.name()
                    + ", which works on an autoencoder's latents");
        }
        scheduler.setTimesteps(request.steps);
        if (edit != null) {
            scheduler.setBeginIndex(edit.begin(scheduler, request.steps)); // refuses now what it cannot do
        }
        batch = Math.min(request.batch, request.count());
        rows = batch + (edit instanceof Edit.Stylize ? StyleInjection.COMPANIONS : 0);
        int side = request.size / model.factor();
        ClassNetwork network = new ClassNetwork(model.model(), Math.max(0, model.nullClass()));
        int channels = model.model().inChannels();
        elements = channels * side * side;
        Sampling sampling = new Sampling(network, scheduler, guided, 0, guides, rows, channels, side, side);
        process = edit instanceof Edit.Stylize stylize
                ? new SamplingLoop(
                        sampling, stylize.injected(model.model().parameters(), scheduler, request.steps, batch))
                : Saving.process(request.saving, sampling);
        List<Graph> graphs = new ArrayList<>(process.graphs());
        inverse = invert != null
                ? new SamplingLoop(
                        model.model(),
                        Inversion.backwards(scheduler, request.steps),
                        invert.pictures().size(),
                        side,
                        side,
                        false,
                        0)
                : null;
        if (inverse != null) {
            graphs.add(inverse.graph());
        }
        program = backend.compile(graphs);
        model.load(program::fill);
        guides.forEach(guide -> guide.load(program));
        decoder = stage == null ? null : new LatentDecoder(backend, stage.config(), stage.weights(), side, side, false);
    }

    /** Model calls of the whole run: steps times pictures. */
    public long work() {
        int all = scheduler.timesteps().length;
        int begin = edit == null ? 0 : edit.begin(scheduler, request.steps);
        Edit.Invert invert = edit == null ? null : edit.inversion();
        int led = invert == null ? 0 : invert.pictures().size();
        return (long) process.steps(begin, all) * request.count() + (long) (all - begin) * led;
    }

    /** Makes the pictures in order and hands over each as soon as its batch is done; {@code listener} is told of every step. */
    public void run(BooleanSupplier cancelled, Consumer<FinishedStep> listener, Consumer<Generated> finished) {
        List<float[]> starts = starts(cancelled, listener);
        for (int start = 0; start < request.count(); start += batch) {
            int count = Math.min(batch, request.count() - start);
            List<RandomSource> generators = new ArrayList<>();
            int[] classes = new int[rows];
            for (int i = 0; i < rows; i++) {
                // The last batch is filled up with repetitions; bits do not depend on what else is in a batch.
                int index = start + Math.min(i, count - 1);
                generators.add(RandomSource.of(
                        request.rng, edit instanceof Edit.Between(long first, long _) ? first : request.seed + index));
                classes[i] = Math.max(0, request.classes.get(index));
            }
            if (edit instanceof Edit.Stylize stylize) {
                Arrays.fill(classes, batch, rows, Math.max(0, source(stylize.inversion())));
            }
            int first = start;
            SamplingLoop.Course course = edit == null ? null : course(edit, generators, starts, start);
            float[] values = process.run(
                    program,
                    generators,
                    classes,
                    request.guidance,
                    course,
                    cancelled,
                    (done, steps, sample, x0) -> listener.accept(
                            new FinishedStep(first, count, done, steps, rows, sample, x0, this::picture)));
            effort.add(process.effort(), count);
            int size = values.length / rows;
            for (int i = 0; i < count; i++) {
                Picture picture = picture(Arrays.copyOfRange(values, i * size, (i + 1) * size));
                finished.accept(new Generated(picture, request.seed + start + i, request.classes.get(start + i)));
            }
        }
    }

    /** What the pictures made so far took; at least one batch must be done. */
    public Effort effort() {
        return effort.mean();
    }

    /** Where every picture of a run starts, if that is settled before it; else empty. */
    private List<float[]> starts(BooleanSupplier cancelled, Consumer<FinishedStep> listener) {
        if (edit instanceof Edit.Between between) {
            List<float[]> ends = Inversion.noises(between, request.rng, elements, scheduler.initNoiseSigma());
            return Inversion.starts(ends, request.count());
        }
        Edit.Invert invert = edit == null ? null : edit.inversion();
        if (inverse == null || invert == null) {
            return List.of();
        }
        int count = invert.pictures().size();
        LatentEdit.Rows images = new LatentEdit.Rows(count);
        invert.pictures().forEach(picture -> images.add(pixels(picture)));
        int[] labels = new int[count];
        Arrays.fill(labels, Math.max(0, source(invert)));
        int steps = scheduler.timesteps().length - invert.begin(scheduler, request.steps);
        float[] ends = inverse.run(
                program,
                List.of(),
                labels,
                1,
                new SamplingLoop.Part(0, steps, images.all()),
                cancelled,
                (done, of, sample, x0) -> listener.accept(
                        new FinishedStep(FinishedStep.LED_BACK, count, done, of, count, sample, x0, this::picture)));
        int size = elements;
        List<float[]> led =
                List.of(Arrays.copyOf(ends, size), Arrays.copyOfRange(ends, ends.length - size, ends.length));
        return edit instanceof Edit.Stylize stylize
                ? stylize.starts(led, batch, model.model().inChannels())
                : Inversion.starts(led, request.count());
    }

    private int source(Edit.Invert invert) {
        int label = invert.source() == null ? model.nullClass() : model.label("--source", invert.source());
        if (label < 0 && model.realClasses() > 0) {
            throw new DiffusionException("--source: expected the class of the picture, found none; the model "
                    + model.name() + " always follows one");
        }
        return label;
    }

    private float[] pixels(Picture picture) {
        return Resampler.resize(picture, request.size, request.size, Resampler.Filter.LANCZOS)
                .withChannels(model.model().inChannels())
                .toModel();
    }

    /** The course of the batch whose first picture is number {@code first}. */
    private SamplingLoop.Course course(Edit changed, List<RandomSource> generators, List<float[]> starts, int first) {
        int channels = model.model().inChannels();
        float[] noise = SamplingLoop.draw(generators, elements);
        int begin = changed.begin(scheduler, request.steps);
        return switch (changed) {
            case Edit.ImageToImage change ->
                EditCourse.begin(scheduler, begin, false, repeated(pixels(change.picture())), noise, null);
            case Edit.Invert _, Edit.Between _, Edit.Stylize _ -> {
                int from = changed instanceof Edit.Stylize ? 0 : first; // all batches of a style are alike
                LatentEdit.Rows all = new LatentEdit.Rows(rows);
                for (int i = 0; i < rows; i++) {
                    all.add(starts.get(Math.min(from + i, starts.size() - 1)));
                }
                scheduler.setBeginIndex(begin);
                yield new SamplingLoop.Part(begin, scheduler.timesteps().length, all.all());
            }
            case Edit.Inpaint hole -> {
                float[] image = repeated(pixels(hole.picture()));
                float[] mask =
                        repeated(Resampler.resize(hole.mask(), request.size, request.size, Resampler.Filter.LANCZOS)
                                .withChannels(1)
                                .withChannels(channels)
                                .toUnit());
                yield scheduler instanceof RePaintScheduler repaint
                        ? new RePaintCourse(repaint, generators, noise, image, mask)
                        : EditCourse.begin(scheduler, begin, hole.strength() == 1, image, noise, mask);
            }
            case Edit.Upscale _ ->
                throw new DiffusionException(model.name() + " is no upscaler of pictures, expected a folder of a"
                        + " StableDiffusionUpscalePipeline");
        };
    }

    private float[] repeated(float[] one) {
        float[] all = new float[batch * one.length];
        for (int at = 0; at < all.length; at += one.length) {
            System.arraycopy(one, 0, all, at, one.length);
        }
        return all;
    }

    private Picture picture(float[] sample) {
        float[] pixels = decoder == null ? sample : decoder.decodeScaled(sample);
        return Picture.fromModel(pixels, 0, model.pictureChannels(), request.size, request.size);
    }

    @Override
    public void close() {
        if (decoder != null) {
            decoder.close();
        }
        program.close();
    }
}
