package diffusion.io;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class MaskTest {
    private static Picture row(int... levels) {
        byte[] data = new byte[levels.length];
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) levels[i];
        }
        return new Picture(1, 1, data.length, data);
    }

    @Test
    void greyIsWhiteFromTheMiddleOn() {
        assertThat(Mask.of(row(0, 127, 128, 255)).picture()).isEqualTo(row(0, 0, 255, 255));
        assertThat(Mask.of(row(0, 127)).isEmpty()).isTrue();
        assertThat(Mask.of(row(0, 128)).isEmpty()).isFalse();
    }

    @Test
    void featheringRisesInsideTheMaskAndKeepsWhatWasKept() {
        Mask soft =
                Mask.of(row(0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255)).feathered(2);
        byte[] data = soft.picture().data();
        for (int i = 0; i < data.length; i++) {
            int now = data[i] & 0xff;
            assertThat(now == 0).isEqualTo(i < 4);
            if (i > 4) {
                assertThat(now).isGreaterThanOrEqualTo(data[i - 1] & 0xff);
            }
        }
        assertThat(data[4] & 0xff).isBetween(1, 200);
        assertThat(data[11] & 0xff).isEqualTo(255);
        Mask hard = Mask.of(row(0, 255));
        assertThat(hard.feathered(0)).isSameAs(hard);
    }

    @Test
    void blendingKeepsBlackAndTakesWhiteToTheBit() {
        Mask mask = new Mask(row(0, 255, 51));
        assertThat(mask.blend(row(10, 20, 100), row(77, 88, 200))).isEqualTo(row(77, 20, 180));
    }

    @Test
    void expandingContinuesThePictureAndMasksTheBorders() {
        Picture picture = new Picture(1, 2, 2, new byte[] {1, 2, 3, 4});
        assertThat(picture.expand(1, 0, 2, 1).data()).containsExactly(1, 1, 2, 2, 2, 3, 3, 4, 4, 4, 3, 3, 4, 4, 4);
        Picture none = Mask.none(picture);
        assertThat(Mask.expanded(none, 1, 0, 2, 1).data())
                .containsExactly(-1, 0, 0, -1, -1, -1, 0, 0, -1, -1, -1, -1, -1, -1, -1);
    }
}
