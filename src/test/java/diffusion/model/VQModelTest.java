package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Tensor;
import java.util.Map;
import java.util.Objects;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Look-ups in the codebook against diffusers' VectorQuantizer. */
class VQModelTest {
    @ParameterizedTest
    @ValueSource(strings = {"ldm", "dim"})
    void findsTheSameEntries(String name) {
        Golden golden = Golden.read("vq_" + name);
        VQModel model = new VQModel(VQModel.Config.read(golden.facts().path("config"), name));
        Map<Tensor, float[]> weights = Golden.weights(model.parameters().all());
        float[] codebook = Objects.requireNonNull(weights.get(model.codebook()));
        int[] shape = golden.shape("latent");
        int positions = shape[2] * shape[3];
        int[] found = model.nearest(golden.floats("latent"), codebook, positions);
        float[] indices = golden.floats("indices");
        assertThat(found).hasSameSizeAs(indices);
        for (int i = 0; i < found.length; i++) {
            assertThat((float) found[i]).isEqualTo(indices[i]);
        }
        assertThat(model.quantize(golden.floats("latent"), codebook, positions)).isEqualTo(golden.floats("quantized"));
    }

    @Test
    void refusesWhatIsNotSupported() {
        ObjectNode config = (ObjectNode) Golden.read("vq_ldm").facts().path("config");
        assertThatThrownBy(() -> Autoencoder.Config.read(config.deepCopy().put("norm_type", "spatial"), "vq"))
                .hasMessageContaining("norm_type")
                .hasMessageContaining("spatial");
        assertThatThrownBy(() -> Autoencoder.Config.read(config.deepCopy().put("num_vq_embeddings", 0), "vq"))
                .hasMessageContaining("num_vq_embeddings");
        ObjectNode tiny = (ObjectNode) Golden.read("vae_tiny_plain").facts().path("config");
        tiny.putArray("encoder_block_out_channels").add(8).add(8).add(16);
        assertThatThrownBy(() -> Autoencoder.Config.read(tiny, "tiny")).hasMessageContaining("all the same");
        assertThatThrownBy(() -> Autoencoder.Config.read(config.put("_class_name", "AsymmetricAutoencoderKL"), "x"))
                .hasMessageContaining("AsymmetricAutoencoderKL");
    }
}
