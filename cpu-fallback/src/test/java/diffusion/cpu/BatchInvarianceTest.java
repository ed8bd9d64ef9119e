package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Pictures come out the same, bit for bit, alone and in a batch: on every way a convolution can take, and in attention. */
class BatchInvarianceTest {
    private static final int BATCH = 5;

    @ParameterizedTest
    @CsvSource({"7, 9", "8, 8", "19, 33", "16, 16", "64, 64", "61, 50"})
    void aBatchIsItsPictures(int height, int width) {
        float[] together = run(BATCH, 0, height, width);
        int size = together.length / BATCH;
        for (int n = 0; n < BATCH; n++) {
            float[] alone = run(1, n, height, width);
            assertThat(alone).as("picture " + n).isEqualTo(Arrays.copyOfRange(together, n * size, (n + 1) * size));
        }
    }

    private static float[] run(int batch, int first, int height, int width) {
        Graph g = new Graph("net");
        Tensor x = g.input("x", batch, 9, height, width);
        Tensor w = new Tensor("w", Tensor.Role.PARAMETER, 20, 9, 3, 3);
        Tensor bias = new Tensor("bias", Tensor.Role.PARAMETER, 20);
        Tensor h = g.conv2d(x, w, bias, Window.of(1, 1)); // [N, 20, H, W]
        h = g.transpose(g.reshape(h, batch, 20, height * width));
        Tensor y = g.output(g.attention(h, h, h, 2, 0.3f));
        try (Program program = new CpuBackend(3).compile(List.of(g))) {
            float[] values = new float[x.size()];
            int size = x.sizeFrom(1);
            for (int n = 0; n < batch; n++) {
                System.arraycopy(random(size, first + n), 0, values, n * size, size);
            }
            program.write(x, values);
            program.write(w, random(w.size(), 77));
            program.write(bias, random(bias.size(), 78));
            program.run(g);
            return program.read(y);
        }
    }

    private static float[] random(int size, long seed) {
        Random random = new Random(seed);
        float[] values = new float[size];
        for (int i = 0; i < size; i++) {
            values[i] = (float) random.nextGaussian();
        }
        return values;
    }
}
