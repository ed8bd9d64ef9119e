package diffusion.restore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import org.junit.jupiter.api.Test;

class PicturesTest {
    @Test
    void repeatsPixelsAsFarAsAnArrayHoldsThem() {
        Pictures small = new Pictures(1, 1, 1, 2, new float[] {1, 2});
        assertThat(small.repeat(2).values()).containsExactly(1, 1, 2, 2, 1, 1, 2, 2);
        assertThatThrownBy(() -> small.repeat(40_000))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("2 x 1 pixels")
                .hasMessageContaining("enlarged 40000 times");
    }
}
