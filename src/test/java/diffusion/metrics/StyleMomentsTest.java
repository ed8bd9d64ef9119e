package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import diffusion.backend.reference.ReferenceBackend;
import diffusion.io.Picture;
import diffusion.pipeline.LoadedModel;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Moments of pictures against plain sums. */
class StyleMomentsTest {
    private static final Path CLASSIFIER = LoadedModel.builtInClassifier(3);
    private static final int MAPS = 5; // the picture and four convolutions

    private static Picture picture(long seed, int height, int width) {
        byte[] data = new byte[3 * height * width];
        Random random = new Random(seed);
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) (60 * (i / (height * width)) + random.nextInt(80));
        }
        return new Picture(3, height, width, data);
    }

    @Test
    void theFirstAreThoseOfThePictureItself() {
        Picture picture = picture(1, 12, 20);
        float[] moments = StyleMoments.of(CLASSIFIER, new ReferenceBackend(), List.of(picture))
                .getFirst();
        float[] x = picture.toModel();
        int plane = x.length / 3;
        double weight = 1 / Math.sqrt(MAPS * 3);
        for (int c = 0; c < 3; c++) {
            double sum = 0;
            double squares = 0;
            for (int i = 0; i < plane; i++) {
                sum += x[c * plane + i];
                squares += Math.pow(x[c * plane + i], 2);
            }
            double mean = sum / plane;
            double deviation = Math.sqrt(squares / plane - mean * mean);
            assertThat((double) moments[c]).isCloseTo(weight * mean, offset(1e-5));
            assertThat((double) moments[3 + c]).isCloseTo(weight * deviation, offset(1e-4));
        }
    }

    @Test
    void aShuffledPictureKeepsItsColoursAndAnotherTextureIsFar() {
        Picture noise = picture(1, 16, 16);
        byte[] sorted = noise.data().clone();
        for (int c = 0; c < 3; c++) {
            java.util.Arrays.sort(sorted, 256 * c, 256 * (c + 1));
        }
        Picture smooth = new Picture(3, 16, 16, sorted);
        List<float[]> moments =
                StyleMoments.of(CLASSIFIER, new ReferenceBackend(), List.of(noise, picture(2, 16, 16), smooth));
        for (int i = 0; i < 6; i++) {
            assertThat(moments.get(2)[i]).isCloseTo(moments.getFirst()[i], offset(1e-5f));
        }
        double same = StyleMoments.distance(moments.getFirst(), moments.get(1));
        double other = StyleMoments.distance(moments.getFirst(), moments.get(2));
        assertThat(other).isGreaterThan(4 * same);
        assertThat(StyleMoments.distance(moments.get(2), moments.get(2))).isZero();
    }
}
