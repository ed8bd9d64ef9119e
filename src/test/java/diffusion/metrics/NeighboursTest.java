package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

/** Sets of points small enough to count by hand. */
class NeighboursTest {
    private static final double[][] LINE = {{0}, {1}, {2}, {3}};

    @Test
    void setIsInsideItselfAndOutsideADistantOne() {
        double[][] far = {{100}, {101}, {102}, {103}};
        assertThat(Neighbours.inside(LINE, LINE, 3)).isEqualTo(1);
        assertThat(Neighbours.inside(LINE, far, 3)).isZero();
        assertThat(Neighbours.inside(far, LINE, 3)).isZero();
    }

    @Test
    void radiusReachesTheKthNeighbour() {
        // the third neighbour of 0 is 3 away, as is that of 3: together they cover [-3, 6]
        assertThat(Neighbours.inside(new double[][] {{-3}, {6}, {-3.01}, {6.01}}, LINE, 3))
                .isEqualTo(0.5);
        // the first neighbours are 1 away: [-1, 4]
        assertThat(Neighbours.inside(new double[][] {{-1}, {4}, {-1.01}, {4.01}}, LINE, 1))
                .isEqualTo(0.5);
    }

    @Test
    void precisionAndRecallDiffer() {
        // samples of one mode of a set with two: all of them good, half of the data never made
        double[][] data = {{0}, {1}, {2}, {3}, {100}, {101}, {102}, {103}};
        assertThat(Neighbours.inside(LINE, data, 3)).isEqualTo(1);
        assertThat(Neighbours.inside(data, LINE, 3)).isEqualTo(0.5);
    }

    @Test
    void meanPairwiseOfARightTriangle() {
        double[][] triangle = {{0, 0}, {3, 0}, {0, 4}};
        assertThat(Neighbours.meanPairwise(triangle)).isCloseTo((3 + 4 + 5) / 3.0, within(1e-12));
    }

    @Test
    void nearestFindsACopyThatDiffersOnlyAtTheEnd() {
        Random random = new Random(5);
        float[] picture = new float[200]; // longer than one block of the early stop
        for (int i = 0; i < picture.length; i++) {
            picture[i] = random.nextFloat();
        }
        float[] close = picture.clone();
        close[199] += 0.25f;
        float[] further = picture.clone();
        further[199] += 0.5f;
        float[] other = new float[200];
        assertThat(Neighbours.nearest(List.of(picture, other), List.of(other, further, close)))
                .containsExactly(2, 0);
        assertThat(Neighbours.rootMeanSquare(picture, close)).isCloseTo(0.25 / Math.sqrt(200), within(1e-6));
    }
}
