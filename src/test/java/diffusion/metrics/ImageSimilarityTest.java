package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.model.Golden;
import diffusion.scheduler.TorchRandom;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Pictures whose similarity follows from the formulas by hand. */
class ImageSimilarityTest {
    private static final double C1 = 1e-4;
    private static final double C2 = 9e-4;

    private static float[] constant(int n, float value) {
        float[] picture = new float[n];
        Arrays.fill(picture, value);
        return picture;
    }

    @Test
    void differenceOfATenthIsTwentyDecibels() {
        float[] a = constant(50, 0.5f);
        float[] b = constant(50, 0.6f);
        assertThat(ImageSimilarity.mse(a, b)).isCloseTo(0.01, within(1e-8));
        assertThat(ImageSimilarity.psnr(a, b)).isCloseTo(20, within(1e-5));
        assertThat(ImageSimilarity.psnr(a, a)).isEqualTo(Double.POSITIVE_INFINITY);
    }

    @Test
    void equalPicturesAreFullySimilar() {
        Random random = new Random(7);
        float[] a = new float[3 * 12 * 15];
        for (int i = 0; i < a.length; i++) {
            a[i] = random.nextFloat();
        }
        assertThat(ImageSimilarity.ssim(a, a, 3, 12, 15)).isCloseTo(1, within(1e-12));
    }

    @Test
    void constantPicturesDifferInLuminanceOnly() {
        double expected = (2 * 0.2 * 0.6 + C1) / (0.2 * 0.2 + 0.6 * 0.6 + C1);
        assertThat(ImageSimilarity.ssim(constant(208, 0.2f), constant(208, 0.6f), 1, 13, 16))
                .isCloseTo(expected, within(1e-6));
    }

    @Test
    void onePointInOneWindowShowsTheGaussian() {
        float[] a = new float[121];
        a[5 * 11 + 5] = 1;
        float[] b = new float[121];
        double sum = 0;
        for (int k = -5; k <= 5; k++) {
            sum += Math.exp(-k * k / 4.5); // 2 * 1.5^2
        }
        double w = 1 / (sum * sum); // the weight of the centre is the mean of a and of a * a
        double expected = C1 * C2 / ((w * w + C1) * (w - w * w + C2));
        assertThat(ImageSimilarity.ssim(a, b, 1, 11, 11)).isCloseTo(expected, within(1e-9));
    }

    @Test
    void asScikitImageMeasures() {
        Golden golden = Golden.read("restoration");
        float[] a = golden.floats("a");
        float[] b = golden.floats("b");
        assertThat(ImageSimilarity.mse(a, b)).isCloseTo(figure(golden, "mse"), within(1e-9));
        assertThat(ImageSimilarity.psnr(a, b)).isCloseTo(figure(golden, "psnr"), within(1e-6));
        assertThat(ImageSimilarity.ssim(a, b, 3, 24, 28)).isCloseTo(figure(golden, "ssim"), within(1e-6));
    }

    /** The pictures of scripts/golden/restoration.py: squares of 16 pixels in two channels, and noise. */
    @Test
    void multipleScalesAsTorchComputesThem() {
        float[] coarse = new float[2 * 11 * 12];
        new TorchRandom(3).uniform(coarse);
        float[] b = new float[2 * 176 * 192];
        new TorchRandom(4).uniform(b);
        float[] a = new float[b.length];
        for (int i = 0; i < a.length; i++) {
            a[i] = coarse[i / 192 / 16 * 12 + i % 192 / 16];
            b[i] = 0.8f * a[i] + 0.2f * b[i];
        }
        double expected = figure(Golden.read("restoration"), "ms_ssim");
        assertThat(expected).isBetween(0.3, 0.999);
        assertThat(ImageSimilarity.msSsim(a, b, 2, 176, 192)).isCloseTo(expected, within(1e-6));
        assertThatThrownBy(() -> ImageSimilarity.msSsim(a, b, 2, 175, 192))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("176 x 176");
    }

    private static double figure(Golden golden, String name) {
        return golden.facts().path(name).doubleValue();
    }

    @Test
    void smallerThanTheWindow() {
        assertThatThrownBy(() -> ImageSimilarity.ssim(new float[100], new float[100], 1, 10, 10))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("11 x 11");
    }
}
