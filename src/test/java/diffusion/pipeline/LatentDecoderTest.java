package diffusion.pipeline;

import diffusion.backend.reference.ReferenceBackend;
import diffusion.io.DType;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.AutoencoderKL;
import diffusion.model.Golden;
import diffusion.model.WeightSource;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tiles against diffusers' AutoencoderKL.tiled_decode. */
class LatentDecoderTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    @ParameterizedTest
    @ValueSource(strings = {"sd", "no_quant"})
    void tilesAgree(String name) {
        Golden golden = Golden.read("vae_" + name);
        AutoencoderKL.Config config = AutoencoderKL.Config.read(golden.facts().path("config"), name);
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Golden.weights(new AutoencoderKL(config).parameters().all())
                .forEach((tensor, values) -> tensors.put(tensor.name(), TensorData.of(tensor.shape(), values)));
        SafeTensors.write(folder.resolve("model.safetensors"), tensors, Map.of(), DType.F32);
        int[] shape = golden.shape("wide");
        try (LatentDecoder decoder = new LatentDecoder(
                new ReferenceBackend(), config, WeightSource.inFolder(folder), shape[2], shape[3], true)) {
            Golden.assertClose(name, decoder.decode(golden.floats("wide")), golden.floats("wide_tiled"), 1e-5);
        }
    }
}
