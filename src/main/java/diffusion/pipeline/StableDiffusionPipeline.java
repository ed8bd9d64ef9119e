package diffusion.pipeline;

import diffusion.backend.Backend;
import diffusion.backend.MemoryPlan;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.model.UNet2DConditionModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TCDScheduler;
import diffusion.text.Prompt;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Objects;
import java.util.function.BooleanSupplier;
import java.util.function.Consumer;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/**
 * Pictures from texts: the text encoders, the U-Net and the autoencoder are loaded in turn, each released before the next;
 * diffusers' StableDiffusionPipeline, StableDiffusionXLPipeline and LatentConsistencyModelPipeline.
 */
public final class StableDiffusionPipeline {
    /** Tokens' places for the sizes that SDXL's U-Net looks at: original size, crop and target size. */
    private static final int TIME_IDS = 6;

    /**
     * What is wanted.
     *
     * @param prompts one a picture
     * @param negative what the pictures are to be led away from; null for none
     * @param seeds one a picture
     * @param batch pictures computed together
     * @param guidance guidance scale; 1 or less for none
     * @param clipSkip how many of the text encoder's last layers are left out
     * @param tiling whether the autoencoder works in tiles
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
            int clipSkip,
            int batch,
            boolean tiling) {}

    /** Told about progress. */
    public interface Listener {
        /** A part of the work begins. */
        default void stage(String name) {}

        /** A step of some pictures is done; {@code latents} copies the state [N, C, h, w] out when called. */
        void step(int done, int steps, int pictures, Supplier<float[]> latents);
    }

    /** What the U-Net looks at beside the latent, for all pictures of a run. */
    private record Condition(
            List<float[]> context, List<float[]> pooled, int tokens, int features, int pooledFeatures) {}

    private final StableDiffusionComponents components;
    private final Scheduler scheduler;
    private final Backend backend;
    private final WeightAdjustment adjustment;

    /** A pipeline of parts; {@code adjustment} changes weights while they are loaded. */
    public StableDiffusionPipeline(
            StableDiffusionComponents components, Scheduler scheduler, Backend backend, WeightAdjustment adjustment) {
        this.components = components;
        this.scheduler = scheduler;
        this.backend = backend;
        this.adjustment = adjustment;
    }

    /** Makes the pictures in order and hands over each with its place in the request. */
    public void run(Request request, BooleanSupplier cancelled, Listener listener, Consumer<Picture> finished) {
        check(request);
        if (scheduler instanceof TCDScheduler tcd) {
            tcd.setEta(0); // diffusers' pipelines hand on their own eta, whose default is 0
        }
        scheduler.setTimesteps(request.steps);
        listener.stage("text");
        boolean guided = request.guidance > 1 && !components.isGuidanceDistilled();
        Condition condition = encode(request, guided);
        listener.stage("denoise");
        List<float[]> latents = denoise(request, condition, guided, cancelled, listener);
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
                float[] picture = decoder.decode(unscaled(latent));
                finished.accept(
                        Picture.fromModel(picture, 0, components.vae().outChannels(), request.height, request.width));
            }
        }
    }

    /** Throws if the model cannot make what is wanted. */
    public void check(Request request) {
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
        if (components.unet().inChannels() != components.vae().latentChannels()) {
            throw new DiffusionException(components.name() + ": the U-Net takes "
                    + components.unet().inChannels() + " channels, of which a text gives none but the latent's "
                    + components.vae().latentChannels() + "; it is a model for editing pictures, not for making them");
        }
    }

    /** Bytes of memory that a step of the U-Net takes for a picture of a size, with weights in float32, guided. */
    public static long stepBytes(StableDiffusionComponents components, int height, int width) {
        int tokens = components.texts().getFirst().tokenizer().maxLength();
        int pooled = components.texts().getLast().config().projectionDim();
        Condition nothing = new Condition(List.of(), List.of(), tokens, features(components), pooled);
        Inputs inputs = new Inputs(components, nothing);
        Scheduler scheduler = SchedulerFactory.create(components.scheduler());
        boolean guided = !components.isGuidanceDistilled();
        SamplingLoop loop = loop(components, inputs, scheduler, 1, height, width, guided);
        return new MemoryPlan(List.of(loop.graph())).totalFloats() * Float.BYTES;
    }

    private static SamplingLoop loop(
            StableDiffusionComponents components,
            Inputs inputs,
            Scheduler scheduler,
            int batch,
            int height,
            int width,
            boolean guided) {
        int factor = components.factor();
        int channels = components.unet().inChannels();
        return new SamplingLoop(inputs, channels, scheduler, batch, height / factor, width / factor, guided);
    }

    private static int features(StableDiffusionComponents components) {
        return components.texts().stream()
                .mapToInt(text -> text.config().hiddenSize())
                .sum();
    }

    private static int nearest(int size, int multiple) {
        return Math.max(1, Math.round((float) size / multiple)) * multiple;
    }

    private float[] unscaled(float[] latent) {
        float[] values = latent.clone();
        double scale = components.vae().scalingFactor();
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) (values[i] / scale + components.vae().shiftFactor());
        }
        return values;
    }

    /** All prompts, then the negative one if the run is guided, by every encoder; features side by side. */
    private Condition encode(Request request, boolean guided) {
        List<Prompt> prompts = new ArrayList<>(request.prompts);
        boolean zeros = guided && request.negative == null && components.zerosForEmptyPrompt();
        if (guided) {
            prompts.add(request.negative == null ? Prompt.plain("") : request.negative);
        }
        boolean xl = components.isXL();
        // The negative prompt keeps all layers, as in diffusers; SDXL never uses the last.
        List<Integer> skips =
                new ArrayList<>(Collections.nCopies(request.prompts.size(), request.clipSkip + (xl ? 1 : 0)));
        if (guided) {
            skips.add(xl ? 1 : 0);
        }
        List<List<TextEncoding.Encoded>> encoded = new ArrayList<>();
        for (StableDiffusionComponents.Text text : components.texts()) {
            encoded.add(TextEncoding.encode(backend, text, prompts, skips, !xl, adjustment));
        }
        List<float[]> context = new ArrayList<>();
        List<float[]> pooled = new ArrayList<>();
        int features = features(components);
        for (int i = 0; i < prompts.size(); i++) {
            int row = i;
            float[] joined =
                    join(encoded.stream().map(list -> list.get(row).states()).toList(), features);
            float[] last = encoded.getLast().get(i).pooled();
            boolean zero = zeros && i == prompts.size() - 1;
            context.add(zero ? new float[joined.length] : joined);
            pooled.add(zero ? new float[last.length] : last);
        }
        return new Condition(context, pooled, context.getFirst().length / features, features, pooled.getFirst().length);
    }

    private List<Integer> widths() {
        return components.texts().stream()
                .map(text -> text.config().hiddenSize())
                .toList();
    }

    /** Rows of several matrices side by side; all have the same number of rows. */
    private float[] join(List<float[]> parts, int features) {
        List<Integer> widths = widths();
        int rows = parts.getFirst().length / widths.getFirst();
        float[] all = new float[rows * features];
        for (int row = 0; row < rows; row++) {
            int at = row * features;
            for (int p = 0; p < parts.size(); p++) {
                int width = widths.get(p);
                System.arraycopy(parts.get(p), row * width, all, at, width);
                at += width;
            }
        }
        return all;
    }

    private List<float[]> denoise(
            Request request, Condition condition, boolean guided, BooleanSupplier cancelled, Listener listener) {
        int batch = Math.min(request.batch, request.prompts.size());
        Inputs inputs = new Inputs(components, condition);
        SamplingLoop loop = loop(components, inputs, scheduler, batch, request.height, request.width, guided);
        List<float[]> latents = new ArrayList<>();
        try (Program program = backend.compile(List.of(loop.graph()))) {
            components
                    .unetWeights()
                    .load(
                            inputs.model.parameters(),
                            (tensor, values) -> program.fill(tensor, adjustment.apply("unet", tensor, values)));
            for (int start = 0; start < request.prompts.size(); start += batch) {
                int count = Math.min(batch, request.prompts.size() - start);
                List<RandomSource> generators = new ArrayList<>();
                List<Integer> rows = new ArrayList<>();
                for (int i = 0; i < batch; i++) {
                    // The last batch is filled up with repetitions; bits do not depend on what else is in a batch.
                    int index = start + Math.min(i, count - 1);
                    generators.add(RandomSource.of(request.rng, request.seeds.get(index)));
                    rows.add(index);
                }
                inputs.write(program, request, rows, guided);
                float[] all = loop.run(
                        program,
                        generators,
                        request.guidance,
                        cancelled,
                        (done, steps, sample) -> listener.step(done, steps, count, sample));
                int size = all.length / batch;
                for (int i = 0; i < count; i++) {
                    latents.add(Arrays.copyOfRange(all, i * size, (i + 1) * size));
                }
            }
        }
        return latents;
    }

    /** The U-Net with its inputs beside the latent. */
    private static final class Inputs implements SamplingLoop.Network {
        private final UNet2DConditionModel model;
        private final Condition condition;
        private @Nullable Tensor context; // [R, tokens, features]
        private @Nullable Tensor pooled; // [R, features]
        private @Nullable Tensor timeIds; // [R, 6]
        private @Nullable Tensor embeddedGuidance; // [R, D]

        Inputs(StableDiffusionComponents components, Condition condition) {
            model = new UNet2DConditionModel(components.unet());
            this.condition = condition;
        }

        @Override
        public Tensor apply(Graph g, Tensor x, Tensor timestep) {
            int rows = timestep.dim(0);
            Tensor text = g.input("encoder_hidden_states", rows, condition.tokens, condition.features);
            context = text;
            boolean xl = model.config().additionEmbedType() != null;
            pooled = xl ? g.input("text_embeds", rows, condition.pooledFeatures) : null;
            timeIds = xl ? g.input("time_ids", rows, TIME_IDS) : null;
            Integer distilled = model.config().timeCondProjDim();
            embeddedGuidance = distilled == null ? null : g.input("timestep_cond", rows, distilled);
            return model.apply(
                    g,
                    x,
                    timestep,
                    new UNet2DConditionModel.Conditioning(text, null, pooled, timeIds, embeddedGuidance));
        }

        void write(Program program, Request request, List<Integer> pictures, boolean guided) {
            List<Integer> rows = new ArrayList<>();
            if (guided) {
                int negative = condition.context.size() - 1;
                pictures.forEach(_ -> rows.add(negative));
            }
            rows.addAll(pictures);
            Tensor text = Objects.requireNonNull(context);
            program.write(text, stack(rows, condition.context, text.size()));
            if (pooled != null && timeIds != null) {
                program.write(pooled, stack(rows, condition.pooled, pooled.size()));
                float[] ids = {request.height, request.width, 0, 0, request.height, request.width};
                program.write(timeIds, stack(rows.stream().map(_ -> 0).toList(), List.of(ids), timeIds.size()));
            }
            if (embeddedGuidance != null) {
                float[] embedded = embed(request.guidance - 1, embeddedGuidance.dim(1));
                program.write(
                        embeddedGuidance,
                        stack(rows.stream().map(_ -> 0).toList(), List.of(embedded), embeddedGuidance.size()));
            }
        }

        private static float[] stack(List<Integer> rows, List<float[]> values, int size) {
            float[] all = new float[size];
            int at = 0;
            for (int row : rows) {
                float[] one = values.get(row);
                System.arraycopy(one, 0, all, at, one.length);
                at += one.length;
            }
            return all;
        }

        /** Sines and cosines of 1000 w, as diffusers' get_guidance_scale_embedding. */
        private static float[] embed(double w, int size) {
            int half = size / 2;
            float[] values = new float[size];
            float step = (float) (Math.log(10000.0) / (half - 1));
            for (int i = 0; i < half; i++) {
                float angle = (float) (w * 1000) * (float) Math.exp(-i * step);
                values[i] = (float) Math.sin(angle);
                values[half + i] = (float) Math.cos(angle);
            }
            return values;
        }
    }
}
