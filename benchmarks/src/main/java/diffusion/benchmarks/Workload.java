package diffusion.benchmarks;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import java.util.List;
import java.util.Random;

/**
 * One op with random operands, ready to run again and again; its weights are packed by the first run.
 *
 * @param flops multiplications and additions of one run
 */
record Workload(String name, Graph graph, Program program, double flops) implements AutoCloseable {
    /** y[size, size] = x[size, size] times w[size, size]. */
    static Workload gemm(Backend backend, int size) {
        Graph graph = new Graph("gemm");
        Tensor x = graph.input("x", size, size);
        Tensor w = graph.input("w", size, size);
        graph.output(graph.linear(x, w, null));
        return of(backend, "SGEMM %1$dx%1$dx%1$d".formatted(size), graph, 2.0 * size * size * size, x, w);
    }

    /** One picture[channels, size, size] under a 3x3 convolution to as many channels, padded by 1. */
    static Workload convolution(Backend backend, int channels, int size) {
        Graph graph = new Graph("conv");
        Tensor x = graph.input("x", 1, channels, size, size);
        Tensor w = graph.input("w", channels, channels, 3, 3);
        graph.output(graph.conv2d(x, w, null, Window.of(1, 1)));
        double flops = 2.0 * 9 * channels * channels * size * size;
        return of(backend, "conv 3x3, %d channels, %2$dx%2$d".formatted(channels, size), graph, flops, x, w);
    }

    private static Workload of(Backend backend, String name, Graph graph, double flops, Tensor... inputs) {
        Program program = backend.compile(List.of(graph));
        Random random = new Random(1);
        for (Tensor input : inputs) {
            float[] values = new float[input.size()];
            for (int i = 0; i < values.length; i++) {
                values[i] = random.nextFloat() - 0.5f;
            }
            program.write(input, values);
        }
        return new Workload(name, graph, program, flops);
    }

    void run() {
        program.run(graph);
    }

    @Override
    public void close() {
        program.close();
    }
}
