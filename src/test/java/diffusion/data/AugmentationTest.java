package diffusion.data;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.stream.IntStream;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class AugmentationTest {
    private static final int SIDE = 7;

    private static float[] image() {
        float[] image = new float[3 * SIDE * SIDE];
        for (int i = 0; i < image.length; i++) {
            image[i] = (i * 37 % 100) / 50f - 1;
        }
        return image;
    }

    private static float[] apply(Augmentation augmentation, long index) {
        float[] image = image();
        augmentation.apply(image, 0, 3, SIDE, SIDE, 5, 2, index);
        return image;
    }

    @Test
    void dependsOnSeedEpochAndIndexAlone() {
        Augmentation all = new Augmentation(2, true, 15, 0.1, 0.2, 0.2, 0.2);
        assertThat(apply(all, 3)).isEqualTo(apply(all, 3)).isNotEqualTo(apply(all, 4));
        float[] otherEpoch = image();
        all.apply(otherEpoch, 0, 3, SIDE, SIDE, 5, 3, 3);
        assertThat(otherEpoch).isNotEqualTo(apply(all, 3));
        for (float value : apply(all, 3)) {
            assertThat(value).isBetween(-1f, 1f);
        }
        assertThat(apply(Augmentation.NONE, 3)).isEqualTo(image());
    }

    @Test
    void flipMirrorsHalfOfThePictures() {
        float[] mirrored = image();
        for (int i = 0; i < mirrored.length; i++) {
            mirrored[i] = image()[i / SIDE * SIDE + SIDE - 1 - i % SIDE];
        }
        Augmentation flip = new Augmentation(0, true, 0, 0, 0, 0, 0);
        long flipped = LongStream.range(0, 1000)
                .filter(i -> Arrays.equals(apply(flip, i), mirrored))
                .count();
        long kept = LongStream.range(0, 1000)
                .filter(i -> Arrays.equals(apply(flip, i), image()))
                .count();
        assertThat(flipped + kept).isEqualTo(1000);
        assertThat(flipped).isBetween(430L, 570L);
    }

    @Test
    void croppingShiftsByWholePixelsAndFillsWithBlack() {
        Set<List<Integer>> seen = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            float[] dot = new float[SIDE * SIDE];
            Arrays.fill(dot, -1);
            dot[3 * SIDE + 3] = 0.7f;
            new Augmentation(1, false, 0, 0, 0, 0, 0).apply(dot, 0, 1, SIDE, SIDE, 0, 0, i);
            assertThat(dot).containsOnly(-1, 0.7f);
            int at = IntStream.range(0, dot.length)
                    .filter(k -> dot[k] != -1)
                    .findFirst()
                    .orElseThrow();
            seen.add(List.of(at / SIDE - 3, at % SIDE - 3));
        }
        assertThat(seen).hasSize(9).allMatch(shift -> Math.abs(shift.get(0)) <= 1 && Math.abs(shift.get(1)) <= 1);
    }

    @Test
    void brightnessScalesAndGreyStaysGrey() {
        float[] grey = new float[3 * SIDE * SIDE];
        new Augmentation(0, false, 0, 0, 0.5, 0, 0.5).apply(grey, 0, 3, SIDE, SIDE, 1, 1, 1);
        assertThat(grey[0]).isNotEqualTo(0).isBetween(-0.5f, 0.5f);
        for (float value : grey) {
            assertThat(value).isCloseTo(grey[0], within(1e-6f));
        }
    }

    @Test
    void impossibleRangesAreRefused() {
        assertThatThrownBy(() -> new Augmentation(0, false, 200, 0, 0, 0, 0))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("rotation 200.0, expected 0 to 180.0");
        assertThatThrownBy(() -> new Augmentation(0, false, Double.NaN, 0, 0, 0, 0))
                .isInstanceOf(DiffusionException.class);
    }
}
