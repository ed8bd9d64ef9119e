package diffusion.benchmarks;

import diffusion.cpu.CpuBackend;
import java.util.Objects;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Level;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.TearDown;
import org.openjdk.jmh.annotations.Warmup;

/** Time of one matrix product or 3x3 convolution through the cpu backend on all threads, weights packed beforehand. */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(
        value = 1,
        jvmArgsAppend = {"--add-modules=jdk.incubator.vector", "--enable-native-access=ALL-UNNAMED"})
public class GemmBenchmark {
    /** "gemm size", or "conv channels size". */
    @Param({"gemm 1024", "conv 64 64", "conv 128 32", "conv 320 32"})
    public String shape = "";

    private @Nullable Workload workload;

    /** Compiles the graph. */
    @Setup(Level.Trial)
    public void compile() {
        String[] words = shape.split(" ", -1);
        CpuBackend backend = new CpuBackend();
        int size = Integer.parseInt(words[1]);
        workload = words[0].equals("gemm")
                ? Workload.gemm(backend, size)
                : Workload.convolution(backend, size, Integer.parseInt(words[2]));
    }

    /** One run. */
    @Benchmark
    public void run() {
        Objects.requireNonNull(workload).run();
    }

    /** Frees the memory. */
    @TearDown(Level.Trial)
    public void close() {
        Objects.requireNonNull(workload).close();
    }
}
