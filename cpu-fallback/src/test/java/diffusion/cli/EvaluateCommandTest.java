package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;
import static org.assertj.core.api.Assertions.withinPercentage;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Images;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.metrics.FrechetDistance;
import diffusion.metrics.InceptionParity;
import diffusion.metrics.KernelDistance;
import diffusion.model.Golden;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class EvaluateCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** Bright and dark pictures cannot be confused, so every figure that should be perfect is. */
    @Test
    void measuresSamplesOfATrainedModel() throws IOException {
        TinyProject project = TinyProject.create(folder);
        Path run = folder.resolve("run");
        assertThat(Cli.run("train", "--config", project.config(), "--data", project.data(), "--out", run)
                        .status())
                .isZero();
        Path data = folder.resolve("split");
        Random random = new Random(3);
        for (String part : new String[] {"train", "test"}) {
            for (String name : new String[] {"dark", "light"}) {
                Path files = Files.createDirectories(data.resolve(part).resolve(name));
                for (int i = 0; i < 80; i++) {
                    byte[] pixels = new byte[64];
                    for (int p = 0; p < pixels.length; p++) {
                        pixels[p] = (byte) (random.nextInt(100) + (name.equals("dark") ? 0 : 150));
                    }
                    Images.writePng(files.resolve(i + ".png"), new Picture(1, 8, 8, pixels), Map.of());
                }
            }
        }
        Path classifier = folder.resolve("classifier");
        Path report = folder.resolve("report.html");
        Cli.Result result = Cli.run(
                "evaluate",
                "--model",
                run.resolve("model"),
                "--data",
                data,
                "--retrain",
                "--epochs",
                20,
                "--classifier",
                classifier,
                "-n",
                40,
                "--steps",
                5,
                "--report",
                report);
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "output");
        assertThat(json.path("classifier_accuracy").doubleValue()).isEqualTo(1);
        assertThat(json.path("samples").intValue()).isEqualTo(40);
        double recognised = json.path("recognised").doubleValue();
        JsonNode each = json.path("recognised_per_class");
        assertThat(recognised)
                .isCloseTo((each.path("dark").doubleValue() + each.path("light").doubleValue()) / 2, within(1e-9));
        assertThat(json.path("frechet_ratio").doubleValue())
                .isCloseTo(
                        json.path("frechet_distance").doubleValue()
                                / json.path("frechet_floor_train_test").doubleValue(),
                        within(1.0));
        assertThat(Files.readString(report)).contains("Evaluation of", "data:image/png;base64,");

        Object[] trained = {"evaluate", "--model", run.resolve("model"), "--data", data, "--classifier", classifier};
        Cli.Result again = Cli.run(with(trained, "-n", 40, "--steps", 5));
        assertThat(Json.parse(again.out(), "output").path("frechet_distance")).isEqualTo(json.path("frechet_distance"));
        Cli.run("evaluate", "--model", run.resolve("model"), "--data", data).assertOneLine(1, "--retrain");
        Object[] inception = with(trained, "-n", 3, "--steps", 2, "--inception", InceptionParity.weights(folder));
        JsonNode other = Json.parse(Cli.run(inception).out(), "output");
        assertThat(other.path("features_of").asText()).contains("InceptionV3");
        assertThat(other.path("frechet_ratio").isNumber()).isTrue();
        Cli.run(with(inception, "--restoration")).assertOneLine(2, "expected neither --compare nor --restoration");
        retrainingReplacesNothingButAClassifier(with(trained, "--retrain"), run.resolve("model"), data, classifier);
        comparesSamplers(run.resolve("model"), data, classifier);
    }

    private static void retrainingReplacesNothingButAClassifier(
            Object[] retrain, Path model, Path data, Path classifier) throws IOException {
        List<Path> before = Cli.files(data);
        retrain[retrain.length - 2] = data;
        Cli.run(retrain).assertOneLine(1, data.toString(), "expected a new folder", "would be lost");
        assertThat(Cli.files(data)).containsExactlyInAnyOrderElementsOf(before);
        retrain[retrain.length - 2] = classifier;
        Path notes = Files.writeString(classifier.resolve("notes.txt"), "kept");
        Cli.run(retrain).assertOneLine(1, "found notes.txt");
        assertThat(notes).hasContent("kept");
        Files.delete(notes);
        Path config = classifier.resolve("config.json");
        String own = Files.readString(config);
        Files.copy(model.resolve("unet/config.json"), config, StandardCopyOption.REPLACE_EXISTING);
        Cli.run(retrain).assertOneLine(1, "with a Classifier", "found UNet2DModel");
        Files.writeString(config, own);
    }

    private void comparesSamplers(Path model, Path data, Path classifier) throws IOException {
        Path report = folder.resolve("samplers.html");
        Object[] common = {"evaluate", "--model", model, "--data", data, "--classifier", classifier, "-n", 30};
        Cli.Result result = Cli.run(with(common, "--compare", "all", "--calls", "1,6", "--report", report));
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode samplers = Json.parse(result.out(), "output").path("samplers");
        Map<String, Integer> calls = new TreeMap<>();
        for (JsonNode row : samplers) {
            calls.put(
                    row.path("sampler").textValue() + " " + row.path("budget").intValue(),
                    row.path("calls").intValue());
            assertThat(row.path("frechet_ratio").isNumber()).isTrue();
        }
        assertThat(calls).containsEntry("ddim 1", 1).containsEntry("ddim 6", 6).containsEntry("unipc 6", 6);
        assertThat(calls)
                .as("two calls a step, one at the last")
                .containsEntry("heun 1", 1)
                .containsEntry("heun 6", 5);
        assertThat(calls).as("its first three steps take four calls each").doesNotContainKey("pndm 6");
        assertThat(calls.keySet()).noneMatch(name -> name.contains("inverse") || name.contains("edm"));
        assertThat(Files.readString(report)).contains("against model calls", "<td>heun</td>", "(5 calls)");
        // what the comparison says of a sampler is what it says of its own run
        Cli.Result alone = Cli.run(with(common, "--scheduler", "ddim", "--steps", 6));
        assertThat(Json.parse(alone.out(), "output").path("frechet_ratio").doubleValue())
                .isEqualTo(row(samplers, "ddim", 6).path("frechet_ratio").doubleValue());
        Cli.Result spent = Cli.run(with(
                common,
                "--compare",
                "ddim+cache=2,ddim+parallel=3:0,adaptive=0.2",
                "--calls",
                "6",
                "--report",
                report));
        assertThat(spent.status()).as(spent.err()).isZero();
        JsonNode savings = Json.parse(spent.out(), "output").path("samplers");
        assertThat(savings.size()).isEqualTo(3);
        JsonNode cached = row(savings, "ddim+cache=2", 6);
        assertThat(cached.path("shallow").doubleValue()).isEqualTo(0.5);
        assertThat(cached.path("frechet_to_plain").doubleValue())
                .isCloseTo(
                        cached.path("frechet_ratio").doubleValue()
                                / row(samplers, "ddim", 6).path("frechet_ratio").doubleValue(),
                        within(1e-2));
        JsonNode parallel = row(savings, "ddim+parallel=3:0", 6);
        assertThat(parallel.path("frechet_to_plain").doubleValue()).isCloseTo(1, within(1e-2));
        assertThat(parallel.path("calls").doubleValue())
                .as("three states at each of the first four steps")
                .isEqualTo(15);
        assertThat(parallel.path("passes").doubleValue()).isEqualTo(6);
        assertThat(row(savings, "adaptive=0.2", 6).path("calls").doubleValue()).isGreaterThan(3);
        Cli.Result adaptive = Cli.run(with(common, "--compare", "adaptive=0.2", "--calls", "6,1"));
        assertThat(row(Json.parse(adaptive.out(), "output").path("samplers"), "adaptive=0.2", 6))
                .as("the largest number of calls, wherever it stands")
                .isNotNull();
        Cli.run(with(common, "--compare", "ddim+cache=x")).assertOneLine(1, "found \"cache=x\"");
        Cli.run(with(common, "--compare", "ddim,nobody")).assertOneLine(1, "no scheduler is named \"nobody\"");
        Cli.run(with(common, "--compare", "ddim", "--calls", "0")).assertOneLine(2, "--calls: expected at least 1");
    }

    private static JsonNode row(JsonNode rows, String sampler, int budget) {
        for (JsonNode row : rows) {
            if (row.path("sampler").textValue().equals(sampler)
                    && row.path("budget").intValue() == budget) {
                return row;
            }
        }
        throw new AssertionError("no row " + sampler + " " + budget);
    }

    private static Object[] with(Object[] common, Object... more) {
        return Stream.concat(Stream.of(common), Stream.of(more)).toArray();
    }

    @Test
    void comparesPicturesOfTheSameName() throws IOException {
        Path reference = Files.createDirectory(folder.resolve("reference"));
        Path pictures = Files.createDirectory(folder.resolve("pictures"));
        for (int i = 0; i < 2; i++) {
            Images.writePng(reference.resolve(i + ".png"), grey(100), Map.of());
            Images.writePng(pictures.resolve(i + ".png"), grey(110), Map.of());
        }
        Cli.Result result = Cli.run("evaluate", "--reference", reference, "--pictures", pictures);
        assertThat(result.status()).as(result.err()).isZero();
        assertThat(Json.parse(result.out(), "output").path("psnr_db").doubleValue())
                .isCloseTo(20 * Math.log10(255.0 / 10), within(0.01));
    }

    /** The distances follow from the features that torch found. */
    @Test
    void comparesFoldersByInception() throws IOException {
        Golden golden = Golden.read("inception");
        Path weights = InceptionParity.weights(folder);
        Map<String, Path> folders = new TreeMap<>();
        for (String name : new String[] {"reference", "samples"}) {
            folders.put(name, Files.createDirectory(folder.resolve(name)));
        }
        for (Map.Entry<String, Picture> entry : InceptionParity.pictures(golden).entrySet()) {
            boolean first = entry.getKey().equals("small") || entry.getKey().equals("wide");
            Path target = Objects.requireNonNull(folders.get(first ? "reference" : "samples"));
            Images.writePng(target.resolve(entry.getKey() + ".png"), entry.getValue(), Map.of());
        }
        Object[] common = {"evaluate", "--inception", weights};
        Cli.Result result = Cli.run(
                with(common, "--reference", folder.resolve("reference"), "--samples", folder.resolve("samples")));
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "output");
        assertThat(json.path("features_of").asText()).contains("InceptionV3", weights.toString());
        double[][] reference = {features(golden, "small"), features(golden, "wide")};
        double[][] samples = {features(golden, "grey"), features(golden, "large")};
        assertThat(json.path("frechet_distance").doubleValue())
                .isCloseTo(FrechetDistance.between(samples, reference), withinPercentage(0.01));
        assertThat(json.path("kernel_distance").doubleValue())
                .isCloseTo(KernelDistance.between(samples, reference), withinPercentage(0.1));
        Cli.run("evaluate", "--reference", folder, "--samples", folder, "--inception", folder.resolve("i.pth"))
                .assertOneLine(1, "found pickled weights");
    }

    private static double[] features(Golden golden, String name) {
        float[] values = golden.floats("features." + name);
        double[] features = new double[values.length];
        Arrays.setAll(features, i -> values[i]);
        return features;
    }

    /** Against the same pictures moved to other classes: every figure that two equal sets have. */
    @Test
    void comparesFoldersOfClasses() throws IOException {
        Path made = folder.resolve("made");
        assertThat(Cli.run("sample", "-n", 20, "--steps", 8, "--out", made + "/")
                        .status())
                .isZero();
        Path reference = folder.resolve("reference");
        Path samples = folder.resolve("samples");
        int i = 0;
        for (Path file : Cli.files(made).stream().sorted().toList()) {
            String name = i++ % 10 + "/" + file.getFileName();
            for (Path target : new Path[] {reference.resolve(name), samples.resolve(name)}) {
                Files.createDirectories(Objects.requireNonNull(target.getParent()));
                Files.copy(file, target);
            }
        }
        Path report = folder.resolve("folders.html");
        Cli.Result result = Cli.run("evaluate", "--reference", reference, "--samples", samples, "--report", report);
        assertThat(result.status()).as(result.err()).isZero();
        JsonNode json = Json.parse(result.out(), "output");
        assertThat(json.path("pairs").intValue()).isEqualTo(20);
        assertThat(json.path("psnr_db").asText()).isEqualTo("infinite");
        assertThat(json.path("ssim").doubleValue()).isCloseTo(1, within(1e-9));
        assertThat(json.has("ms_ssim")).isFalse();
        assertThat(json.path("feature_distance").doubleValue()).isZero();
        assertThat(json.path("frechet_distance").doubleValue()).isCloseTo(0, within(1e-4));
        assertThat(json.path("precision").doubleValue()).isEqualTo(1);
        assertThat(json.path("features_of").asText()).contains("digits-classifier", "not Inception");
        assertThat(json.path("per_class").size()).isEqualTo(10);
        assertThat(json.path("per_class").path("3").path("samples").intValue()).isEqualTo(2);
        assertThat(Files.readString(report)).contains("By class");
    }

    @Test
    void refusesWhatItCannotMeasure() {
        Cli.run("evaluate", "--reference", folder, "--samples", folder, "--report", folder)
                .assertOneLine(1, folder.toString(), "it is a folder");
        Cli.run("evaluate").assertOneLine(2, "--data: expected a data set");
        Cli.run("evaluate", "--data", folder, "-n", 1).assertOneLine(2, "--count: expected at least 2");
        Cli.run("evaluate", "--data", folder.resolve("none")).assertOneLine(1, "none");
        Cli.run("evaluate", "--reference", folder.resolve("none"), "--pictures", folder)
                .assertOneLine(1, "none");
        Object[] folders = {"evaluate", "--reference", folder, "--samples", folder};
        for (String option : new String[] {"--retrain", "--restoration"}) {
            Cli.run(with(folders, option)).assertOneLine(2, option, "--reference");
        }
        for (String option : new String[] {"--compare", "--model", "--data", "--cache", "--steps", "--guidance"}) {
            Cli.run(with(folders, option, 3)).assertOneLine(2, option, "--reference");
        }
        for (String option : new String[] {"--guidance", "--scheduler", "--jumps", "--compare", "--calls"}) {
            Cli.run("evaluate", "--data", folder, "--restoration", option, 3)
                    .assertOneLine(2, option, "no --restoration");
        }
        for (String option : new String[] {"--steps", "--scheduler", "--cache", "--metropolis"}) {
            Cli.run("evaluate", "--data", folder, "--compare", "ddim", option, 3)
                    .assertOneLine(2, option, "no --compare");
        }
        Cli.run("evaluate", "--data", folder, "--calls", 3).assertOneLine(2, "--calls", "--compare");
        Cli.run("evaluate", "--data", folder, "--epochs", 3).assertOneLine(2, "--epochs", "--retrain");
    }

    private static Picture grey(int value) {
        byte[] pixels = new byte[256];
        Arrays.fill(pixels, (byte) value);
        return new Picture(1, 16, 16, pixels);
    }
}
