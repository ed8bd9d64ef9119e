package diffusion.cli;

import diffusion.io.Images;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.StableDiffusionPipeline;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import java.util.function.Supplier;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/** {@code sample} for models that follow a text. */
final class TextSampling {
    private static final double GUIDANCE = 7.5;
    private static final double GUIDANCE_XL = 5;

    private final StableDiffusionComponents components;
    private final PromptOptions options;
    private final Backends.Choice choice;

    TextSampling(String model, PromptOptions options, Backends.Choice choice) {
        this.components = StableDiffusionComponents.open(model, Path.of(model));
        this.options = options;
        this.choice = choice;
    }

    static boolean matches(String model) {
        return StableDiffusionComponents.matches(Path.of(model));
    }

    int run(
            @Nullable String schedulerName,
            int steps,
            @Nullable Double givenGuidance,
            @Nullable Integer size,
            @Nullable Integer count,
            int batch,
            long seed,
            RandomSource.Kind rng,
            Path out,
            boolean json,
            long start) {
        if (options.prompts.isEmpty()) {
            throw new Main.UsageException(
                    "--prompt: expected what the picture is to show, because " + components.name() + " follows a text");
        }
        int own = components.size();
        int height = size(options.height, size, own);
        int width = size(options.width, size, own);
        double guidance = givenGuidance != null ? givenGuidance : components.isXL() ? GUIDANCE_XL : GUIDANCE;
        Scheduler scheduler = scheduler(schedulerName);
        int number = count != null ? count : options.prompts.size();
        List<Prompt> prompts = new ArrayList<>();
        List<Long> seeds = new ArrayList<>();
        for (int i = 0; i < number; i++) {
            prompts.add(options.parse(options.prompts.get(i % options.prompts.size())));
            seeds.add(seed + i);
        }
        StableDiffusionPipeline.Request request = new StableDiffusionPipeline.Request(
                prompts,
                options.negative == null ? null : options.parse(options.negative),
                seeds,
                rng,
                height,
                width,
                steps,
                guidance,
                options.clipSkip,
                Math.min(batch, number),
                options.tiling,
                null);
        StableDiffusionPipeline pipeline =
                new StableDiffusionPipeline(components, scheduler, choice.backend(), options.adjustment(components));
        List<Generated> pictures = new ArrayList<>();
        pipeline.check(request);
        System.err.println(choice);
        try (Interrupt interrupt = new Interrupt()) {
            try (ProgressBar bar = Progress.bar("sample", (long) steps * number)) {
                pipeline.run(
                        request,
                        interrupt,
                        listener(bar),
                        picture -> pictures.add(new Generated(picture, seeds.get(pictures.size()), pictures.size())));
            } catch (CancellationException e) {
                return 130;
            }
            SampleFiles files = new SampleFiles(
                    out,
                    components.name(),
                    scheduler.config().className(),
                    steps,
                    guidance,
                    rng,
                    choice.backend().name(),
                    "prompt",
                    this::promptOf,
                    made -> text(request, scheduler, made));
            files.write(pictures);
            files.report(json, (System.nanoTime() - start) * 1e-9);
        }
        return 0;
    }

    private String promptOf(Generated made) {
        return options.prompts.get(made.label() % options.prompts.size());
    }

    private static int size(@Nullable Integer given, @Nullable Integer both, int own) {
        if (given != null) {
            return given;
        }
        if (both == null && own == 0) {
            throw new Main.UsageException(
                    "--width, --height: expected sizes, because the U-Net's config.json has no sample_size");
        }
        return both == null ? own : both;
    }

    private Scheduler scheduler(@Nullable String name) {
        SchedulerConfig config = components.scheduler();
        if (name != null) {
            config = SchedulerFactory.configFor(name, config);
        }
        if (options.prediction != null) {
            config = config.with("prediction_type", options.prediction);
        }
        return SchedulerFactory.create(options.karras ? config.with("use_karras_sigmas", true) : config);
    }

    private static StableDiffusionPipeline.Listener listener(ProgressBar bar) {
        return new StableDiffusionPipeline.Listener() {
            @Override
            public void stage(String name) {
                bar.setExtraMessage(name);
            }

            @Override
            public void step(int done, int steps, int pictures, Supplier<float[]> latents) {
                bar.stepBy(pictures);
            }
        };
    }

    private Map<String, String> text(
            StableDiffusionPipeline.Request request, Scheduler scheduler, List<Generated> pictures) {
        Map<String, Object> fields = new LinkedHashMap<>();
        fields.put("Steps", request.steps());
        String spacing = scheduler.config().has("use_karras_sigmas")
                        && scheduler.config().flag("use_karras_sigmas")
                ? " Karras"
                : "";
        fields.put("Sampler", scheduler.config().className() + spacing);
        fields.put("CFG scale", request.guidance());
        fields.put("Seed", pictures.getFirst().seed());
        fields.put("Size", request.width() + "x" + request.height());
        fields.put("Model", components.name());
        fields.put("RNG", request.rng() == RandomSource.Kind.TORCH ? "CPU" : "GPU");
        if (request.clipSkip() > 0) {
            fields.put("Clip skip", request.clipSkip() + 1);
        }
        if (pictures.size() > 1) {
            fields.put("Pictures", pictures.size());
        }
        String prompt = promptOf(pictures.getFirst());
        return Map.of("parameters", Images.parameters(prompt, options.negative, fields));
    }
}
