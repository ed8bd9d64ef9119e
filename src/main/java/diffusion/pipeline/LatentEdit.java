package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.io.Picture;
import diffusion.io.Resampler;
import diffusion.io.Resampler.Filter;
import diffusion.pipeline.LatentEncoder.Posterior;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import java.util.List;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/**
 * An edit in the latent space: the picture is encoded once, and every batch draws its noise from it in the order of
 * diffusers' StableDiffusionImg2ImgPipeline, StableDiffusionInpaintPipeline and StableDiffusionUpscalePipeline.
 */
@FunctionalInterface
interface LatentEdit {
    /**
     * What a batch is made from.
     *
     * @param course where it starts
     * @param channels what the U-Net sees beside the latent, [N, extra, h, w]; may be empty
     * @param label the noise level of an upscaler
     */
    record Batch(SamplingLoop.Course course, float[] channels, int label) {}

    /** Draws for a batch, one generator a picture; the run then goes on with the same generators. */
    Batch draw(List<RandomSource> generators);

    /** Encodes what an edit needs; the scheduler has planned its steps. */
    static LatentEdit encode(
            Backend backend,
            StableDiffusionComponents components,
            Scheduler scheduler,
            StableDiffusionPipeline.Request request,
            Edit edit) {
        return switch (edit) {
            case Edit.ImageToImage change -> imageToImage(backend, components, scheduler, request, change);
            case Edit.Inpaint hole -> inpaint(backend, components, scheduler, request, hole);
            case Edit.Upscale larger -> upscale(components, scheduler, request, larger);
            case Edit.Invert _, Edit.Between _, Edit.Stylize _ ->
                throw new IllegalArgumentException(edit + " needs the U-Net");
        };
    }

    /** The steps from {@code begin} to before {@code end}, from given latents; batches come in the order of the pictures. */
    static LatentEdit from(Scheduler scheduler, int begin, int end, List<float[]> latents) {
        int[] next = {0};
        return generators -> {
            Rows rows = new Rows(generators.size());
            for (int i = 0; i < generators.size(); i++) {
                rows.add(latents.get(Math.min(next[0] + i, latents.size() - 1)));
            }
            next[0] += generators.size();
            scheduler.setBeginIndex(begin);
            return new Batch(new SamplingLoop.Part(begin, end, rows.all()), new float[0], 0);
        };
    }

    /** The same of batches that all begin alike, with a latent for each of their rows. */
    static LatentEdit alike(Scheduler scheduler, int begin, int end, List<float[]> latents) {
        return generators -> from(scheduler, begin, end, latents).draw(generators);
    }

    /** The latents that pictures are most likely encoded to. */
    static List<float[]> means(
            Backend backend,
            StableDiffusionComponents components,
            StableDiffusionPipeline.Request request,
            List<Picture> pictures) {
        try (LatentEncoder encoder = encoder(backend, components, request)) {
            return pictures.stream()
                    .map(picture -> encoder.encode(pixels(picture, request.height(), request.width(), Filter.LANCZOS))
                            .mean())
                    .toList();
        }
    }

    private static LatentEdit imageToImage(
            Backend backend,
            StableDiffusionComponents components,
            Scheduler scheduler,
            StableDiffusionPipeline.Request request,
            Edit.ImageToImage edit) {
        Posterior picture;
        try (LatentEncoder encoder = encoder(backend, components, request)) {
            picture = encoder.encode(pixels(edit.picture(), request.height(), request.width(), Filter.LANCZOS));
        }
        int begin = edit.begin(scheduler, request.steps());
        return generators -> {
            Rows images = new Rows(generators.size());
            Rows noises = new Rows(generators.size());
            for (RandomSource random : generators) {
                images.add(picture.sample(random));
                noises.add(normal(random, picture.mean().length));
            }
            return new Batch(
                    EditCourse.begin(scheduler, begin, false, images.all(), noises.all(), null), new float[0], 0);
        };
    }

    private static LatentEncoder encoder(
            Backend backend, StableDiffusionComponents components, StableDiffusionPipeline.Request request) {
        return new LatentEncoder(
                backend,
                components.vae(),
                components.vaeWeights(),
                request.height(),
                request.width(),
                request.tiling());
    }

    private static LatentEdit inpaint(
            Backend backend,
            StableDiffusionComponents components,
            Scheduler scheduler,
            StableDiffusionPipeline.Request request,
            Edit.Inpaint edit) {
        int factor = components.factor();
        int width = request.width() / factor;
        int plane = request.height() / factor * width;
        float[] white = binary(Resampler.resize(edit.mask(), request.height(), request.width(), Filter.LANCZOS));
        float[] mask = new float[plane];
        for (int i = 0; i < plane; i++) {
            mask[i] = white[i / width * factor * request.width() + i % width * factor];
        }
        boolean seen = components.extraChannels() > 0; // the U-Net sees the mask and the picture without its hole
        boolean fromNoise = edit.strength() == 1;
        Posterior picture;
        Posterior rest;
        try (LatentEncoder encoder = encoder(backend, components, request)) {
            float[] pixels = pixels(edit.picture(), request.height(), request.width(), Filter.LANCZOS);
            picture = seen && fromNoise ? null : encoder.encode(pixels);
            for (int i = 0; i < pixels.length; i++) {
                pixels[i] *= 1 - white[i % white.length];
            }
            rest = seen ? encoder.encode(pixels) : null;
        }
        int size = plane * components.vae().latentChannels();
        int begin = edit.begin(scheduler, request.steps());
        return generators -> {
            Rows images = new Rows(generators.size());
            Rows noises = new Rows(generators.size());
            Rows channels = new Rows(generators.size());
            Rows masks = new Rows(generators.size());
            for (RandomSource random : generators) {
                images.add(picture == null ? new float[size] : picture.sample(random));
                noises.add(normal(random, size));
                // Without a use for it diffusers draws the latent of the picture with its hole all the same.
                float[] left = rest == null ? normal(random, size) : rest.sample(random);
                float[] both = new float[seen ? plane + size : 0];
                if (seen) {
                    System.arraycopy(mask, 0, both, 0, plane);
                    System.arraycopy(left, 0, both, plane, size);
                }
                channels.add(both);
                masks.add(repeated(mask, size));
            }
            float[] kept = seen ? null : masks.all();
            return new Batch(
                    EditCourse.begin(scheduler, begin, fromNoise, images.all(), noises.all(), kept), channels.all(), 0);
        };
    }

    private static LatentEdit upscale(
            StableDiffusionComponents components,
            Scheduler scheduler,
            StableDiffusionPipeline.Request request,
            Edit.Upscale edit) {
        int height = request.height() / components.factor();
        int width = request.width() / components.factor();
        float[] small = pixels(edit.picture(), height, width, Filter.BICUBIC);
        NoiseSchedule schedule = SchedulerFactory.create(Objects.requireNonNull(components.lowResScheduler()))
                .noise();
        NoiseSchedule.Mix mix = schedule.addNoise(edit.noiseLevel());
        int size = components.vae().latentChannels() * height * width;
        return generators -> {
            Rows channels = new Rows(generators.size());
            Rows starts = new Rows(generators.size());
            for (RandomSource random : generators) {
                float[] noisy = normal(random, small.length);
                for (int i = 0; i < noisy.length; i++) {
                    noisy[i] = mix.sample() * small[i] + mix.noise() * noisy[i];
                }
                channels.add(noisy);
                starts.add(normal(random, size));
            }
            scheduler.setBeginIndex(0);
            float[] start = starts.all();
            for (int i = 0; i < start.length; i++) {
                start[i] *= (float) scheduler.initNoiseSigma();
            }
            return new Batch(() -> start, channels.all(), edit.noiseLevel());
        };
    }

    /** Arrays of one length, one after the other. */
    final class Rows {
        private final int count;
        private float @Nullable [] values;
        private int at;

        Rows(int count) {
            this.count = count;
        }

        void add(float[] row) {
            float[] all = values == null ? new float[count * row.length] : values;
            System.arraycopy(row, 0, all, at, row.length);
            at += row.length;
            values = all;
        }

        float[] all() {
            return Objects.requireNonNull(values);
        }
    }

    private static float[] pixels(Picture picture, int height, int width, Filter filter) {
        return Resampler.resize(picture, height, width, filter).withChannels(3).toModel();
    }

    private static float[] binary(Picture picture) {
        byte[] grey = picture.withChannels(1).data();
        float[] white = new float[grey.length];
        for (int i = 0; i < white.length; i++) {
            white[i] = grey[i] < 0 ? 1 : 0; // 128 and above
        }
        return white;
    }

    private static float[] normal(RandomSource random, int size) {
        float[] values = new float[size];
        random.normal(values);
        return values;
    }

    private static float[] repeated(float[] plane, int size) {
        float[] all = new float[size];
        for (int i = 0; i < size; i++) {
            all[i] = plane[i % plane.length];
        }
        return all;
    }
}
