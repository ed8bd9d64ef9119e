package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.graph.Parameters;
import diffusion.io.DType;
import diffusion.io.GgmlType;
import diffusion.io.Gguf;
import diffusion.io.Json;
import diffusion.io.Picture;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.metrics.ImageSimilarity;
import diffusion.model.AutoencoderKL;
import diffusion.model.CLIPTextModel;
import diffusion.model.Golden;
import diffusion.model.SingleFile.Family;
import diffusion.model.UNet2DConditionConfig;
import diffusion.model.UNet2DConditionModel;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.TestInstance;
import org.junit.jupiter.api.io.TempDir;

/** The same weights in a folder and in a single file, under diffusers' names and the original ones. */
@TestInstance(TestInstance.Lifecycle.PER_CLASS)
class SingleFileTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private static void part(Path place, JsonNode config, Parameters parameters) throws IOException {
        Files.createDirectories(place);
        Json.write(place.resolve("config.json"), config);
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Golden.weights(parameters.all())
                .forEach((tensor, values) -> tensors.put(tensor.name(), TensorData.of(tensor.shape(), values)));
        SafeTensors.write(place.resolve("model.safetensors"), tensors, Map.of(), DType.F32);
    }

    static byte[] picture(StableDiffusionComponents components) {
        StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                components, SchedulerFactory.byName("ddim"), new ReferenceBackend(), WeightAdjustment.NONE);
        List<Picture> pictures = new ArrayList<>();
        pipeline.run(
                new StableDiffusionPipeline.Request(
                        List.of(Prompt.plain("a lighthouse")),
                        null,
                        List.of(1L),
                        RandomSource.Kind.TORCH,
                        16,
                        16,
                        2,
                        1,
                        0,
                        0,
                        1,
                        false,
                        components.scoresAesthetics()
                                ? new Edit.ImageToImage(new Picture(3, 16, 16, new byte[3 * 16 * 16]), 0.5)
                                : null),
                () -> false,
                _ -> {},
                pictures::add);
        return pictures.getFirst().data();
    }

    static float[] unit(byte[] pixels) {
        float[] values = new float[pixels.length];
        for (int i = 0; i < values.length; i++) {
            values[i] = (pixels[i] & 0xff) / 255f;
        }
        return values;
    }

    @Test
    void givesThePicturesOfTheFolder() throws IOException {
        Path pipeline = folder.resolve("pipeline");
        TinySingleFile tiny = TinySingleFile.of(Family.SD1);
        part(
                pipeline.resolve("unet"),
                tiny.unet(),
                new UNet2DConditionModel(UNet2DConditionConfig.read(tiny.unet(), "unet")).parameters());
        part(
                pipeline.resolve("vae"),
                tiny.vae(),
                new AutoencoderKL(AutoencoderKL.Config.read(tiny.vae(), "vae")).parameters());
        part(
                pipeline.resolve("text_encoder"),
                tiny.text(),
                new CLIPTextModel(CLIPTextModel.Config.read(tiny.text(), "text")).parameters());
        Files.createDirectories(pipeline.resolve("scheduler"));
        Files.writeString(pipeline.resolve("model_index.json"), """
                {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "UNet2DConditionModel"],
                 "vae": ["diffusers", "AutoencoderKL"], "text_encoder": ["transformers", "CLIPTextModel"]}""");
        Files.writeString(
                pipeline.resolve("scheduler").resolve("scheduler_config.json"), "{\"_class_name\": \"DDIMScheduler\"}");
        TinyStableDiffusion.tokenizer(pipeline.resolve("tokenizer"), 48894, "<|endoftext|>");
        Path file = folder.resolve("single.safetensors");
        Map<String, TensorData> single = tiny.tensors();
        SafeTensors.write(file, single, Map.of(), DType.F32);

        StableDiffusionComponents opened = StableDiffusionComponents.open("single", file);
        assertThat(StableDiffusionComponents.matches(file)).isTrue();
        assertThat(opened.scheduler().className()).isEqualTo("PNDMScheduler");
        assertThat(picture(opened)).isEqualTo(picture(StableDiffusionComponents.open("folder", pipeline)));

        Path gguf = folder.resolve("single.gguf");
        Gguf.write(gguf, single, Map.of(), GgmlType.F32);
        assertThat(StableDiffusionComponents.matches(gguf)).isTrue();
        assertThat(picture(StableDiffusionComponents.open("gguf", gguf))).isEqualTo(picture(opened));
        Gguf.write(gguf, single, Map.of(), GgmlType.Q8_0);
        byte[] quantised = picture(StableDiffusionComponents.open("gguf", gguf));
        assertThat(quantised).isNotEqualTo(picture(opened));
        assertThat(ImageSimilarity.psnr(unit(quantised), unit(picture(opened)))).isGreaterThan(30);

        single.remove("first_stage_model.quant_conv.bias");
        single.put("model.diffusion_model.surplus", TensorData.of(new int[] {1}, new float[] {1}));
        SafeTensors.write(file, single, Map.of(), DType.F32);
        StableDiffusionComponents spoilt = StableDiffusionComponents.open("single", file);
        assertThatThrownBy(() -> picture(spoilt)).hasMessageContaining("unexpected surplus");
    }
}
