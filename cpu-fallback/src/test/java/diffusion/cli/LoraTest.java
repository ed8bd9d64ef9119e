package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.DType;
import diffusion.io.Images;
import diffusion.io.Picture;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** One LoRA under the names of its several makers, against weights it was merged into by hand. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class LoraTest {
    private static final String ATTENTION = "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q";
    private static final String CONVOLUTION = "mid_block.resnets.0.conv1";
    private static final String TEXT = "text_model.encoder.layers.1.mlp.fc1";
    private static final int RANK = 2;

    private Path folder = Path.of(".");
    private Path model = folder;

    @BeforeAll
    void write(@TempDir Path temporary) {
        folder = temporary;
        model = folder.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sd"));
    }

    private static TensorData random(int seed, int... shape) {
        return TensorData.of(shape, values(seed, shape));
    }

    private static float[] values(int seed, int... shape) {
        int size = 1;
        for (int dim : shape) {
            size *= dim;
        }
        Random random = new Random(seed);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian() * 0.5f;
        }
        return values;
    }

    /** A file whose modules are named by {@code names}, with {@code ends} for down, up and alpha. */
    private Path file(String name, List<String> names, String down, String up, boolean alpha) {
        return file(name, names, down, up, alpha, Map.of());
    }

    private Path file(
            String name, List<String> names, String down, String up, boolean alpha, Map<String, String> metadata) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        int[][] downs = {{RANK, 8}, {RANK, 16, 3, 3}, {RANK, 12}};
        int[][] ups = {{8, RANK}, {16, RANK, 1, 1}, {24, RANK}};
        for (int i = 0; i < names.size(); i++) {
            tensors.put(names.get(i) + down, random(2 * i, downs[i]));
            tensors.put(names.get(i) + up, random(2 * i + 1, ups[i]));
            if (alpha) {
                tensors.put(names.get(i) + ".alpha", TensorData.of(new int[] {1}, new float[] {RANK}));
            }
        }
        Path path = folder.resolve(name);
        SafeTensors.write(path, tensors, metadata, DType.F32);
        return path;
    }

    private Picture sample(Path from, String... loras) {
        Path out = folder.resolve("out.png");
        List<Object> words = new java.util.ArrayList<>(
                List.of("sample", "--model", from, "--prompt", "a house", "--steps", 2, "--out", out));
        for (String lora : loras) {
            words.add("--lora");
            words.add(lora);
        }
        Cli.Result result = Cli.run(words.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        return Images.read(out, 3);
    }

    /** The tiny pipeline with half of the change added to its weights. */
    private Path merged() {
        Path copy = folder.resolve("merged");
        TinyStableDiffusion.write(copy, Golden.read("text_to_image_sd"));
        add(copy.resolve("unet/diffusion_pytorch_model.safetensors"), ATTENTION, 0, 8, 8);
        add(copy.resolve("unet/diffusion_pytorch_model.safetensors"), CONVOLUTION, 1, 16, 16 * 9);
        add(copy.resolve("text_encoder/model.safetensors"), TEXT, 2, 24, 12);
        return copy;
    }

    /** The picture made from what a file says. */
    private Picture again(String name) {
        Path out = folder.resolve("again.png");
        Cli.Result result = Cli.run("sample", "--from", folder.resolve(name), "--out", out);
        assertThat(result.status()).as(result.err()).isZero();
        return Images.read(out, 3);
    }

    private static void add(Path path, String module, int index, int rows, int columns) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        try (SafeTensors file = SafeTensors.open(path)) {
            for (String name : file.names()) {
                float[] w = file.floats(name);
                if (name.equals(module + ".weight")) {
                    float[] down = values(2 * index, RANK, columns);
                    float[] up = values(2 * index + 1, rows, RANK);
                    for (int i = 0; i < rows; i++) {
                        for (int j = 0; j < columns; j++) {
                            for (int r = 0; r < RANK; r++) {
                                w[i * columns + j] += 0.5f * up[i * RANK + r] * down[r * columns + j];
                            }
                        }
                    }
                }
                tensors.put(name, TensorData.of(file.shape(name), w));
            }
        }
        SafeTensors.write(path, tensors, Map.of(), DType.F32);
    }

    @Test
    void allFormatsGiveThePictureOfMergedWeights() {
        Picture expected = sample(merged());
        assertThat(expected).isNotEqualTo(sample(model));
        Path peft = file(
                "peft.safetensors",
                List.of("unet." + ATTENTION, "unet." + CONVOLUTION, "text_encoder." + TEXT),
                ".lora_A.weight",
                ".lora_B.weight",
                false);
        Path diffusers = file(
                "diffusers.safetensors",
                List.of("unet." + ATTENTION, "unet." + CONVOLUTION, "text_encoder." + TEXT),
                ".lora.down.weight",
                ".lora.up.weight",
                true);
        Path kohya = file(
                "kohya.safetensors",
                List.of(
                        "lora_unet_" + ATTENTION.replace('.', '_'),
                        "lora_unet_" + CONVOLUTION.replace('.', '_'),
                        "lora_te_" + TEXT.replace('.', '_')),
                ".lora_down.weight",
                ".lora_up.weight",
                true);
        Path original = file(
                "original.safetensors",
                List.of(
                        "lora_unet_input_blocks_1_1_transformer_blocks_0_attn1_to_q",
                        "lora_unet_middle_block_0_in_layers_2",
                        "lora_te1_" + TEXT.replace('.', '_')),
                ".lora_down.weight",
                ".lora_up.weight",
                true);
        for (Path lora : List.of(peft, diffusers, kohya, original)) {
            assertNear(sample(model, lora + ":0.5"), expected, lora.toString());
        }
        Picture two = sample(model, peft + ":0.25", kohya + ":0.25");
        assertNear(two, expected, "two of them");
        assertThat(again("out.png")).isEqualTo(two);
        Path metadata = file(
                "metadata.safetensors",
                List.of("unet." + ATTENTION, "unet." + CONVOLUTION, "text_encoder." + TEXT),
                ".lora_A.weight",
                ".lora_B.weight",
                false,
                Map.of("lora_adapter_metadata", """
                        {"unet.r": 2, "unet.lora_alpha": 99, "unet.alpha_pattern": {"to_q": 4, "resnets.0.conv1": 4},
                         "text_encoder.r": 2, "text_encoder.lora_alpha": 2.8284271, "text_encoder.use_rslora": true}"""));
        assertNear(sample(model, metadata + ":0.25"), expected, "alpha in the metadata");
    }

    @Test
    void changesARefiner() {
        Path base = folder.resolve("base");
        Path refiner = folder.resolve("refiner");
        Path merged = folder.resolve("merged-refiner");
        TinyStableDiffusion.write(base, Golden.read("text_to_image_sdxl"));
        for (Path copy : List.of(refiner, merged)) {
            TinyStableDiffusion.write(copy, Golden.read("refiner"));
        }
        add(merged.resolve("unet/diffusion_pytorch_model.safetensors"), "conv_in", 1, 8, 4 * 9);
        Path lora = folder.resolve("refiner.safetensors");
        SafeTensors.write(
                lora,
                Map.of(
                        "unet.conv_in.lora_A.weight", random(2, RANK, 4, 3, 3),
                        "unet.conv_in.lora_B.weight", random(3, 8, RANK, 1, 1)),
                Map.of(),
                DType.F32);
        Picture plain = refined(base, refiner);
        Picture expected = refined(base, merged);
        assertThat(expected).isNotEqualTo(plain);
        assertNear(refined(base, refiner, "--refiner-lora", lora + ":0.5"), expected, "refiner");
        assertThat(again("refined.png")).isEqualTo(Images.read(folder.resolve("refined.png"), 3));
        assertNear(refined(base, refiner, "--refiner-lora", lora + ":0"), plain, "without weight");
        Cli.run("sample", "--model", base, "--prompt", "x", "--refiner-lora", lora)
                .assertOneLine(2, "--refiner-lora", "--refiner");
    }

    private Picture refined(Path base, Path refiner, Object... more) {
        Path out = folder.resolve("refined.png");
        List<Object> words = new java.util.ArrayList<>(List.of("sample", "--model", base, "--refiner", refiner));
        words.addAll(List.of("--prompt", "a house", "--steps", 4, "--high-noise-fraction", 0.4, "--out", out));
        words.addAll(List.of(more));
        Cli.Result result = Cli.run(words.toArray());
        assertThat(result.status()).as(result.err()).isZero();
        return Images.read(out, 3);
    }

    private static void assertNear(Picture found, Picture expected, String what) {
        byte[] a = found.data();
        byte[] b = expected.data();
        for (int i = 0; i < a.length; i++) {
            assertThat(Math.abs((a[i] & 0xff) - (b[i] & 0xff))).as(what).isLessThanOrEqualTo(1);
        }
    }

    @Test
    void refusesThoseOfOtherModels() {
        Path other = file("other.safetensors", List.of("unet.elsewhere"), ".lora_A.weight", ".lora_B.weight", false);
        Cli.run("sample", "--model", model, "--prompt", "x", "--lora", other)
                .assertOneLine(1, "unet.elsewhere", "another base model");
        Path wrong = file("wrong.safetensors", List.of("unet.conv_out"), ".lora_A.weight", ".lora_B.weight", false);
        Cli.run("sample", "--model", model, "--prompt", "x", "--lora", wrong)
                .assertOneLine(1, "unet.conv_out", "another base model");
    }
}
