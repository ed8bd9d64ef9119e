package diffusion.benchmarks.peers;

import diffusion.backend.Backend;
import diffusion.io.DiffusionException;
import java.io.IOException;
import java.nio.file.FileSystems;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** The time from the start of scripts/diffusion to pictures of the built-in model, 50 steps; no peer has such a command. */
enum FirstImage {
    ONE("first-image", 1, "one picture"),
    SIXTEEN("first-images", 16, "16 pictures");

    private final String row;
    private final int pictures;
    private final String what;

    FirstImage(String row, int pictures, String what) {
        this.row = row;
        this.pictures = pictures;
        this.what = what;
    }

    /** Those the patterns ask for. */
    static List<FirstImage> wanted(List<String> patterns) {
        return Stream.of(values())
                .filter(image -> patterns.stream()
                        .anyMatch(pattern -> FileSystems.getDefault()
                                .getPathMatcher("glob:" + pattern)
                                .matches(Path.of(image.row))))
                .toList();
    }

    /** Starts the launcher that the property diffusion.launcher names once a round, after one start to fill caches. */
    Optional<Result> run(int rounds, Consumer<String> progress) {
        String launcher = System.getProperty("diffusion.launcher");
        if (launcher == null) {
            return Optional.empty();
        }
        String number = String.valueOf(pictures);
        List<Double> seconds = new ArrayList<>();
        try {
            Path folder = Files.createTempDirectory("first-image");
            Path picture = folder.resolve("picture.png");
            for (int round = 0; round <= rounds; round++) {
                progress.accept("%s: round %d of %d".formatted(row, round, rounds));
                long start = System.nanoTime();
                Process process = new ProcessBuilder(
                                launcher, "sample", "-n", number, "--backend", "cpu", "--out", picture.toString())
                        .redirectErrorStream(true)
                        .redirectOutput(ProcessBuilder.Redirect.DISCARD)
                        .start();
                if (process.waitFor() != 0) {
                    throw new DiffusionException(launcher + " sample failed; try it alone");
                }
                if (round > 0) {
                    seconds.add((System.nanoTime() - start) / 1e9);
                }
            }
            Files.delete(picture);
            Files.delete(folder);
        } catch (IOException e) {
            throw new DiffusionException("cannot start " + launcher + ": " + e.getMessage(), e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DiffusionException("interrupted", e);
        }
        int threads = Runtime.getRuntime().availableProcessors();
        Result.Entry entry =
                new Result.Entry(CpuEngine.NAME, threads, "", Double.NaN, 0, 0, 0, List.copyOf(seconds), null);
        return Optional.of(new Result(
                row,
                "from the start of the process to " + what + " of the built-in model",
                "first image",
                Row.Kind.STEP,
                new Backend.Peak(0, 0),
                List.of(entry)));
    }
}
