package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Tensor;
import diffusion.io.DType;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.function.UnaryOperator;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ModelFolderTest {
    private static final String WEIGHTS = "diffusion_pytorch_model.safetensors";

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path temporary;

    private final Map<String, float[]> weights = new HashMap<>();

    @SuppressWarnings("NullAway.Init")
    private Path folder;

    @SuppressWarnings("NullAway.Init")
    private Path unet;

    @BeforeEach
    void write() {
        folder = temporary.resolve("model");
        unet = folder.resolve("unet");
        DenoisingModel model = Models.fromConfig(Json.parse("""
                {"_class_name": "UNet2DModel", "sample_size": 8, "in_channels": 1, "out_channels": 1,
                 "down_block_types": ["DownBlock2D", "AttnDownBlock2D"],
                 "up_block_types": ["AttnUpBlock2D", "UpBlock2D"],
                 "block_out_channels": [4, 8], "layers_per_block": 1, "norm_num_groups": 2, "attention_head_dim": 4}
                """, "test"), "test");
        Random random = new Random(1);
        for (Tensor parameter : model.parameters().all()) {
            float[] values = new float[parameter.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = (float) random.nextGaussian();
            }
            weights.put(parameter.name(), values);
        }
        ObjectNode scheduler = Json.object().put("_class_name", "DDPMScheduler");
        ModelFolder.write(
                folder,
                model,
                "DDPMPipeline",
                scheduler,
                Json.object(),
                tensor -> Objects.requireNonNull(weights.get(tensor.name())),
                DType.F32);
    }

    @Test
    void readsWhatItWrote() {
        checkWeights();
    }

    @Test
    void readsTheHalfPrecisionVariant() throws IOException {
        Files.move(unet.resolve(WEIGHTS), unet.resolve("diffusion_pytorch_model.fp16.safetensors"));
        checkWeights();
    }

    @Test
    void readsShards() throws IOException {
        shard("diffusion_pytorch_model-%05d-of-00002.safetensors", WEIGHTS + ".index.json");
        checkWeights();
    }

    @Test
    void readsShardsOfTheHalfPrecisionVariant() throws IOException {
        shard("diffusion_pytorch_model.fp16-%05d-of-00002.safetensors", WEIGHTS + ".index.fp16.json");
        checkWeights();
    }

    @Test
    void readsOldNamesOfAttention() {
        rewrite(name -> name.contains("attentions.")
                ? name.replace("to_q", "query")
                        .replace("to_k", "key")
                        .replace("to_v", "value")
                        .replace("to_out.0", "proj_attn")
                : name);
        checkWeights();
    }

    @Test
    void namesWhatDoesNotMatch() {
        rewrite(name -> name.equals("conv_in.bias") ? "conv_in.offset" : name);
        assertThatThrownBy(this::checkWeights)
                .hasMessageContaining("missing conv_in.bias")
                .hasMessageContaining("unexpected conv_in.offset");
        ModelFolder opened = ModelFolder.open(folder);
        assertThat(opened.weights().problems(opened.model().parameters()))
                .containsExactly("missing conv_in.bias", "unexpected conv_in.offset");
    }

    @Test
    void refusesAParameterUnderBothNames() {
        weights.put("mid_block.attentions.0.query.weight", new float[] {1});
        rewrite(name -> name);
        assertThatThrownBy(this::checkWeights).hasMessageContaining("both").hasMessageContaining("query");
    }

    private void checkWeights() {
        ModelFolder opened = ModelFolder.open(folder);
        Map<String, float[]> read = new HashMap<>();
        opened.weights().load(opened.model().parameters(), (tensor, values) -> {
            float[] array = new float[tensor.size()];
            values.accept(java.lang.foreign.MemorySegment.ofArray(array));
            read.put(tensor.name(), array);
        });
        assertThat(read.keySet()).isEqualTo(weights.keySet());
        read.forEach((name, values) -> assertThat(values).isEqualTo(weights.get(name)));
    }

    private Map<String, TensorData> stored(UnaryOperator<String> rename) {
        Map<String, int[]> shapes = new HashMap<>();
        ModelFolder.open(folder).model().parameters().all().forEach(t -> shapes.put(t.name(), t.shape()));
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        weights.forEach((name, values) -> tensors.put(
                rename.apply(name), TensorData.of(shapes.getOrDefault(name, new int[] {values.length}), values)));
        return tensors;
    }

    private void rewrite(UnaryOperator<String> rename) {
        SafeTensors.write(unet.resolve(WEIGHTS), stored(rename), Map.of(), DType.F32);
    }

    private void shard(String file, String index) throws IOException {
        Map<String, TensorData> tensors = stored(name -> name);
        Files.delete(unet.resolve(WEIGHTS));
        ObjectNode json = Json.object();
        ObjectNode map = json.putObject("weight_map");
        for (int part = 0; part < 2; part++) {
            String name = file.formatted(part + 1);
            Map<String, TensorData> shard = new LinkedHashMap<>();
            int i = 0;
            for (Map.Entry<String, TensorData> tensor : tensors.entrySet()) {
                if (i++ % 2 == part) {
                    shard.put(tensor.getKey(), tensor.getValue());
                    map.put(tensor.getKey(), name);
                }
            }
            SafeTensors.write(unet.resolve(name), shard, Map.of(), DType.F32);
        }
        Json.write(unet.resolve(index), json);
    }
}
