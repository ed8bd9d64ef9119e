package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import java.util.ArrayList;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;

/**
 * Makes pictures in batches: picture i of a run with seed S is the one diffusers makes alone with manual_seed(S + i).
 */
public final class ImageGenerator implements AutoCloseable {
    /** What is wanted. */
    public record Request(
            int batch, long seed, RandomSource.Kind rng, int steps, double guidance, int size, List<Integer> classes) {
        /** The number of pictures: one a class, classes being -1 for an unconditional model. */
        public int count() {
            return classes.size();
        }
    }

    /** A finished picture. */
    public record Generated(Picture picture, long seed, int label) {}

    /** Told about progress. */
    public interface Listener {
        /** A step of a batch is done. */
        void step(int pictures);

        /** The pictures of the first batch as they are, after every step; only if {@link #wantsFrames}. */
        default void frame(List<Picture> pictures) {}

        /** Whether {@link #frame} is to be called. */
        default boolean wantsFrames() {
            return false;
        }
    }

    private final LoadedModel model;
    private final Request request;
    private final Scheduler scheduler;
    private final SamplingLoop loop;
    private final Program program;
    private final int batch;

    /** Plans the steps, compiles and loads the model. */
    public ImageGenerator(LoadedModel model, Scheduler scheduler, Backend backend, Request request) {
        this.model = model;
        this.request = request;
        this.scheduler = scheduler;
        int multiple = model.model().sizeMultiple();
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
        scheduler.setTimesteps(request.steps);
        batch = Math.min(request.batch, request.count());
        loop = new SamplingLoop(
                model.model(), scheduler, batch, request.size, request.size, guided, Math.max(0, model.nullClass()));
        program = backend.compile(List.of(loop.graph()));
        model.load(program::fill);
    }

    /** Model calls of the whole run, as {@link Listener#step} counts them: steps times pictures. */
    public long work() {
        return (long) scheduler.timesteps().length * request.count();
    }

    /** Makes the pictures in order and hands over each as soon as its batch is done. */
    public void run(BooleanSupplier cancelled, Listener listener, Consumer<Generated> finished) {
        for (int start = 0; start < request.count(); start += batch) {
            int count = Math.min(batch, request.count() - start);
            List<RandomSource> generators = new ArrayList<>();
            int[] classes = new int[batch];
            for (int i = 0; i < batch; i++) {
                // The last batch is filled up with repetitions; bits do not depend on what else is in a batch.
                int index = start + Math.min(i, count - 1);
                generators.add(RandomSource.of(request.rng, request.seed + index));
                classes[i] = Math.max(0, request.classes.get(index));
            }
            boolean frames = start == 0 && listener.wantsFrames();
            float[] values = loop.run(program, generators, classes, request.guidance, cancelled, (_, _, sample) -> {
                listener.step(count);
                if (frames) {
                    listener.frame(pictures(sample.get(), count));
                }
            });
            List<Picture> pictures = pictures(values, count);
            for (int i = 0; i < count; i++) {
                finished.accept(
                        new Generated(pictures.get(i), request.seed + start + i, request.classes.get(start + i)));
            }
        }
    }

    private List<Picture> pictures(float[] values, int count) {
        int channels = model.model().inChannels();
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            int offset = i * channels * request.size * request.size;
            pictures.add(Picture.fromModel(values, offset, channels, request.size, request.size));
        }
        return pictures;
    }

    @Override
    public void close() {
        program.close();
    }
}
