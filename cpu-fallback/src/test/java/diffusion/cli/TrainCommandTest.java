package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.DType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class TrainCommandTest {
    @TempDir
    private Path folder;

    private Cli.Result train(TinyProject project, Path out, Object... more) {
        Object[] args = {"train", "--data", project.data(), "--out", out, "--sample-every", 0, "--save-every", 10};
        Object[] all = Arrays.copyOf(args, args.length + more.length);
        System.arraycopy(more, 0, all, args.length, more.length);
        return Cli.run(all);
    }

    private static byte[] weights(Path out) throws IOException {
        return Files.readAllBytes(out.resolve("checkpoint").resolve("state.safetensors"));
    }

    @Test
    void aRunStoppedAndResumedEndsInTheSameBytes() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path whole = folder.resolve("whole");
        assertThat(train(project, whole, "--config", project.config()).status()).isZero();

        // Stopping early by --steps would change the learning rate's cosine, so the first part is a killed process
        // below
        // and here a copy of a checkpoint taken at step 10, 20 and 30 by the same configuration.
        Path killed = folder.resolve("killed");
        Process process = startTraining(project, killed);
        waitForCheckpoint(killed);
        process.destroyForcibly().onExit().join();
        assertThat(train(project, killed, "--resume").status()).isZero();
        assertThat(Arrays.equals(weights(killed), weights(whole)))
                .as("the same bytes")
                .isTrue();
        assertThat(Files.readAllBytes(killed.resolve("model/unet/diffusion_pytorch_model.safetensors")))
                .isEqualTo(Files.readAllBytes(whole.resolve("model/unet/diffusion_pytorch_model.safetensors")));
        assertThat(Files.readString(killed.resolve("log.csv"))).isEqualTo(Files.readString(whole.resolve("log.csv")));
    }

    private Process startTraining(TinyProject project, Path out) throws IOException {
        return Cli.start(
                "train",
                "--config",
                project.config(),
                "--data",
                project.data(),
                "--out",
                out,
                "--sample-every",
                0,
                "--save-every",
                1);
    }

    private static void waitForCheckpoint(Path out) {
        long deadline = System.nanoTime() + TimeUnit.SECONDS.toNanos(60);
        while (!Files.exists(out.resolve("checkpoint").resolve("state.json"))) {
            assertThat(System.nanoTime()).as("no checkpoint within a minute").isLessThan(deadline);
            java.util.concurrent.locks.LockSupport.parkNanos(5_000_000);
        }
    }

    @Test
    void anInterruptLeavesACheckpointAndNothingHalfWritten() throws Exception {
        TinyProject project = TinyProject.create(folder);
        Path out = folder.resolve("run");
        Process process = Cli.start(
                "train",
                "--config",
                project.config(),
                "--data",
                project.data(),
                "--out",
                out,
                "--sample-every",
                0,
                "--save-every",
                5,
                "--steps",
                100_000);
        waitForCheckpoint(out);
        new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(130);
        assertThat(Cli.files(out)).noneMatch(file -> file.toString().contains(".tmp"));
        assertThat(train(project, folder.resolve("other"), "--resume").status()).isEqualTo(1);
        long steps =
                Json.read(out.resolve("checkpoint/state.json")).path("step").asLong();
        assertThat(steps).isPositive();
        Cli.Result more = train(project, out, "--resume", "--steps", steps + 2);
        assertThat(more.status()).as(more.err()).isZero();
        assertThat(more.err()).contains("finished after " + (steps + 2) + " steps");
    }

    @Test
    void aResumedRunKeepsWritingHalfPrecision() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path out = folder.resolve("half");
        assertThat(train(project, out, "--config", project.config(), "--half", "--steps", 2)
                        .status())
                .isZero();
        Path weights = out.resolve("model/unet/diffusion_pytorch_model.safetensors");
        long size = Files.size(weights);
        assertThat(train(project, out, "--resume", "--steps", 3).status()).isZero();
        try (SafeTensors tensors = SafeTensors.open(weights)) {
            assertThat(tensors.names()).allMatch(name -> tensors.dtype(name) == DType.F16);
        }
        assertThat(Files.size(weights)).isEqualTo(size);
    }

    @Test
    void replacesNoFoldersButItsOwn() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path out = folder.resolve("mine");
        for (String name : new String[] {"model/unet/config.json", "checkpoint/notes.txt"}) {
            Path file = out.resolve(name);
            Files.createDirectories(Objects.requireNonNull(file.getParent()));
            Files.writeString(file, "kept");
            train(project, out, "--config", project.config(), "--steps", 1)
                    .assertOneLine(
                            1, "expected a new folder", "found " + (name.startsWith("model") ? "unet" : "notes.txt"));
            assertThat(file).hasContent("kept");
            Files.delete(file);
        }
        Files.delete(out.resolve("model/unet"));
        Cli.Result result = train(project, out, "--config", project.config(), "--steps", 1);
        assertThat(result.status()).as(result.err()).isZero();
        Path notes = Files.writeString(out.resolve("model/notes.txt"), "kept");
        train(project, out, "--resume", "--steps", 2).assertOneLine(1, "found notes.txt", "move it away");
        assertThat(notes).hasContent("kept");
    }

    @Test
    void refusesWhatCannotBeTrained() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path out = folder.resolve("out");
        train(project, out).assertOneLine(2, "--config FILE or --resume");
        train(project, out, "--resume").assertOneLine(1, "expected a checkpoint");
        train(project, out, "--config", folder.resolve("none.json")).assertOneLine(1, "none.json");
        Path config = folder.resolve("bad.json");
        Files.writeString(config, TinyProject.CONFIG.replace("\"size\"", "\"sizes\""));
        train(project, out, "--config", config).assertOneLine(1, "unknown key \"sizes\"");
        Files.writeString(config, TinyProject.CONFIG.replace("AttnDownBlock2D", "CrossAttnDownBlock2D"));
        train(project, out, "--config", config).assertOneLine(1, "CrossAttnDownBlock2D", "AttnDownBlock2D");
        Files.writeString(config, TinyProject.CONFIG.replace("\"batch_size\": 4", "\"batch_size\": 4000"));
        train(project, out, "--config", config).assertOneLine(1, "4000");
        train(project, out, "--config", project.config(), "--ssim-weight", 0.1)
                .assertOneLine(1, "ssim_weight", "11 pixels", "size of 8");
        train(project, out, "--config", project.config(), "--features-weight", 0.1)
                .assertOneLine(1, "1 x 8 x 8", "1 x 28 x 28", "--retrain");
        train(project, out, "--config", project.config(), "--features-weight", -1)
                .assertOneLine(1, "features_weight", "0 or more");
        Cli.run("train", "--data", folder.resolve("nothing"), "--out", out, "--config", project.config())
                .assertOneLine(1, "nothing");
    }
}
