package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
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
    private final @Nullable Saving saving;
    private final List<Guide> guides;
    private final EffortSum effort = new EffortSum();

    /** A pipeline of parts; {@code adjustment} changes weights while they are loaded. */
    public StableDiffusionPipeline(
            StableDiffusionComponents components, Scheduler scheduler, Backend backend, WeightAdjustment adjustment) {
        this(components, scheduler, backend, adjustment, null, List.of());
    }

    /**
     * A pipeline of parts.
     *
     * @param saving how model calls are spent; null for one a step
     * @param guides functions of decoded pictures that gradients lead them by, through the U-Net and the decoder
     */
    public StableDiffusionPipeline(
            StableDiffusionComponents components,
            Scheduler scheduler,
            Backend backend,
            WeightAdjustment adjustment,
            @Nullable Saving saving,
            List<Guide> guides) {
        this.saving = saving;
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
        String text = edit.source() == null ? "" : edit.source();
        return edit.plain() ? Prompt.plain(text) : Prompt.parse(text);
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
        RequestCheck.alone(components, request, saving, !guides.isEmpty());
        if (refiner == null) {
            RequestCheck.unrefined(components, request);
            return;
        }
        RequestCheck.refined(components, refiner.pipeline.components, request, saving, !guides.isEmpty());
        plan(request.steps);
        refiner.pipeline.plan(request.steps);
        Handover.check(scheduler, refiner.pipeline.scheduler, refiner.highNoiseFraction);
    }

    /** What the pictures made so far took. */
    public ImageGenerator.Effort effort() {
        return effort.mean();
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
        SamplingLoop loop =
                new SamplingLoop(sampling(components, inputs, scheduler, guided, 0, guide, 1, height, width), 1);
        return new MemoryPlan(loop.graphs()).totalFloats() * Float.BYTES;
    }

    private static @Nullable DecodedGuide decoded(StableDiffusionComponents components, List<Guide> guides) {
        return guides.isEmpty() ? null : new DecodedGuide(components.vae(), components.vaeWeights(), guides);
    }

    private static Sampling sampling(
            StableDiffusionComponents components,
            UNetInputs inputs,
            Scheduler scheduler,
            boolean guided,
            double rescale,
            @Nullable DecodedGuide guide,
            int batch,
            int height,
            int width) {
        int factor = components.factor();
        return new Sampling(
                inputs,
                scheduler,
                guided,
                rescale,
                guide == null ? List.of() : List.of(guide),
                batch,
                components.vae().latentChannels(),
                height / factor,
                width / factor);
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
        int all = stylize == null ? batch : batch + StyleInjection.COMPANIONS;
        Sampling sampling = sampling(
                components,
                inputs,
                scheduler,
                guided,
                request.guidanceRescale,
                guide,
                all,
                request.height,
                request.width);
        ReverseProcess process = stylize == null
                ? Saving.process(saving, sampling)
                : new SamplingLoop(sampling, stylize.injected(inputs.parameters(), scheduler, request.steps, batch));
        List<float[]> latents = new ArrayList<>();
        try (LatentPreview preview =
                        new LatentPreview(backend, components, request.height / factor, request.width / factor);
                Program program = backend.compile(process.graphs())) {
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
                    rows.addAll(Collections.nCopies(process.width(), i < batch ? index : request.prompts.size()));
                }
                int first = start;
                SamplingLoop.Listener steps = (done, of, sample, x0) -> listener.step(
                        new FinishedStep(first, count, before + done, before + of, all, sample, x0, preview::picture));
                LatentEdit.Batch drawn = edit == null ? null : edit.draw(generators);
                inputs.write(program, request, rows, guided, drawn);
                float[] made = process.run(
                        program,
                        generators,
                        new int[all],
                        request.guidance,
                        drawn == null ? null : drawn.course(),
                        cancelled,
                        steps);
                effort.add(process.effort(), count);
                int size = made.length / all;
                for (int i = 0; i < count; i++) {
                    latents.add(Arrays.copyOfRange(made, i * size, (i + 1) * size));
                }
            }
        }
        return latents;
    }
}
