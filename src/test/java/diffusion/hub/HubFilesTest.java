package diffusion.hub;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;

/** Which files of a repository are brought; the listings are those of published pipelines, cut down. */
class HubFilesTest {
    private static List<String> needed(@Nullable String variant, String... files) {
        return HubFiles.needed(List.of(files), variant, "org/tiny");
    }

    @Test
    void everyPartThatAPipelineHereOpens() {
        assertThat(needed(
                        null,
                        "README.md",
                        "model_index.json",
                        "low_res_scheduler/scheduler_config.json",
                        "scheduler/scheduler_config.json",
                        "unet/config.json",
                        "unet/diffusion_pytorch_model.safetensors",
                        "vqvae/config.json",
                        "vqvae/diffusion_pytorch_model.safetensors",
                        "x4-upscaler-ema.safetensors"))
                .containsExactlyInAnyOrder(
                        "model_index.json",
                        "low_res_scheduler/scheduler_config.json",
                        "scheduler/scheduler_config.json",
                        "unet/config.json",
                        "unet/diffusion_pytorch_model.safetensors",
                        "vqvae/config.json",
                        "vqvae/diffusion_pytorch_model.safetensors");
    }

    @Test
    void aModelWithoutPartsLiesAtTheRoot() {
        String[] ddpm = {
            "config.json",
            "diffusion_pytorch_model.bin",
            "diffusion_pytorch_model.safetensors",
            "images/generated_image_0.png",
            "model_index.json",
            "scheduler_config.json",
            "training.json"
        };
        assertThat(needed(null, ddpm))
                .containsExactly(
                        "config.json",
                        "model_index.json",
                        "scheduler_config.json",
                        "diffusion_pytorch_model.safetensors");
        assertThat(needed(null, "config.json", "diffusion_pytorch_model.safetensors"))
                .hasSize(2);
        assertThatThrownBy(() -> needed(null, "config.json", "diffusion_pytorch_model.bin"))
                .hasMessageContaining("pickled");
        assertThatThrownBy(() -> needed(null, "v1-5-pruned.safetensors")).hasMessageContaining("single-file");
        // what lies beside the parts of a pipeline is another checkpoint
        assertThat(needed(
                        null,
                        "config.json",
                        "model.safetensors",
                        "model_index.json",
                        "unet/config.json",
                        "unet/diffusion_pytorch_model.safetensors"))
                .doesNotContain("config.json", "model.safetensors");
    }

    @Test
    void aVariantMustBeThereInSomePart() {
        String[] files = {
            "model_index.json",
            "unet/config.json",
            "unet/diffusion_pytorch_model.safetensors",
            "unet/diffusion_pytorch_model.non_ema.safetensors",
            "vae/diffusion_pytorch_model.safetensors"
        };
        assertThat(needed("non_ema", files))
                .contains("unet/diffusion_pytorch_model.non_ema.safetensors", "vae/diffusion_pytorch_model.safetensors")
                .doesNotContain("unet/diffusion_pytorch_model.safetensors");
        assertThatThrownBy(() -> needed("fp16", files))
                .hasMessageContaining("the variant fp16")
                .hasMessageContaining("non_ema");
        assertThatThrownBy(() -> needed("fp16", "model_index.json", "unet/model.safetensors"))
                .hasMessageContaining("leave --variant out");
    }
}
