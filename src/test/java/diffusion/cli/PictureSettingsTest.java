package diffusion.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import diffusion.io.Images;
import diffusion.io.Picture;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class PictureSettingsTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private PictureSettings read(String text) {
        Path file = folder.resolve("a.png");
        Images.writePng(file, new Picture(1, 1, 1, new byte[1]), Map.of("parameters", text));
        return PictureSettings.read(file);
    }

    @Test
    void readsWhatIsWritten() {
        List<String> prompts = List.of("a \"red\" house, by the sea: calm", "two\nlines, \\ and ü", "\"said\" she");
        List<String> loras = List.of("Black & White.safetensors:0.8", "C:\\styles\\a, b.safetensors");
        Map<String, Object> fields = new LinkedHashMap<>(Map.of("Steps", 3));
        fields.put("Seed", Long.MIN_VALUE);
        fields.put("CFG scale", 1e-9);
        PictureSettings.putPrompts(fields, prompts);
        PictureSettings.putAll(fields, "LoRA", loras);
        PictureSettings settings = read(Images.parameters(prompts.getFirst(), "dark", fields));
        assertThat(settings.prompts()).isEqualTo(prompts);
        assertThat(settings.negative()).isEqualTo("dark");
        assertThat(settings.all("LoRA")).isEqualTo(loras);
        assertThat(settings.all("Embedding")).isEmpty();
        assertThat(settings.whole("Seed")).isEqualTo(Long.MIN_VALUE);
        assertThat(settings.number("CFG scale")).isEqualTo(1e-9);
        assertThat(settings.whole("Clip skip")).isNull();
        assertThat(settings.unknown()).isEmpty();
    }

    @Test
    void namesWhatOtherProgramsSayThatIsNotFollowed() {
        PictureSettings settings = read("""
                a house <lora:style:0.8>
                Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 1234567890123456789, \
                Size: 512x768, Model hash: 6ce0161689, VAE: sharp.ckpt, Lora hashes: "style: 1234", Version: v1.9.4""");
        assertThat(settings.sampler()).isEqualTo("DPM++ 2M Karras");
        assertThat(settings.whole("Seed")).isEqualTo(1234567890123456789L);
        assertThat(settings.unknown()).containsExactly("VAE", "Lora hashes");
        assertThat(read("a\nSteps: 2, Schedule type: Beta").unknown()).containsExactly("Schedule type");
    }

    @ParameterizedTest
    @ValueSource(strings = {"99999999999999999999", "x", "1.5", ""})
    void aSeedThatIsNoneIsNotReplacedByAnother(String seed) {
        assertThatThrownBy(
                        () -> read("a\nSteps: 2, Seed: " + seed + ", Size: 8x8").whole("Seed"))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("expected a whole number for Seed, found \"" + seed + "\"");
    }

    @Test
    void quotedValuesMayBeOfAnyLength() {
        String letters = "a, \"b\": c ".repeat(20_000);
        Map<String, Object> fields = new LinkedHashMap<>(Map.of("Steps", 7));
        fields.put("Note", letters);
        PictureSettings settings = read(Images.parameters("a cat", "a dog", fields));
        assertThat(settings.fields()).containsEntry("Note", letters).containsEntry("Steps", "7");
        assertThat(settings.prompt()).isEqualTo("a cat");
        assertThat(settings.negative()).isEqualTo("a dog");
    }
}
