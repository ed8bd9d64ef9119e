package diffusion.restore;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.io.DiffusionException;
import diffusion.model.Golden;
import org.junit.jupiter.api.Test;

/** Against scikit-image, OpenCV and PyWavelets: the baselines of our tables must be as good as the published ones. */
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

    /** With finer levels OpenCV's rounding half a level up does not count; with 255, it leads some levels away. */
    @Test
    void teleaAsOpenCv() {
        Golden golden = Golden.read("telea");
        float[] levels = golden.floats("levels");
        float[] holes = golden.floats("holes");
        boolean[] known = new boolean[holes.length];
        for (int i = 0; i < levels.length; i++) {
            known[i % holes.length] = holes[i % holes.length] == 0;
            levels[i] = known[i % holes.length] ? levels[i] : Float.NaN; // must not be read
        }
        int radius = golden.facts().path("radius").intValue();
        double level = 1 / golden.facts().path("fine").doubleValue();
        float[] fine = Telea.inpaint(levels, known, 3, 28, 32, radius, level);
        Golden.assertClose("finer levels", fine, golden.floats("fine"), 1e-4);
        float[] coarse = Telea.inpaint(levels, known, 3, 28, 32, radius, 1);
        double squares = 0;
        int filled = 0;
        for (int i = 0; i < coarse.length; i++) {
            squares += Math.pow(coarse[i] - golden.floats("coarse")[i], 2);
            filled += known[i % holes.length] ? 0 : 1;
        }
        assertThat(Math.sqrt(squares / filled)).isLessThan(4);
        assertThat(fine).isNotEqualTo(coarse);
    }

    @Test
    void teleaAtTheEdgesOfAPicture() {
        float[] y = new float[54];
        boolean[] known = new boolean[54];
        for (int i = 0; i < 54; i++) {
            known[i] = i / 9 > 2 && i % 9 < 6; // one corner and two sides are gone
            y[i] = known[i] ? 5 : Float.NaN;
        }
        assertThat(Telea.inpaint(y, known, 1, 6, 9, 3, 1)).containsOnly(5f);
        assertThatThrownBy(() -> Telea.inpaint(y, new boolean[54], 1, 6, 9, 3, 1))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("found all of 54 pixels unknown");
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
