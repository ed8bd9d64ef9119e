package diffusion.metrics;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.model.Golden;
import org.junit.jupiter.api.Test;

class KernelDistanceTest {
    @Test
    void twoPointsEachByHand() {
        double[][] a = {{0}, {1}}; // kernel of the pair: 1
        double[][] b = {{2}, {-1}}; // kernel of the pair: (1 - 2)^3 = -1
        double cross = (1 + 1 + 27 + 0) / 4.0;
        assertThat(KernelDistance.between(a, b)).isCloseTo(1 - 1 - 2 * cross, within(1e-12));
    }

    @Test
    void asTorchComputesIt() {
        Golden golden = Golden.read("restoration");
        assertThat(KernelDistance.between(rows(golden, "kid_x"), rows(golden, "kid_y")))
                .isCloseTo(golden.facts().path("kid").doubleValue(), within(1e-6));
    }

    private static double[][] rows(Golden golden, String name) {
        float[] values = golden.floats(name);
        int width = golden.shape(name)[1];
        double[][] rows = new double[values.length / width][width];
        for (int i = 0; i < values.length; i++) {
            rows[i / width][i % width] = values[i];
        }
        return rows;
    }
}
