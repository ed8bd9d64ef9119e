package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SampleCommandTest {
    private Path folder = Path.of(".");
    private Path model = folder;

    @BeforeAll
    void train(@TempDir Path temporary) throws IOException {
        folder = temporary;
        model = TinyProject.create(folder).model(folder, 3);
    }

    @Test
    void anInterruptLeavesNothingBehind() throws Exception {
        Path out = Files.createDirectory(folder.resolve("interrupted"));
        Process process = Cli.startAndWait(
                "sample",
                "--steps",
                1000,
                "-n",
                64,
                "--out",
                out.resolve("digits.png"),
                "--animate",
                out.resolve("a.gif"));
        new ProcessBuilder("kill", "-INT", Long.toString(process.pid())).start().waitFor();
        process.getInputStream().transferTo(OutputStream.nullOutputStream());
        assertThat(process.waitFor(60, TimeUnit.SECONDS)).isTrue();
        assertThat(process.exitValue()).isEqualTo(130);
        assertThat(Cli.files(out)).isEmpty();
    }

    @Test
    void makesPicturesOfClassesAgainFromTheirFile() {
        Path first = folder.resolve("first.png");
        Path again = folder.resolve("again.png");
        Cli.run("sample", "--model", model, "--steps", 3, "-n", 4, "--seed", 9, "--scheduler", "ddpm", "--out", first);
        Cli.Result result = Cli.run("sample", "--from", first, "--out", again);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Images.read(again, 3)).isEqualTo(Images.read(first, 3));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--scheduler=DPM++ 2M SDE",
                "--scheduler=DPM++ 3M SDE Karras",
                "--scheduler=euler Exponential",
                "--seed=-5",
                "--seed=9223372036854775807",
                "--weights-dtype=bf16"
            })
    void makesPicturesAgainThatWereAskedForOtherwise(String option) {
        Path plain = folder.resolve("otherwise-plain.png");
        Path first = folder.resolve("otherwise.png");
        Path again = folder.resolve("otherwise-again.png");
        // the same but for what a file did not say: the sampler without its form, seed 0, weights as they are stored
        String without =
                option.replaceFirst("(--scheduler=DPM\\+\\+) .*", "$1 2M").replaceFirst("(euler) .*", "$1");
        String other = without.equals(option) ? "--seed=0" : without;
        Object[] words = {"sample", "--model", model, "--steps", 6, "-n", 1, "--out", plain, other};
        assertThat(Cli.run(words).status()).isZero();
        words[words.length - 2] = first;
        words[words.length - 1] = option;
        Cli.Result result = Cli.run(words);
        assertThat(result.status()).as(result.err()).isZero();
        result = Cli.run("sample", "--from", first, "--out", again);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.err()).doesNotContain("--from");
        assertThat(Images.read(first, 1)).isNotEqualTo(Images.read(plain, 1)).isEqualTo(Images.read(again, 1));
        assertThat(Images.readText(again)).isEqualTo(Images.readText(first));
    }

    @Test
    void saysWhatItDoesNotFollow() {
        Path odd = folder.resolve("odd.png");
        Images.writePng(
                odd,
                new Picture(1, 8, 8, new byte[64]),
                Map.of("parameters", "dark\nSteps: 2, Seed: 3, Model: " + model + ", Hires upscale: 2, ENSD: 31337"));
        Cli.Result result = Cli.run("sample", "--from", odd, "--out", folder.resolve("odd-again.png"));
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(result.err().lines().filter(line -> line.contains("--from")))
                .singleElement()
                .asString()
                .contains("also says Hires upscale, ENSD, which is not followed");
        assertThat(Images.readText(folder.resolve("odd-again.png")).get("parameters"))
                .startsWith("dark\n")
                .contains("Seed: 3")
                .doesNotContain("Pictures");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "--cache=2",
                "--parallel=6:9",
                "--adaptive=0.3",
                "--corrector=1",
                "--stop=0.3",
                "--jumps=2:3",
                "--metropolis=2:0.2"
            })
    void makesPicturesThatSpendTheirCallsOtherwiseAgain(String saving) {
        Path plain = folder.resolve("saving-plain.png");
        Path first = folder.resolve("saving.png");
        Path again = folder.resolve("saving-again.png");
        Cli.run("sample", "--model", model, "--steps", 6, "-n", 3, "--out", plain);
        Cli.Result result = Cli.run("sample", "--model", model, "--steps", 6, "-n", 3, saving, "--out", first);
        assertThat(result.status()).as(result.err()).isZero();
        Cli.run("sample", "--from", first, "--out", again);
        assertThat(Images.read(first, 1)).isNotEqualTo(Images.read(plain, 1)).isEqualTo(Images.read(again, 1));
    }

    @Test
    void picturesDoNotDependOnBatchesAndEachHasItsOwnSeed() {
        Path many = folder.resolve("many");
        Path single = folder.resolve("single");
        Cli.Result all = Cli.run(
                "sample",
                "--model",
                model,
                "--steps",
                4,
                "-n",
                5,
                "--batch",
                5,
                "--seed",
                3,
                "--out",
                many,
                "--guidance",
                2,
                "--scheduler",
                "ddpm");
        assertThat(all.status()).as(all.err()).isZero();
        for (int i = 0; i < 5; i++) {
            Path file = single.resolve(i + ".png");
            file.toFile().getParentFile().mkdirs();
            Cli.Result one = Cli.run(
                    "sample",
                    "--model",
                    model,
                    "--steps",
                    4,
                    "-n",
                    1,
                    "--seed",
                    3 + i,
                    "--class",
                    i % 2,
                    "--out",
                    file,
                    "--guidance",
                    2,
                    "--scheduler",
                    "ddpm");
            assertThat(one.status()).as(one.err()).isZero();
            Path same = many.resolve("%05d-seed%d.png".formatted(i, 3 + i));
            assertThat(Images.read(file, 0)).isEqualTo(Images.read(same, 0));
        }
    }

    @Test
    void theReferenceBackendMakesTheSamePictureUpToRounding() {
        Path cpu = folder.resolve("cpu.png");
        Path reference = folder.resolve("reference.png");
        Cli.run("sample", "--model", model, "--steps", 3, "-n", 1, "--out", cpu, "--backend", "cpu");
        Cli.run("sample", "--model", model, "--steps", 3, "-n", 1, "--out", reference, "--backend", "reference");
        byte[] a = Images.read(cpu, 0).data();
        byte[] b = Images.read(reference, 0).data();
        for (int i = 0; i < a.length; i++) {
            assertThat(Math.abs((a[i] & 255) - (b[i] & 255))).isLessThanOrEqualTo(1);
        }
    }

    @Test
    void writesAGridAnAnimationAndAnAccount() {
        Path png = folder.resolve("grid.png");
        Path gif = folder.resolve("grid.gif");
        Cli.Result result = Cli.run(
                "sample",
                "--model",
                model,
                "--steps",
                3,
                "-n",
                4,
                "--out",
                png,
                "--animate",
                gif,
                "--json",
                "--rng",
                "cuda");
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "stdout");
        assertThat(json.path("rng").asText()).isEqualTo("cuda");
        assertThat(json.path("scheduler").asText()).isEqualTo("DDIMScheduler");
        assertThat(json.path("files").get(0).path("class").get(1).asText()).isEqualTo("light");
        assertThat(Images.readText(png).get("parameters")).contains("Steps: 3", "Seed: 0", "dark, light");
        assertThat(gif).exists();
    }

    @Test
    void labelsAGridOfClassesAndOfNone() {
        Path out = folder.resolve("some.png");
        Cli.Result result = sample("--model", model, "--class", "none", "--class", 1, "--steps", 2, "--json");
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode classes =
                Json.parse(result.out(), "stdout").path("files").get(0).path("class");
        assertThat(classes.toString()).isEqualTo("[null,\"light\"]");
        assertThat(Images.readText(folder.resolve("never.png")).get("parameters"))
                .startsWith("none, light\n");
        Cli.run("sample", "--from", folder.resolve("never.png"), "--out", out);
        assertThat(Images.read(out, 3)).isEqualTo(Images.read(folder.resolve("never.png"), 3));
        folder.resolve("never.png").toFile().delete();
    }

    @Test
    void refusesPlacesThatCannotBeWrittenBeforeItComputes() throws IOException {
        Path file = Files.writeString(folder.resolve("b.jpg"), "kept");
        Path directory = Files.createDirectory(folder.resolve("x.png"));
        Path none = folder.resolve("c.JPG");
        List<Path> before = Cli.files(folder);
        String[][] wrong = {
            {"2", file.toString(), "ends in .png"},
            {"2", none.toString(), "ends in .png"},
            {"1", directory.toString(), "it is a folder"}
        };
        for (String[] words : wrong) {
            Cli.run("sample", "--model", model, "--steps", 2, "--out", words[1])
                    .assertOneLine(Integer.parseInt(words[0]), words[1], words[2]);
            Cli.run("toy", "--out", words[1].equals(file.toString()) ? none : words[1])
                    .assertOneLine(Integer.parseInt(words[0]), words[2]);
        }
        Cli.run("sample", "--model", model, "--animate", directory).assertOneLine(1, "it is a folder");
        assertThat(Cli.files(folder)).isEqualTo(before);
        assertThat(none).doesNotExist();
        assertThat(file).hasContent("kept");
    }

    @Test
    void refusesBadInputInOneLine() throws IOException {
        Path out = folder.resolve("never.png");
        List<Path> before = Cli.files(folder);
        sample("--model", folder.resolve("nothing")).assertOneLine(1, "nothing");
        sample("--model", model, "--class", "7").assertOneLine(1, "\"7\"", "dark, light");
        sample("--model", model, "--steps", 0).assertOneLine(2, "--steps", "found 0");
        sample("--model", model, "--steps", 51).assertOneLine(1, "51", "50");
        sample("--model", model, "--size", 9).assertOneLine(1, "multiple of 2", "9");
        sample("--model", model, "--scheduler", "eulerr").assertOneLine(1, "eulerr", "ddim");
        sample("--model", model, "--backend", "gpu").assertOneLine(2, "gpu", "cpu");
        sample("--model", model, "--count", "many").assertOneLine(2, "many");
        sample("--cache", 2, "--stop", 0.1).assertOneLine(2, "expected one of --cache", "cache=2 and stop=0.1");
        sample("--adaptive", 0.1, "--scheduler", "ddim").assertOneLine(2, "leave --scheduler out");
        sample("--parallel", "many").assertOneLine(2, "--parallel: found", "expected cache=N");
        sample("--parallel", 3, "--scheduler", "unipc").assertOneLine(1, "--parallel: expected a sampler");
        Cli.run("sample", "--model", model, "--out", folder.resolve("no/such/folder.png"))
                .assertOneLine(1, "folder.png");
        assertThat(out).doesNotExist();
        assertThat(Cli.files(folder)).isEqualTo(before);
    }

    private Cli.Result sample(Object... args) {
        List<Object> all = new ArrayList<>(List.of("sample", "--out", folder.resolve("never.png")));
        all.addAll(List.of(args));
        return Cli.run(all.toArray());
    }

    @Test
    void refusesDamagedCheckpointsInOneLine() throws IOException {
        byte[] good = Files.readAllBytes(model.resolve("unet/diffusion_pytorch_model.safetensors"));
        damaged("text", "this is not a tensor file".getBytes(java.nio.charset.StandardCharsets.UTF_8), "");
        damaged("short", java.util.Arrays.copyOf(good, good.length / 2), "");
        byte[] hostile = good.clone();
        ByteBuffer.wrap(hostile).order(ByteOrder.LITTLE_ENDIAN).putLong(0, Long.MAX_VALUE);
        damaged("hostile", hostile, "");
        byte[] nan = good.clone();
        ByteBuffer.wrap(nan).order(ByteOrder.LITTLE_ENDIAN).putFloat(nan.length - 8, Float.NaN);
        damaged("nan", nan, "NaN");
        Path shapes = copy("shapes", good);
        Path config = shapes.resolve("unet/config.json");
        Files.writeString(
                config, Files.readString(config).replace("\"num_class_embeds\" : 3", "\"num_class_embeds\" : 4"));
        Files.writeString(
                config, Files.readString(config).replace("\"num_class_embeds\": 3", "\"num_class_embeds\": 4"));
        sample("--model", shapes).assertOneLine(1, "class_embedding.weight is [3, 32], expected [4, 32]");
        Path key = copy("key", good);
        Path scheduler = key.resolve("scheduler/scheduler_config.json");
        Files.writeString(scheduler, Files.readString(scheduler).replaceFirst("\\{", "{\"beta_begin\": 1,"));
        sample("--model", key).assertOneLine(1, "beta_begin");
    }

    private void damaged(String name, byte[] weights, String part) throws IOException {
        sample("--model", copy(name, weights)).assertOneLine(1, "diffusion_pytorch_model.safetensors", part);
    }

    private Path copy(String name, byte[] weights) throws IOException {
        Path copy = folder.resolve(name);
        for (Path file : Cli.files(model)) {
            Path target = copy.resolve(model.relativize(file).toString());
            target.toFile().getParentFile().mkdirs();
            Files.copy(file, target);
        }
        Files.write(copy.resolve("unet/diffusion_pytorch_model.safetensors"), weights);
        return copy;
    }
}
