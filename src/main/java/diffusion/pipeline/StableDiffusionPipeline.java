package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.nn.StyleInjection;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TCDScheduler;
import diffusion.text.Prompt;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import org.jspecify.annotations.Nullable;

/**
 * Pictures from texts: the text encoders, the U-Net and the autoencoder are loaded in turn, each released before the next;
 * diffusers' StableDiffusionPipeline, StableDiffusionXLPipeline and LatentConsistencyModelPipeline.
 */
public final class StableDiffusionPipeline {
    /**
     * What is wanted.
     *
     * @param prompts one a picture
     * @param negative what the pictures are to be led away from; null for none
     * @param seeds one a picture
     * @param batch pictures computed together
     * @param guidance guidance scale; 1 or less for none
     * @param guidanceRescale how much of guidance's change of spread is taken back, 0 to 1; diffusers' guidance_rescale
     * @param clipSkip how many of the text encoder's last layers are left out
     * @param tiling whether the autoencoder works in tiles
     * @param edit what the pictures are made from beside the texts; null for noise alone
     */
    public record Request(
            List<Prompt> prompts,
            @Nullable Prompt negative,
            List<Long> seeds,
            RandomSource.Kind rng,
            int height,
            int width,
            int steps,
            double guidance,
            double guidanceRescale,
            int clipSkip,
            int batch,
            boolean tiling,
            @Nullable Edit edit) {
        /** The same of other texts. */
        Request withPrompts(List<Prompt> others) {
            return new Request(
                    others,
                    negative,
                    seeds,
                    rng,
                    height,
                    width,
                    steps,
                    guidance,
                    guidanceRescale,
                    clipSkip,
                    batch,
                    tiling,
                    edit);
        }
    }

    /** Told about progress. */
    public interface Listener {
        /** A part of the work begins: text, encode (of an input picture), load (of the U-Net), denoise or decode. */
        default void stage(String name) {}

        /** A step of some pictures is done. */
        void step(FinishedStep step);
    }

    private final StableDiffusionComponents components;
    private final Scheduler scheduler;
    private final Backend backend;
    private final WeightAdjustment adjustment;
    private final int cacheInterval;
    private final List<Guide> guides;

    /** A pipeline of parts; {@code adjustment} changes weights while they are loaded. */
    public StableDiffusionPipeline(
            StableDiffusionComponents components, Scheduler scheduler, Backend backend, WeightAdjustment adjustment) {
        this(components, scheduler, backend, adjustment, 1, List.of());
    }

    /**
     * A pipeline of parts.
     *
     * @param cacheInterval of so many steps in turn the first goes through the whole U-Net (DeepCache); 1 for all
     * @param guides functions of decoded pictures that gradients lead them by, through the U-Net and the decoder
     */
    public StableDiffusionPipeline(
            StableDiffusionComponents components,
            Scheduler scheduler,
            Backend backend,
            WeightAdjustment adjustment,
            int cacheInterval,
            List<Guide> guides) {
        this.cacheInterval = cacheInterval;
        this.guides = List.copyOf(guides);
        this.components = components;
        this.scheduler = scheduler;
        this.backend = backend;
        this.adjustment = adjustment;
    }

    /**
     * A second model for the last steps, on the same latents.
     *
     * @param highNoiseFraction share of the schedule, from the noisiest end, that is left to the first
     */
    public record Refiner(StableDiffusionPipeline pipeline, double highNoiseFraction) {}

    /** Makes the pictures in order and hands over each with its place in the request. */
    public void run(Request request, BooleanSupplier cancelled, Listener listener, Consumer<Picture> finished) {
        run(request, null, cancelled, listener, finished);
    }

    /** The same, the last steps by a refiner where there is one. */
    public void run(
            Request request,
            @Nullable Refiner refiner,
            BooleanSupplier cancelled,
            Listener listener,
            Consumer<Picture> finished) {
        check(request, refiner);
        plan(request.steps);
        int factor = components.factor();
        int elements = components.vae().latentChannels() * request.height / factor * request.width / factor;
        // Both models draw from the same generators, one a picture.
        List<RandomSource> generators = request.seeds.stream()
                .map(seed -> RandomSource.of(
                        request.rng, request.edit instanceof Edit.Between(long first, long _) ? first : seed))
                .toList();
        LatentEdit course = refiner == null
                ? start(request, generators, elements, cancelled, listener)
                : Handover.first(scheduler, refiner.highNoiseFraction, elements);
        List<float[]> latents = denoise(request, course, generators, 0, cancelled, listener);
        StableDiffusionPipeline last = this;
        if (refiner != null) {
            last = refiner.pipeline;
            last.plan(request.steps);
            LatentEdit rest = Handover.second(last.scheduler, refiner.highNoiseFraction, latents);
            int before = Handover.steps(scheduler, refiner.highNoiseFraction);
            latents = last.denoise(request, rest, generators, before, cancelled, listener);
        }
        last.decode(request, latents, listener, finished);
    }

    /** Where the pictures start whose start takes more than an encoder; null for others. */
    private @Nullable LatentEdit start(
            Request request,
            List<RandomSource> generators,
            int elements,
            BooleanSupplier cancelled,
            Listener listener) {
        int count = request.prompts.size();
        int steps = scheduler.timesteps().length;
        if (request.edit instanceof Edit.Between between) {
            generators.forEach(random -> random.normal(new float[elements])); // as if it were its own start
            List<float[]> ends = Inversion.noises(between, request.rng, elements, scheduler.initNoiseSigma());
            return LatentEdit.from(scheduler, 0, steps, Inversion.starts(ends, count));
        }
        Edit.Invert invert = request.edit == null ? null : request.edit.inversion();
        if (invert != null) {
            int begin = invert.begin(scheduler, request.steps);
            List<float[]> ends = invert(request, invert, steps - begin, cancelled, listener);
            return request.edit instanceof Edit.Stylize stylize
                    ? LatentEdit.alike(
                            scheduler,
                            begin,
                            steps,
                            stylize.starts(
                                    ends,
                                    Math.min(request.batch, count),
                                    components.vae().latentChannels()))
                    : LatentEdit.from(scheduler, begin, steps, Inversion.starts(ends, count));
        }
        return null;
    }

    /** The latents of pictures led back by a number of steps, without guidance. */
    private List<float[]> invert(
            Request request, Edit.Invert edit, int steps, BooleanSupplier cancelled, Listener listener) {
        Scheduler back = Inversion.backwards(scheduler, request.steps);
        int count = edit.pictures().size();
        Request source = new Request(
                Collections.nCopies(count, source(edit)),
                null,
                Collections.nCopies(count, 0L),
                request.rng,
                request.height,
                request.width,
                request.steps,
                1,
                0,
                request.clipSkip,
                count,
                request.tiling,
                null);
        List<RandomSource> unused = source.seeds.stream()
                .map(seed -> RandomSource.of(request.rng, seed))
                .toList();
        Listener told = new Listener() {
            @Override
            public void stage(String name) {
                listener.stage(name);
            }

            @Override
            public void step(FinishedStep step) {
                listener.step(step.ledBack());
            }
        };
        listener.stage("encode");
        LatentEdit course =
                LatentEdit.from(back, 0, steps, LatentEdit.means(backend, components, request, edit.pictures()));
        return new StableDiffusionPipeline(components, back, backend, adjustment)
                .denoise(source, course, unused, 0, cancelled, told);
    }

    private static Prompt source(Edit.Invert edit) {
        return Prompt.parse(edit.source() == null ? "" : edit.source());
    }

    private void plan(int steps) {
        if (scheduler instanceof TCDScheduler tcd) {
            tcd.setEta(0); // diffusers' pipelines hand on their own eta, whose default is 0
        }
        scheduler.setTimesteps(steps);
    }

    private void decode(Request request, List<float[]> latents, Listener listener, Consumer<Picture> finished) {
        listener.stage("decode");
        int factor = components.factor();
        try (LatentDecoder decoder = new LatentDecoder(
                backend,
                components.vae(),
                components.vaeWeights(),
                request.height / factor,
                request.width / factor,
                request.tiling)) {
            for (float[] latent : latents) {
                float[] picture = decoder.decodeScaled(latent);
                finished.accept(
                        Picture.fromModel(picture, 0, components.vae().outChannels(), request.height, request.width));
            }
        }
    }

    /** Throws if the models cannot make what is wanted. */
    public void check(Request request, @Nullable Refiner refiner) {
        check(request);
        checkGuides(request, refiner != null);
        if (refiner == null) {
            if (request.edit == null && components.scoresAesthetics()) {
                throw new DiffusionException(components.name() + " is a refiner, which makes pictures only from other"
                        + " pictures; give the base model, and this one with --refiner");
            }
            return;
        }
        StableDiffusionComponents second = refiner.pipeline.components;
        if (request.edit != null) {
            throw new DiffusionException("--refiner: expected pictures of texts alone, found an input picture;"
                    + " refine what is made of it with img2img --model " + second.name());
        }
        if (second.factor() != components.factor()
                || second.vae().latentChannels() != components.vae().latentChannels()
                || second.extraChannels() != 0) {
            throw new DiffusionException("--refiner: expected a model of the same latents as " + components.name()
                    + ", found another kind in " + second.name());
        }
        plan(request.steps);
        refiner.pipeline.plan(request.steps);
        Handover.check(scheduler, refiner.pipeline.scheduler, refiner.highNoiseFraction);
    }

    private void checkGuides(Request request, boolean refined) {
        String other = cacheInterval > 1
                ? "--cache"
                : request.guidanceRescale != 0
                        ? "--guidance-rescale"
                        : refined
                                ? "--refiner"
                                : request.edit instanceof Edit.Stylize ? "the injection of a style" : null;
        if (!guides.isEmpty() && other != null) {
            throw new DiffusionException("--guide: expected every step in full and the model's own, found " + other);
        }
    }

    /** Throws if the model cannot make what is wanted. */
    private void check(Request request) {
        int multiple = components.factor();
        if (request.height < multiple
                || request.height % multiple != 0
                || request.width < multiple
                || request.width % multiple != 0) {
            throw new DiffusionException("the size must be a multiple of %d, found %dx%d; the nearest is %dx%d"
                    .formatted(
                            multiple,
                            request.width,
                            request.height,
                            nearest(request.width, multiple),
                            nearest(request.height, multiple)));
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
        boolean fits = switch (request.edit) {
            case null -> extra == 0;
            case Edit.ImageToImage _, Edit.Invert _, Edit.Between _, Edit.Stylize _ -> extra == 0;
            case Edit.Inpaint _ -> extra == 0 || extra == latent + 1;
            case Edit.Upscale _ -> extra == components.vae().inChannels() && components.lowResScheduler() != null;
        };
        if (!fits) {
            throw new DiffusionException("%s: its U-Net takes %d channels, with which it %s"
                    .formatted(components.name(), components.unet().inChannels(), made));
        }
        if (request.edit != null) {
            request.edit.check(request.steps);
        }
        if (request.edit instanceof Edit.Stylize && cacheInterval > 1) {
            throw new DiffusionException("--cache: expected 1 with the injection of a style, found " + cacheInterval);
        }
        if (!(request.guidanceRescale >= 0 && request.guidanceRescale <= 1)) {
            throw new DiffusionException("--guidance-rescale: expected 0 to 1, found " + request.guidanceRescale);
        }
        Integer levels = components.unet().numClassEmbeds();
        if (request.edit instanceof Edit.Upscale(Picture _, int level)
                && levels != null
                && (level < 0 || level >= levels)) {
            throw new DiffusionException("--noise-level: expected 0 to " + (levels - 1) + ", found " + level);
        }
    }

    /** Bytes of memory that a step of the U-Net takes for a picture of a size, with weights in float32, guided. */
    public static long stepBytes(StableDiffusionComponents components, int height, int width) {
        return stepBytes(components, height, width, List.of());
    }

    /** The same of a step that gradients lead too, with the decoder; what kernels take for themselves is not in it. */
    public static long stepBytes(StableDiffusionComponents components, int height, int width, List<Guide> guides) {
        UNetInputs inputs = new UNetInputs(components, TextCondition.empty(components));
        Scheduler scheduler = SchedulerFactory.create(components.scheduler());
        boolean guided = !components.isGuidanceDistilled();
        scheduler.setTimesteps(1);
        DecodedGuide guide = decoded(components, guides);
        SamplingLoop loop = loop(components, inputs, scheduler, 1, height, width, guided, 1, 0, guide);
        return new MemoryPlan(loop.graphs()).totalFloats() * Float.BYTES;
    }

    private static @Nullable DecodedGuide decoded(StableDiffusionComponents components, List<Guide> guides) {
        return guides.isEmpty() ? null : new DecodedGuide(components.vae(), components.vaeWeights(), guides);
    }

    private static SamplingLoop loop(
            StableDiffusionComponents components,
            UNetInputs inputs,
            Scheduler scheduler,
            int batch,
            int height,
            int width,
            boolean guided,
            int cacheInterval,
            double rescale,
            @Nullable DecodedGuide guide) {
        int factor = components.factor();
        int h = height / factor;
        int w = width / factor;
        int channels = components.vae().latentChannels();
        return guide == null
                ? new SamplingLoop(inputs, channels, scheduler, batch, h, w, guided, cacheInterval, rescale)
                : new SamplingLoop(inputs, channels, scheduler, batch, h, w, guided, List.of(guide));
    }

    private static int nearest(int size, int multiple) {
        return Math.max(1, Math.round((float) size / multiple)) * multiple;
    }

    /** Latents of all pictures along a course; null for that of the request. Steps are counted from {@code before} on. */
    private List<float[]> denoise(
            Request request,
            @Nullable LatentEdit course,
            List<RandomSource> own,
            int before,
            BooleanSupplier cancelled,
            Listener listener) {
        listener.stage("text");
        boolean guided = request.guidance > 1 && !components.isGuidanceDistilled();
        Edit.Stylize stylize = request.edit instanceof Edit.Stylize given ? given : null;
        List<Prompt> told = new ArrayList<>(request.prompts);
        if (stylize != null) {
            told.add(source(stylize.inversion())); // of the companions
        }
        TextCondition condition =
                TextCondition.encode(backend, components, adjustment, request.withPrompts(told), guided);
        LatentEdit edit = course;
        if (request.edit != null && course == null) {
            listener.stage("encode");
            edit = LatentEdit.encode(backend, components, scheduler, request, request.edit);
        }
        listener.stage("load");
        int batch = Math.min(request.batch, request.prompts.size());
        UNetInputs inputs = new UNetInputs(components, condition);
        int factor = components.factor();
        DecodedGuide guide = decoded(components, guides);
        SamplingLoop loop = stylize == null
                ? loop(
                        components,
                        inputs,
                        scheduler,
                        batch,
                        request.height,
                        request.width,
                        guided,
                        cacheInterval,
                        request.guidanceRescale,
                        guide)
                : new SamplingLoop(
                        inputs,
                        components.vae().latentChannels(),
                        scheduler,
                        batch + StyleInjection.COMPANIONS,
                        request.height / factor,
                        request.width / factor,
                        guided,
                        request.guidanceRescale,
                        stylize.injected(inputs.parameters(), scheduler, request.steps, batch));
        int all = stylize == null ? batch : batch + StyleInjection.COMPANIONS;
        List<float[]> latents = new ArrayList<>();
        try (LatentPreview preview =
                        new LatentPreview(backend, components, request.height / factor, request.width / factor);
                Program program = backend.compile(loop.graphs())) {
            components
                    .unetWeights()
                    .load(
                            inputs.parameters(),
                            (tensor, values) -> program.fill(tensor, adjustment.apply("unet", tensor, values)));
            if (guide != null) {
                guide.load(program);
            }
            listener.stage("denoise");
            for (int start = 0; start < request.prompts.size(); start += batch) {
                int count = Math.min(batch, request.prompts.size() - start);
                List<RandomSource> generators = new ArrayList<>();
                List<Integer> rows = new ArrayList<>();
                for (int i = 0; i < all; i++) {
                    // The last batch is filled up with repetitions; bits do not depend on what else is in a batch.
                    int index = start + Math.min(i, count - 1);
                    generators.add(i < count ? own.get(index) : RandomSource.of(request.rng, request.seeds.get(index)));
                    rows.add(i < batch ? index : request.prompts.size());
                }
                int first = start;
                SamplingLoop.Listener steps = (done, of, sample, x0) -> listener.step(
                        new FinishedStep(first, count, before + done, before + of, all, sample, x0, preview::picture));
                float[] made;
                if (edit == null) {
                    inputs.write(program, request, rows, guided, null);
                    made = loop.run(program, generators, request.guidance, cancelled, steps);
                } else {
                    LatentEdit.Batch drawn = edit.draw(generators);
                    inputs.write(program, request, rows, guided, drawn);
                    made = loop.run(program, generators, request.guidance, drawn.course(), cancelled, steps);
                }
                int size = made.length / all;
                for (int i = 0; i < count; i++) {
                    latents.add(Arrays.copyOfRange(made, i * size, (i + 1) * size));
                }
            }
        }
        return latents;
    }
}
