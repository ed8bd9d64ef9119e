package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.jupiter.api.Test;

/** The names diffusers gives to the weights of single-file checkpoints (scripts/golden/single_file.py). */
class OriginalNamesTest {
    private static final Golden GOLDEN = Golden.read("single_file");

    private static void check(String part, WeightSource.Naming naming) {
        Map<String, String> found = new LinkedHashMap<>();
        Map<String, String> expected = new LinkedHashMap<>();
        for (Map.Entry<String, JsonNode> pair : GOLDEN.facts().path(part).properties()) {
            JsonNode value = pair.getValue();
            expected.put(pair.getKey(), value.isTextual() ? value.textValue() : value.toString());
            String stored =
                    value.isTextual() ? value.textValue() : value.path(0).textValue();
            naming.parameters(stored, (name, place) -> {
                if (name.equals(pair.getKey())) {
                    found.put(
                            name,
                            value.isTextual()
                                    ? place.stored()
                                    : "[\"%s\",%d,%d]".formatted(place.stored(), place.index(), place.of()));
                }
            });
        }
        assertThat(expected).isNotEmpty();
        assertThat(found).isEqualTo(expected);
    }

    @Test
    void namesTheUNetOfStableDiffusion() {
        check("unet_sd", OriginalNames.unet(2));
    }

    @Test
    void namesTheUNetOfStableDiffusionXL() {
        check("unet_sdxl", OriginalNames.unet(2));
    }

    @Test
    void namesTheAutoencoder() {
        check("vae", OriginalNames.autoencoder(3));
    }

    @Test
    void namesOpenClip() {
        check("clip", OriginalNames.openClip("conditioner.embedders.1.model.", 3, true));
    }
}
