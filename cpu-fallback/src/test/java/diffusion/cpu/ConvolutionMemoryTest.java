package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import java.util.List;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** A worker lays out only the rows of a picture that its tiles read: an eighth of a VAE's 1024 x 1024 has 67 MB. */
class ConvolutionMemoryTest {
    private static final int MORE_WORKERS = 8;

    @ParameterizedTest
    @CsvSource({"128, 2, 0", "3, 1, 1"})
    void aWorkerTakesAFewMegabytes(int outChannels, int stride, int top) {
        Graph g = new Graph("layer");
        Tensor x = g.input("x", 1, 128, 128, 1024);
        Tensor w = g.state("w", outChannels, 128, 3, 3);
        g.output(g.conv2d(x, w, g.state("b", outChannels), new Window(stride, top, top, 1, 1)));
        long one = bytes(g, 1);
        assertThat(one).isGreaterThan((long) x.size() * Float.BYTES);
        assertThat((bytes(g, 1 + MORE_WORKERS) - one) / MORE_WORKERS).isLessThan(5L << 20);
    }

    private static long bytes(Graph g, int threads) {
        try (Program program = new CpuBackend(threads).compile(List.of(g))) {
            return program.memoryBytes();
        }
    }
}
