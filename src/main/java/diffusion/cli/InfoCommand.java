package diffusion.cli;

import diffusion.backend.Backend;
import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.model.WeightSource;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.StableDiffusionPipeline;
import diffusion.scheduler.SchedulerFactory;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.concurrent.Callable;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion info}. */
@Command(
        description = "Shows backends and built-in models, or with --model what a model is made of.",
        mixinStandardHelpOptions = true)
final class InfoCommand implements Callable<Integer> {
    @Option(names = "--model", description = "Built-in name, folder, single-file checkpoint or pulled repository.")
    private @Nullable String model;

    @Option(names = "--size", paramLabel = "N", description = "Height and width to tell the memory for.")
    private @Nullable Integer size;

    @Override
    public Integer call() {
        if (model != null) {
            String path = PullCommand.resolve(model);
            if (StableDiffusionComponents.matches(Path.of(path))) {
                return describe(StableDiffusionComponents.open(model, Path.of(path)));
            }
            return describe(LoadedModel.open(path));
        }
        System.out.println(new Main.Version().getVersion()[0] + ", Java " + Runtime.version() + ", "
                + Runtime.getRuntime().availableProcessors() + " processors");
        System.out.println("backends:");
        Backends.Found found = Backends.find();
        for (Backend backend : found.usable()) {
            System.out.printf("  %-10s %s%n", backend.name(), backend.description());
            backend.devices().forEach(device -> System.out.println("             " + device));
        }
        found.noTornado().ifPresent(reason -> System.out.println("  tornado    missing: " + reason));
        if (found.named("cpu").isEmpty()) {
            System.out.println(
                    "  cpu        missing: start with scripts/diffusion or --add-modules=jdk.incubator.vector");
        }
        System.out.println("built-in models: " + String.join(", ", LoadedModel.builtIn()));
        System.out.println("schedulers: " + String.join(", ", SchedulerFactory.names()));
        return 0;
    }

    private int describe(StableDiffusionComponents components) {
        System.out.println("model: " + components.name());
        System.out.println("pipeline: " + components.pipeline());
        System.out.println("scheduler: " + components.scheduler().className());
        List<String> problems = new ArrayList<>();
        components.parts().forEach(part -> part(part.name(), part.parameters(), part.weights(), problems));
        int own = components.size() == 0 ? 512 : components.size();
        int side = size == null ? own : size;
        long bytes = StableDiffusionPipeline.stepBytes(components, side, side);
        System.out.printf(
                Locale.ROOT,
                "memory: %.1f GB for a guided step of the U-Net at %d x %d on the CPU, which keeps weights as they are stored;"
                        + " %.1f GB with floats%n",
                (bytes - components.unetWeights().savedBytes()) / 1e9,
                side,
                side,
                bytes / 1e9);
        components
                .unetWeights()
                .metadata()
                .forEach((key, value) -> System.out.println(
                        "metadata: " + key + " = " + (value.length() > 200 ? value.substring(0, 200) + "..." : value)));
        System.out.println(problems.isEmpty() ? "checkpoint: every parameter matches" : "checkpoint problems:");
        problems.forEach(problem -> System.out.println("  " + problem));
        return problems.isEmpty() ? 0 : 1;
    }

    private static void part(String name, Parameters parameters, WeightSource weights, List<String> problems) {
        System.out.printf(
                Locale.ROOT,
                "  %-16s %,15d parameters, stored as %s%n",
                name,
                parameters.count(),
                weights.precision().keySet());
        weights.problems(parameters).forEach(problem -> problems.add(name + ": " + problem));
    }

    private static int describe(LoadedModel loaded) {
        System.out.println("model: " + loaded.name());
        System.out.println(
                "class: " + loaded.model().config().path("_class_name").asText());
        System.out.printf(
                Locale.ROOT, "parameters: %,d%n", loaded.model().parameters().count());
        System.out.printf(
                "pictures: %d x %d, %d channel%s%n",
                loaded.pictureSize(),
                loaded.pictureSize(),
                loaded.pictureChannels(),
                loaded.pictureChannels() == 1 ? "" : "s");
        if (loaded.model().classes() > 0) {
            System.out.println("classes: "
                    + (loaded.classNames().isEmpty()
                            ? loaded.model().classes()
                            : String.join(", ", loaded.classNames()))
                    + (loaded.nullClass() < 0 ? "" : "; guidance " + loaded.guidance()));
        }
        System.out.println("scheduler: " + loaded.anyScheduler(null).config().className());
        Map<String, Long> parts = new LinkedHashMap<>();
        for (Tensor parameter : loaded.model().parameters().all()) {
            String[] path = parameter.name().split("\\.", -1);
            String part = path[0] + (path.length > 1 && path[1].matches("\\d+") ? "." + path[1] : "");
            parts.merge(part, (long) parameter.size(), Long::sum);
        }
        parts.forEach((part, size) -> System.out.printf(Locale.ROOT, "  %-22s %,12d%n", part, size));
        List<String> problems = new ArrayList<>(
                loaded.folder().weights().problems(loaded.model().parameters()));
        LoadedModel.FirstStage stage = loaded.firstStage();
        if (stage != null) {
            part("vqvae", stage.config().model().parameters(), stage.weights(), problems);
        }
        System.out.println(problems.isEmpty() ? "checkpoint: every parameter matches" : "checkpoint problems:");
        problems.forEach(problem -> System.out.println("  " + problem));
        return problems.isEmpty() ? 0 : 1;
    }
}
