package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DType;
import diffusion.io.GgmlType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.metrics.ImageSimilarity;
import diffusion.model.SingleFile.Family;
import java.io.IOException;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Checkpoints written as folders and as single files: names, bits and pictures stay. */
class PipelineWriterTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private static StableDiffusionComponents open(Path path) {
        return StableDiffusionComponents.open("tiny", path);
    }

    private static PipelineWriter writer(Path from, @Nullable DType dtype) {
        return new PipelineWriter(open(from), dtype, _ -> {});
    }

    private Path single(Family family, DType dtype) {
        Path file = folder.resolve(family + ".safetensors");
        SafeTensors.write(file, TinySingleFile.of(family).tensors(), Map.of(), dtype);
        return file;
    }

    /** Type, shape and bytes of every tensor. */
    private static Map<String, List<Object>> contents(Path file) {
        Map<String, List<Object>> all = new LinkedHashMap<>();
        try (SafeTensors tensors = SafeTensors.open(file)) {
            for (String name : tensors.names()) {
                all.put(
                        name,
                        List.of(
                                tensors.dtype(name),
                                Arrays.toString(tensors.shape(name)),
                                Arrays.hashCode(tensors.data(name).toArray(ValueLayout.JAVA_BYTE))));
            }
        }
        return all;
    }

    @ParameterizedTest
    @EnumSource
    void thereAndBackIsTheSameFile(Family family) {
        for (DType dtype : family == Family.SD1 ? List.of(DType.F16, DType.BF16, DType.F32) : List.of(DType.F16)) {
            Path file = single(family, dtype);
            Path there = folder.resolve("there-" + dtype);
            Path back = folder.resolve("back-" + dtype + ".safetensors");
            writer(file, null).writeFolder(there);
            writer(there, null).writeSingleFile(back);
            Map<String, List<Object>> expected = contents(file);
            // What the text encoder of Stable Diffusion 2 does not use is not in a folder.
            expected.keySet()
                    .removeIf(name -> family == Family.SD2
                            && (name.contains("resblocks.2.") || name.endsWith("text_projection")));
            assertThat(contents(back)).isEqualTo(expected);
            assertThat(open(back).texts().getFirst().config().numHiddenLayers())
                    .isEqualTo(open(file).texts().getFirst().config().numHiddenLayers());
        }
    }

    @ParameterizedTest
    @EnumSource
    void theFolderHasDiffusersNamesAndTheSamePicture(Family family) {
        Path file = single(family, DType.F16);
        Path there = folder.resolve("there");
        writer(file, null).writeFolder(there);
        Map<String, List<Object>> original = contents(file);
        for (String part : List.of("unet", "vae")) {
            Map<String, List<Object>> written =
                    contents(there.resolve(part).resolve("diffusion_pytorch_model.safetensors"));
            Map<String, String> names =
                    TinySingleFile.names(part.equals("vae") ? part : family.isXL() ? "unet_sdxl" : "unet_sd");
            assertThat(names.keySet()).containsAll(written.keySet());
            written.forEach((name, found) -> assertThat(found.getLast())
                    .as(name)
                    .isEqualTo(Objects.requireNonNull(original.get(names.get(name)))
                            .getLast()));
        }
        assertThat(SingleFileTest.picture(open(there))).isEqualTo(SingleFileTest.picture(open(file)));
    }

    @Test
    void aQuantisedFileIsSmallAndGivesNearlyThePicture() throws IOException {
        Path file = single(Family.SD1, DType.F32);
        byte[] expected = SingleFileTest.picture(open(file));
        Path exact = folder.resolve("exact.gguf");
        writer(file, null).writeGguf(exact, GgmlType.F32);
        assertThat(SingleFileTest.picture(open(exact))).isEqualTo(expected);
        double least = 100;
        for (GgmlType type : List.of(GgmlType.Q8_0, GgmlType.Q4_0)) {
            Path small = folder.resolve("small.gguf");
            writer(file, null).writeGguf(small, type);
            assertThat(Files.size(small)).isLessThan(Files.size(file) / 2);
            double psnr = ImageSimilarity.psnr(
                    SingleFileTest.unit(SingleFileTest.picture(open(small))), SingleFileTest.unit(expected));
            assertThat(psnr).as(type.toString()).isBetween(20.0, least);
            least = psnr;
        }
        assertThat(least).isLessThan(100);
    }

    @Test
    void roundsToTheTypeAskedFor() {
        Path file = single(Family.SD1, DType.F32);
        Path half = folder.resolve("half.safetensors");
        writer(file, DType.BF16).writeSingleFile(half);
        String name = "first_stage_model.quant_conv.bias";
        try (SafeTensors all = SafeTensors.open(file);
                SafeTensors rounded = SafeTensors.open(half)) {
            float[] expected = all.floats(name);
            for (int i = 0; i < expected.length; i++) {
                expected[i] = DType.bfloat16ToFloat(DType.floatToBfloat16(expected[i]));
            }
            assertThat(rounded.dtype(name)).isEqualTo(DType.BF16);
            assertThat(rounded.floats(name)).isEqualTo(expected);
        }
    }

    @Test
    void refusesWhatWouldBeLostAndLeavesNothing() throws IOException {
        Path file = single(Family.SD1, DType.F32);
        Path there = folder.resolve("there");
        Path out = folder.resolve("out.safetensors");
        writer(file, null).writeFolder(there);
        assertThatThrownBy(() -> writer(file, null).writeFolder(there)).hasMessageContaining("new folder");

        Path config = there.resolve("unet").resolve("config.json");
        ObjectNode changed = (ObjectNode) Json.read(config);
        Json.write(config, changed.deepCopy().put("attention_head_dim", 4));
        assertThatThrownBy(() -> writer(there, null).writeSingleFile(out))
                .hasMessageContaining("numAttentionHeads is [4, 4]")
                .hasMessageContaining("read as [8, 8]");
        Json.write(config, changed);

        Path weights = there.resolve("vae").resolve("diffusion_pytorch_model.safetensors");
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        try (SafeTensors stored = SafeTensors.open(weights)) {
            for (String name : stored.names()) {
                float[] values = stored.floats(name);
                values[0] = name.equals("quant_conv.bias") ? 70000 : values[0];
                tensors.put(name, TensorData.of(stored.shape(name), values));
            }
        }
        SafeTensors.write(weights, tensors, Map.of(), DType.F32);
        assertThatThrownBy(() -> writer(there, DType.F16).writeSingleFile(out))
                .hasMessageContaining("quant_conv.bias")
                .hasMessageContaining("70000")
                .hasMessageContaining("bf16");
        Path other = folder.resolve("other");
        assertThatThrownBy(() -> writer(there, DType.F16).writeFolder(other)).hasMessageContaining("70000");

        Json.write(config, changed.put("time_cond_proj_dim", 16));
        assertThatThrownBy(() -> writer(there, null).writeSingleFile(out))
                .hasMessageContaining("timeCondProjDim is 16");
        assertThat(Files.exists(out)).isFalse();
        assertThat(Files.exists(other)).isFalse();
    }
}
