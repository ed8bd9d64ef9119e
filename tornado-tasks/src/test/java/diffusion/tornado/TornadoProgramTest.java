package diffusion.tornado;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.backend.Backend.Peak;
import diffusion.backend.BackendException;
import diffusion.backend.Program;
import diffusion.backend.Program.Usage;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import java.util.List;
import org.junit.jupiter.api.Test;

class TornadoProgramTest {
    private final TornadoBackend backend = new TornadoBackend();

    /** As TornadoVM's own profiler sees it. */
    @Test
    void weightsTravelOnceAndKernelsAreCompiledOnce() {
        Graph graph = new Graph("convolution");
        Tensor x = graph.input("x", 1, 16, 8, 8);
        Tensor w = new Tensor("w", Tensor.Role.PARAMETER, 64, 16, 3, 3);
        Tensor y = graph.output(graph.conv2d(x, w, null, Window.of(1, 1)));
        long weights = 4L * w.size();
        try (Program program = backend.compile(List.of(graph))) {
            program.measure(true);
            program.write(w, new float[w.size()]);
            program.write(x, new float[x.size()]);
            program.run(graph);
            Usage first = program.usage();
            assertThat(first.compileNanos()).isPositive();
            assertThat(first.bytesToDevice()).isGreaterThan(weights);
            for (int step = 0; step < 3; step++) {
                program.write(x, new float[x.size()]);
                program.run(graph);
            }
            Usage later = program.usage().since(first);
            assertThat(later.compileNanos()).isZero();
            assertThat(later.bytesToDevice()).isPositive().isLessThan(3 * weights);
            assertThat(later.bytesFromDevice()).isZero();
            program.read(y);
            assertThat(program.usage().since(first).bytesFromDevice()).isGreaterThanOrEqualTo(4L * y.size());
        }
    }

    @Test
    void refusesWhatDoesNotFitTheDevice() {
        Graph graph = new Graph("large");
        Tensor x = graph.input("x", 1 << 30);
        graph.output(graph.scale(graph.scale(x, 2), 3));
        assertThatThrownBy(() -> backend.compile(List.of(graph)))
                .isInstanceOf(BackendException.class)
                .hasMessageContaining("the model needs 12288.0 MiB")
                .hasMessageContaining("--backend cpu");
    }

    @Test
    void measuresAPeakThatIsPossible() {
        Peak peak = backend.peak().orElseThrow();
        assertThat(peak.flops()).isBetween(1e8, 1e16);
        assertThat(peak.bytesPerSecond()).isBetween(1e7, 1e14);
    }
}
