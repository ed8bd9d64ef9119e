package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.data.Offset.offset;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Spherical interpolation as Shoemake defines it. */
class InversionTest {
    private static float[] noise(long seed, int size) {
        Random random = new Random(seed);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }

    private static double dot(float[] a, float[] b) {
        double sum = 0;
        for (int i = 0; i < a.length; i++) {
            sum += a[i] * (double) b[i];
        }
        return sum;
    }

    private static double angle(float[] a, float[] b) {
        return Math.acos(dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b)));
    }

    @Test
    void aQuarterOfACircle() {
        float[] third = Inversion.slerp(new float[] {3, 0}, new float[] {0, 3}, 1 / 3.0);
        assertThat(third[0]).isCloseTo((float) (3 * Math.cos(Math.PI / 6)), offset(1e-6f));
        assertThat(third[1]).isCloseTo((float) (3 * Math.sin(Math.PI / 6)), offset(1e-6f));
    }

    @Test
    void keepsTheLengthAndTurnsEvenly() {
        float[] a = noise(1, 500);
        float[] b = noise(2, 500);
        double ratio = Math.sqrt(dot(a, a) / dot(b, b));
        for (int i = 0; i < b.length; i++) {
            b[i] *= (float) ratio;
        }
        assertThat(Inversion.slerp(a, b, 0)).isEqualTo(a);
        assertThat(Inversion.slerp(a, b, 1)).isEqualTo(b);
        for (double t : new double[] {0.1, 0.25, 0.5, 0.8}) {
            float[] between = Inversion.slerp(a, b, t);
            assertThat(dot(between, between)).isCloseTo(dot(a, a), offset(1e-3));
            assertThat(angle(a, between)).isCloseTo(t * angle(a, b), offset(1e-5));
            assertThat(angle(between, b)).isCloseTo((1 - t) * angle(a, b), offset(1e-5));
        }
    }

    @Test
    void isStraightWhereTheAngleSaysNothing() {
        assertThat(Inversion.slerp(new float[] {1, 1}, new float[] {2, 2}, 0.25))
                .containsExactly(1.25f, 1.25f);
        assertThat(Inversion.slerp(new float[] {1, 1}, new float[] {-1, -1}, 0.25))
                .containsExactly(0.5f, 0.5f);
        assertThat(Inversion.slerp(new float[] {0, 0}, new float[] {2, 4}, 0.5)).containsExactly(1, 2);
    }

    @Test
    void aRowStartsAndEndsAtItsEnds() {
        float[] a = {1, 0};
        float[] b = {0, 1};
        List<float[]> row = Inversion.starts(List.of(a, b), 3);
        assertThat(row.getFirst()).isEqualTo(a);
        assertThat(row.get(1)[0]).isEqualTo(row.get(1)[1]).isCloseTo((float) Math.sqrt(0.5), offset(1e-6f));
        assertThat(row.getLast()).isEqualTo(b);
        assertThat(Inversion.starts(List.of(a), 2)).containsExactly(a, a);
    }
}
