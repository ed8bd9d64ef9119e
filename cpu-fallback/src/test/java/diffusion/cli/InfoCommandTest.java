package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.io.DType;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.Golden;
import diffusion.pipeline.TinyStableDiffusion;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** {@code info --model} of what follows a text. */
class InfoCommandTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    /** The weights of a file under other names or with others beside them. */
    private static void rewrite(Path file, String without, Map<String, TensorData> more) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        try (SafeTensors all = SafeTensors.open(file)) {
            for (String name : all.names()) {
                if (!name.equals(without)) {
                    tensors.put(name, TensorData.of(all.shape(name), all.floats(name)));
                }
            }
        }
        tensors.putAll(more);
        SafeTensors.write(file, tensors, Map.of("format", "pt", "trained_by", "a test"), DType.F16);
    }

    @Test
    void listsWhatMakesPicturesFromNoise() {
        assertThat(Cli.run("info").out()).contains("schedulers: ddpm, ddim").doesNotContain("repaint", "inverse");
    }

    @Test
    void tellsPartsPrecisionMemoryAndWhatDoesNotMatch() {
        Path model = folder.resolve("tiny");
        TinyStableDiffusion.write(model, Golden.read("text_to_image_sdxl"));
        Path unet = model.resolve("unet/diffusion_pytorch_model.safetensors");
        rewrite(unet, "", Map.of());
        Cli.Result whole = Cli.run("info", "--model", model, "--size", 32);
        assertThat(whole.status()).as(whole.err()).isZero();
        assertThat(whole.out())
                .contains("pipeline: StableDiffusionXLPipeline", "scheduler: EulerDiscreteScheduler")
                .contains("metadata: trained_by = a test", "every parameter matches")
                .containsPattern("unet +[0-9,]+ parameters, stored as \\[F16\\]")
                .containsPattern("text_encoder_2 +[0-9,]+ parameters, stored as \\[F32\\]")
                .containsPattern("memory: [0-9.]+ GB for a guided step of the U-Net at 32 x 32");
        rewrite(unet, "conv_in.bias", Map.of("surplus", TensorData.of(new int[] {1}, new float[] {1})));
        Cli.Result spoilt = Cli.run("info", "--model", model);
        assertThat(spoilt.status()).isEqualTo(1);
        assertThat(spoilt.out())
                .contains("checkpoint problems:", "unet: missing conv_in.bias", "unet: unexpected surplus");
    }
}
