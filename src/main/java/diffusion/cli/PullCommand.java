package diffusion.cli;

import diffusion.hub.HubCache;
import diffusion.hub.HubClient;
import diffusion.io.DiffusionException;
import java.net.URI;
import java.nio.file.Path;
import java.time.Duration;
import java.util.Map;
import java.util.Optional;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

@Command(
        description = "Downloads a published pipeline into the Hugging Face cache; goes on after a cut. Reads HF_HOME,"
                + " HF_HUB_CACHE, HF_TOKEN and HF_ENDPOINT.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class PullCommand implements Callable<Integer> {
    private static final String ENDPOINT = "https://huggingface.co";

    @Parameters(paramLabel = "ORG/NAME", description = "The repository, such as stabilityai/sd-turbo.")
    @SuppressWarnings("NullAway.Init")
    private String repository;

    @Option(
            names = "--revision",
            paramLabel = "REV",
            defaultValue = "main",
            description = "Branch, tag or commit (default: ${DEFAULT-VALUE}); where main is there too, --model ORG/NAME"
                    + " is that, and the folder that pull prints is this one.")
    @SuppressWarnings("NullAway.Init")
    private String revision;

    @Option(names = "--variant", paramLabel = "NAME", description = "Variant of the weights, such as fp16.")
    private @Nullable String variant;

    private final Map<String, String> environment;

    PullCommand() {
        this(System.getenv());
    }

    PullCommand(Map<String, String> environment) {
        this.environment = environment;
    }

    private static HubCache cache(Map<String, String> environment) {
        return HubCache.of(environment, Path.of(System.getProperty("user.home")));
    }

    /** Where a model given as a path or repository lies: a repository that was pulled is its folder in the cache. */
    static String resolve(String model) {
        if (Path.of(model).toFile().exists()) {
            return model;
        }
        Optional<Path> pulled = cache(System.getenv()).find(model);
        return pulled.map(Path::toString).orElse(model);
    }

    /** The hub, or its mirror that HF_ENDPOINT names. */
    private URI endpoint() {
        String given = environment.getOrDefault("HF_ENDPOINT", ENDPOINT);
        if (!given.matches("https?://[^/?#\\s]+(/[^?#\\s]*)?")) {
            throw new DiffusionException(
                    "HF_ENDPOINT: expected an address such as " + ENDPOINT + ", found \"" + given + "\"");
        }
        return URI.create(given.replaceFirst("/+$", ""));
    }

    @Override
    public Integer call() {
        HubClient client = new HubClient(
                endpoint(),
                environment.get("HF_TOKEN"),
                cache(environment),
                Duration.ofSeconds(2),
                Duration.ofSeconds(60));
        try (ProgressBar bar = Progress.bar("pull", 0)) {
            Path folder = client.pull(repository, revision, variant, new HubClient.Listener() {
                @Override
                public void file(String path, long bytes, long present) {
                    bar.setExtraMessage(" " + path);
                    bar.maxHint(bar.getMax() + Math.max(0, bytes));
                    bar.stepBy(present);
                }

                @Override
                public void received(long bytes) {
                    bar.stepBy(bytes);
                }
            });
            System.out.println(repository + ": " + folder);
        }
        return 0;
    }
}
