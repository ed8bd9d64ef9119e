package diffusion.hub;

import diffusion.io.DiffusionException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.regex.Pattern;
import java.util.stream.Stream;

/**
 * The cache that huggingface_hub shares between programs: {@code models--ORG--NAME} with {@code refs}, {@code blobs} and
 * {@code snapshots}, whose files are links to blobs.
 *
 * @param root the folder of all models
 */
public record HubCache(Path root) {
    private static final Pattern REPOSITORY = Pattern.compile("[A-Za-z0-9][\\w.-]*/[A-Za-z0-9][\\w.-]*");
    private static final Pattern REVISION = Pattern.compile("[A-Za-z0-9][\\w./-]*");

    /** The cache that the environment says: HF_HUB_CACHE, HF_HOME/hub, or ~/.cache/huggingface/hub. */
    public static HubCache of(Map<String, String> environment, Path home) {
        String cache = environment.get("HF_HUB_CACHE");
        if (cache != null && !cache.isEmpty()) {
            return new HubCache(Path.of(cache));
        }
        String given = environment.get("HF_HOME");
        Path base = given != null && !given.isEmpty()
                ? Path.of(given)
                : home.resolve(".cache").resolve("huggingface");
        return new HubCache(base.resolve("hub"));
    }

    /** Whether a name could be that of a repository, such as stabilityai/sd-turbo. */
    public static boolean isRepository(String name) {
        return REPOSITORY.matcher(name).matches() && !name.contains("..");
    }

    static void requireRevision(String revision) {
        if (!REVISION.matcher(revision).matches() || revision.contains("..")) {
            throw new DiffusionException("--revision: expected a branch, tag or commit, found \"" + revision + "\"");
        }
    }

    Path model(String repository) {
        return root.resolve("models--" + repository.replace("/", "--"));
    }

    Path blob(String repository, String etag) {
        return model(repository).resolve("blobs").resolve(etag);
    }

    /** The folder with a model's files at a commit. */
    Path snapshot(String repository, String commit) {
        return model(repository).resolve("snapshots").resolve(commit);
    }

    /** The folder of a model that was pulled, if it was: at its main branch, or else at the only revision there is. */
    public Optional<Path> find(String repository) {
        if (!isRepository(repository)) {
            return Optional.empty();
        }
        Path refs = model(repository).resolve("refs");
        Path main = refs.resolve("main");
        try {
            List<Path> pulled = Files.exists(main) ? List.of(main) : files(refs);
            if (pulled.size() != 1) {
                return Optional.empty();
            }
            Path folder =
                    snapshot(repository, Files.readString(pulled.getFirst()).strip());
            return Files.isDirectory(folder) ? Optional.of(folder) : Optional.empty();
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + refs + ": " + e.getMessage() + "; check its mode", e);
        }
    }

    /** The files below a folder, if there is one. */
    private static List<Path> files(Path folder) throws IOException {
        if (!Files.isDirectory(folder)) {
            return List.of();
        }
        try (Stream<Path> files = Files.walk(folder)) {
            return files.filter(Files::isRegularFile).toList();
        }
    }

    /** Notes which commit a revision is. */
    void writeRef(String repository, String revision, String commit) throws IOException {
        Path ref = model(repository).resolve("refs").resolve(revision);
        Path folder = Objects.requireNonNull(ref.getParent());
        Files.createDirectories(folder);
        Path temporary = Files.createTempFile(folder, ".ref", null);
        Files.writeString(temporary, commit);
        Files.move(temporary, ref, StandardCopyOption.REPLACE_EXISTING, StandardCopyOption.ATOMIC_MOVE);
    }

    /** Makes a file of a snapshot a link to its blob, or a copy where there are no links. */
    void link(String repository, String commit, String path, String etag) throws IOException {
        Path file = snapshot(repository, commit).resolve(path);
        Path blob = blob(repository, etag);
        Path folder = Objects.requireNonNull(file.getParent());
        Files.createDirectories(folder);
        Files.deleteIfExists(file);
        try {
            Files.createSymbolicLink(file, folder.relativize(blob));
        } catch (UnsupportedOperationException | IOException e) {
            Files.copy(blob, file, StandardCopyOption.REPLACE_EXISTING);
        }
    }
}
