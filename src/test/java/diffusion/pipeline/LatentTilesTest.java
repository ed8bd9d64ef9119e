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

/** Tiles against diffusers' AutoencoderKL.tiled_decode and tiled_encode. */
class LatentTilesTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private WeightSource weights(AutoencoderKL.Config config) {
        Map<String, TensorData> tensors = new LinkedHashMap<>();
        Golden.weights(new AutoencoderKL(config).parameters().all())
                .forEach((tensor, values) -> tensors.put(tensor.name(), TensorData.of(tensor.shape(), values)));
        SafeTensors.write(folder.resolve("model.safetensors"), tensors, Map.of(), DType.F32);
        return WeightSource.inFolder(folder);
    }

    @ParameterizedTest
    @ValueSource(strings = {"sd", "no_quant", "no_attention"})
    void tilesAgree(String name) {
        Golden golden = Golden.read("vae_" + name);
        AutoencoderKL.Config config = AutoencoderKL.Config.read(golden.facts().path("config"), name);
        WeightSource weights = weights(config);
        int[] latent = golden.shape("wide");
        try (LatentDecoder decoder =
                new LatentDecoder(new ReferenceBackend(), config, weights, latent[2], latent[3], true)) {
            Golden.assertClose(name, decoder.decode(golden.floats("wide")), golden.floats("wide_tiled"), 1e-5);
        }
        int[] picture = golden.shape("picture");
        try (LatentEncoder encoder =
                new LatentEncoder(new ReferenceBackend(), config, weights, picture[2], picture[3], true)) {
            Golden.assertClose(name, encoder.moments(golden.floats("picture")), golden.floats("picture_tiled"), 1e-5);
        }
    }
}
