package diffusion.cli;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.pipeline.Edit;
import diffusion.pipeline.FinishedStep;
import diffusion.pipeline.Guide;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.Saving;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.StableDiffusionPipeline;
import diffusion.pipeline.WeightPrecision;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/** Sampling of models that follow a text. */
final class TextSampling {
    private static final double GUIDANCE = 7.5;
    private static final double GUIDANCE_XL = 5;

    private final StableDiffusionComponents components;
    private final SamplingOptions options;
    private final @Nullable PictureEdit edit;
    private final List<String> texts;

    TextSampling(SamplingOptions options, @Nullable PictureEdit edit) {
        StableDiffusionComponents found = StableDiffusionComponents.open(options.model, Path.of(options.model));
        this.components = options.prompt.changed(found);
        this.options = options;
        this.edit = edit;
        texts = options.prompt.prompts.isEmpty() && edit != null ? List.of("") : options.prompt.prompts;
    }

    static boolean matches(String model) {
        return StableDiffusionComponents.matches(Path.of(model));
    }

    int run(long start) {
        if (!options.classes.isEmpty() || options.animate != null) {
            throw new Main.UsageException("--class and --animate are for models that follow classes; " + options.model
                    + " follows a text, give --prompt");
        }
        options.prompt.check();
        if (texts.isEmpty()) {
            throw new Main.UsageException(
                    "--prompt: expected what the picture is to show, because " + components.name() + " follows a text");
        }
        PictureEdit.Sized sized =
                edit == null ? null : edit.sized(components, side(options.prompt.height), side(options.prompt.width));
        int height = sized != null ? sized.height() : size(options.prompt.height, components.size());
        int width = sized != null ? sized.width() : size(options.prompt.width, components.size());
        double guidance = options.guidance != null ? options.guidance : components.isXL() ? GUIDANCE_XL : GUIDANCE;
        Scheduler own = scheduler(components.scheduler());
        Scheduler scheduler = edit == null ? own : edit.sampler(own);
        int number = options.count != null ? options.count : texts.size();
        List<Prompt> prompts = new ArrayList<>();
        List<Long> seeds = new ArrayList<>();
        for (int i = 0; i < number; i++) {
            prompts.add(options.prompt.parse(texts.get(i % texts.size())));
            seeds.add(options.seed + i);
        }
        StableDiffusionPipeline.Request request = new StableDiffusionPipeline.Request(
                prompts,
                options.prompt.negative == null ? null : options.prompt.parse(options.prompt.negative),
                seeds,
                options.rng,
                height,
                width,
                options.steps,
                guidance,
                options.prompt.guidanceRescale,
                options.prompt.clipSkip,
                Math.min(options.batch, number),
                options.prompt.tiling,
                sized == null ? null : sized.edit());
        Backends.Choice choice = options.backend.choose();
        List<Guide> guides = options.guides.of(
                new GuideOptions.Pictures(List.of(), components.vae().outChannels(), height, width));
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                components,
                scheduler,
                choice.backend(),
                WeightPrecision.after(options.prompt.adjustment(components), options.weights),
                saving(),
                guides);
        List<Generated> pictures = new ArrayList<>();
        RunTimes times = new RunTimes();
        StableDiffusionPipeline.Refiner refiner = refiner(choice);
        pipeline.check(request, refiner);
        System.err.println(choice);
        if (!guides.isEmpty()) {
            System.err.printf(
                    Locale.ROOT,
                    "gradients through U-Net and decoder: %.2f GB of tensors for one picture, %.2f GB without them%n",
                    StableDiffusionPipeline.stepBytes(components, height, width, guides) * 1e-9,
                    StableDiffusionPipeline.stepBytes(components, height, width) * 1e-9);
        }
        try (Interrupt interrupt = new Interrupt()) {
            try (ProgressBar bar = Progress.bar("sample", (long) options.steps * (number + inverted(request.edit())))) {
                pipeline.run(
                        request,
                        refiner,
                        interrupt,
                        listener(bar, times, number, refiner == null && !(request.edit() instanceof Edit.Invert)),
                        picture -> pictures.add(new Generated(
                                sized == null ? picture : sized.finish(picture),
                                seeds.get(pictures.size()),
                                pictures.size())));
                SavingOptions.tell(saving(), pipeline.effort());
            } catch (CancellationException e) {
                return 130;
            }
            SampleFiles files = new SampleFiles(
                    options,
                    components.name(),
                    scheduler.config().className(),
                    guidance,
                    choice.backend().name(),
                    "prompt",
                    this::promptOf,
                    made -> text(request, scheduler, made));
            files.write(pictures);
            if (edit != null && sized != null) {
                edit.finished(files, pictures);
                sized.show(files, pictures);
            }
            files.report(options.json, (System.nanoTime() - start) * 1e-9, times.seconds());
            if (options.isVerbose()) {
                System.err.println(times);
                System.err.printf(
                        "U-Net: stored as %s%s%n",
                        components.unetWeights().precision().keySet(),
                        options.weights == null
                                ? ", kept so where the backend can"
                                : ", rounded to " + options.weights);
            }
        }
        return 0;
    }

    private @Nullable Saving saving() {
        return options.saving.chosen(options.given("--scheduler"));
    }

    private static int inverted(@Nullable Edit edit) {
        return edit instanceof Edit.Invert invert ? invert.pictures().size() : 0;
    }

    private @Nullable Integer side(@Nullable Integer given) {
        return given != null ? given : options.size;
    }

    private int size(@Nullable Integer given, int own) {
        Integer wanted = side(given);
        if (wanted == null && own == 0) {
            throw new Main.UsageException(
                    "--width, --height: expected sizes, because the U-Net's config.json has no sample_size");
        }
        return wanted == null ? own : wanted;
    }

    private String promptOf(Generated made) {
        return texts.get(made.label() % texts.size());
    }

    private StableDiffusionPipeline.@Nullable Refiner refiner(Backends.Choice choice) {
        String name = options.prompt.refiner;
        if (name == null) {
            return null;
        }
        Path path = Path.of(PullCommand.resolve(name));
        if (!StableDiffusionComponents.matches(path)) {
            throw new DiffusionException(
                    "--refiner: expected the folder of a text-to-image pipeline, found none at " + name);
        }
        StableDiffusionComponents second = StableDiffusionComponents.open(name, path);
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                second,
                scheduler(second.scheduler()),
                choice.backend(),
                WeightPrecision.after(options.prompt.refinerAdjustment(second), options.weights),
                saving(),
                List.of());
        return new StableDiffusionPipeline.Refiner(pipeline, options.prompt.highNoiseFraction());
    }

    private Scheduler scheduler(SchedulerConfig own) {
        SchedulerConfig config = own;
        String name = options.scheduler;
        if (name != null) {
            config = SchedulerFactory.configFor(name, config);
        }
        if (options.prompt.prediction != null) {
            config = config.with("prediction_type", options.prompt.prediction);
        }
        return SchedulerFactory.requireSampler(
                SchedulerFactory.create(options.prompt.karras ? config.with("use_karras_sigmas", true) : config));
    }

    private StableDiffusionPipeline.Listener listener(ProgressBar bar, RunTimes times, int number, boolean alone) {
        Previews previews = new Previews(options);
        return new StableDiffusionPipeline.Listener() {
            @Override
            public void stage(String name) {
                bar.setExtraMessage(name);
                times.stage(name);
            }

            @Override
            public void step(FinishedStep step) {
                if (alone) {
                    bar.maxHint((long) step.steps() * number); // else the steps of two models follow each other
                }
                bar.stepBy(step.pictures());
                times.step();
                previews.show(step);
            }
        };
    }

    private Map<String, String> text(
            StableDiffusionPipeline.Request request, Scheduler scheduler, List<Generated> pictures) {
        Map<String, Object> fields =
                options.fields(scheduler, request.guidance(), request.height(), request.width(), edit, pictures);
        PictureSettings.putPrompts(fields, texts.subList(0, Math.min(texts.size(), pictures.size())));
        String prompt = promptOf(pictures.getFirst());
        return Map.of("parameters", Images.parameters(prompt, options.prompt.negative, fields));
    }
}
