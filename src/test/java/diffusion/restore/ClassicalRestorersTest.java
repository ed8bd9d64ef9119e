package diffusion.restore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.io.DiffusionException;
import diffusion.model.Golden;
import org.junit.jupiter.api.Test;

/** Against scikit-image and PyWavelets: the baselines of our tables must be as good as the published ones. */
class ClassicalRestorersTest {
    private static final Golden GOLDEN = Golden.read("restoration");

    /** scikit-image takes a rough exponential function here; with the same one the difference is 6e-8. */
    @Test
    void nonLocalMeans() {
        for (int sigma : new int[] {25, 50}) {
            double s = sigma / 255.0;
            float[] found = NonLocalMeans.denoise(GOLDEN.floats("noisy_" + sigma), 1, 28, 28, s, 0.6 * s);
            Golden.assertClose("sigma " + sigma, found, GOLDEN.floats("nl_means_" + sigma), 4e-3);
        }
    }

    @Test
    void biharmonicWithAHoleInACorner() {
        float[] holes = GOLDEN.floats("holes");
        boolean[] known = new boolean[holes.length];
        float[] picture = GOLDEN.floats("clean").clone();
        for (int i = 0; i < known.length; i++) {
            known[i] = holes[i] == 0;
            picture[i] = known[i] ? picture[i] : Float.NaN; // must not be read
        }
        float[] found = Biharmonic.inpaint(picture, known, 1, 28, 28);
        Golden.assertClose("biharmonic", found, GOLDEN.floats("biharmonic"), 1e-5);
    }

    @Test
    void biharmonicNeedsSomethingKnown() {
        assertThatThrownBy(() -> Biharmonic.inpaint(new float[9], new boolean[9], 1, 3, 3))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("found 9 of 9 pixels unknown");
    }

    @Test
    void noiseOfAPictureWithManyDetails() {
        for (int sigma : new int[] {25, 50}) {
            assertThat(NoiseLevel.wavelet(GOLDEN.floats("noisy_" + sigma), 1, 28, 28))
                    .isCloseTo(GOLDEN.facts().path("estimated_" + sigma).doubleValue(), within(1e-6));
        }
        assertThat(NoiseLevel.wavelet(new float[64], 1, 8, 8)).isZero();
    }
}
