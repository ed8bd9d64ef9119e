package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.io.Gif;
import diffusion.io.Grid;
import diffusion.io.Images;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.ImageGenerator.Generated;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.Scheduler;
import java.awt.image.BufferedImage;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CancellationException;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;

/** Sampling of models that follow a class or nothing. */
final class ClassSampling {
    private static final int FRAME_MILLIS = 60;
    private static final int LAST_FRAME_MILLIS = 2000;

    private final SamplingOptions options;
    private final @Nullable PictureEdit edit;

    ClassSampling(SamplingOptions options, @Nullable PictureEdit edit) {
        this.options = options;
        this.edit = edit;
    }

    int run(long start) {
        options.prompt.requireUnused(options.model);
        LoadedModel loaded = LoadedModel.open(options.model).withWeights(options.weights);
        int size = options.size(loaded);
        PictureEdit.Sized sized = edit == null ? null : edit.sized(size, size);
        Scheduler sampler = edit == null
                ? loaded.scheduler(options.scheduler)
                : edit.sampler(edit.scheduler(loaded, options.scheduler));
        List<Integer> labels = labels(loaded);
        boolean free = labels.contains(loaded.nullClass()) && loaded.nullClass() >= 0;
        double guidance = options.guidance != null ? options.guidance : free ? 1 : loaded.guidance();
        Backends.Choice choice = options.backend.choose();
        Backend chosen = choice.backend();
        ImageGenerator.Request request = new ImageGenerator.Request(
                options.batch,
                options.seed,
                options.rng,
                options.steps,
                guidance,
                size,
                labels,
                options.saving.chosen(options.given("--scheduler")));
        List<Generated> pictures = new ArrayList<>();
        List<BufferedImage> frames = new ArrayList<>();
        try (Interrupt interrupt = new Interrupt()) {
            try (ImageGenerator generator = new ImageGenerator(
                            loaded,
                            sampler,
                            chosen,
                            request,
                            sized == null ? null : sized.edit(),
                            options.guides.of(new GuideOptions.Pictures(
                                    loaded.classNames(), loaded.pictureChannels(), size, size)));
                    ProgressBar bar = bar(choice, generator)) {
                Previews previews = new Previews(options);
                generator.run(
                        interrupt,
                        step -> {
                            bar.stepBy(step.pictures());
                            previews.show(step);
                            if (options.animate != null && step.first() == 0) {
                                frames.add(Grid.compose(step.frames(), List.of()));
                            }
                        },
                        pictures::add);
                SavingOptions.tell(request.saving(), generator.effort());
            } catch (CancellationException e) {
                return 130;
            }
            boolean named = loaded.model().classes() > 0;
            SampleFiles files = new SampleFiles(
                    options,
                    loaded.name(),
                    sampler.config().className(),
                    request.guidance(),
                    chosen.name(),
                    "class",
                    made -> named && made.label() != loaded.nullClass() ? loaded.className(made.label()) : null,
                    made -> text(loaded, sampler, request, made));
            files.write(pictures);
            if (options.animate != null) {
                Gif.write(options.animate, frames, FRAME_MILLIS, LAST_FRAME_MILLIS);
                files.add(options.animate, pictures);
            }
            if (edit != null && sized != null) {
                edit.finished(files, pictures);
                sized.show(files, pictures);
            }
            files.report(options.json, (System.nanoTime() - start) * 1e-9, Map.of());
        }
        return 0;
    }

    private static ProgressBar bar(Backends.Choice choice, ImageGenerator generator) {
        System.err.println(choice);
        return Progress.bar("sample", generator.work());
    }

    /** One label a picture; -1 for an unconditional model. */
    private List<Integer> labels(LoadedModel loaded) {
        List<Integer> given = options.classes.stream().map(loaded::label).toList();
        int number = options.count != null ? options.count : !given.isEmpty() ? given.size() : edit == null ? 16 : 1;
        int conditional = loaded.realClasses();
        boolean free = (edit != null || options.guides.given()) && (conditional == 0 || loaded.nullClass() >= 0);
        List<Integer> labels = new ArrayList<>();
        for (int i = 0; i < number; i++) {
            int inTurn = free ? loaded.nullClass() : conditional == 0 ? -1 : i % conditional;
            labels.add(given.isEmpty() ? inTurn : given.get(i % given.size()));
        }
        return labels;
    }

    private Map<String, String> text(
            LoadedModel loaded, Scheduler sampler, ImageGenerator.Request request, List<Generated> pictures) {
        Map<String, Object> fields =
                options.fields(sampler, request.guidance(), request.size(), request.size(), edit, pictures);
        boolean untold = edit != null && pictures.getFirst().label() == loaded.nullClass();
        String prompt = loaded.model().classes() == 0 || untold
                ? ""
                : String.join(
                        ", ",
                        pictures.stream().map(p -> loaded.className(p.label())).toList());
        return Map.of("parameters", Images.parameters(prompt, null, fields));
    }
}
