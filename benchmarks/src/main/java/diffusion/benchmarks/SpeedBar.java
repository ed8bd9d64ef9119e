package diffusion.benchmarks;

import diffusion.cpu.CpuBackend;
import diffusion.cpu.PeakMeter;
import java.util.List;
import java.util.function.BooleanSupplier;

/**
 * Measures the matrix product and the 3x3 convolution of the cpu backend against the fused multiply-adds this machine can
 * do, all in one run and taking turns.
 *
 * <p>Each figure is the best of its turns. The peak is the sum of what each thread reaches alone, so work of others on the
 * machine lowers the shares; it never raises them. Exit status 1 if a bar is missed: SGEMM at 60 % of the peak,
 * convolutions no more than a third slower than SGEMM; 2 if SGEMM beat the peak, which voids the run. Convolutions are counted
 * with the products of the direct sum, of which minimal filtering does without most, so they may beat the peak.
 */
public final class SpeedBar {
    private static final double GEMM_BAR = 0.6;
    private static final double CONVOLUTION_BAR = 2.0 / 3;
    private static final double WARM_UP_SECONDS = 1.0;
    private static final double TURN_SECONDS = 0.1;
    private static final int TURNS = 12;

    private SpeedBar() {}

    /** Prints the table; the one optional argument is the number of threads. */
    @SuppressWarnings("SystemOut")
    public static void main(String[] args) {
        int threads = args.length > 0
                ? Integer.parseInt(args[0])
                : Runtime.getRuntime().availableProcessors();
        CpuBackend backend = new CpuBackend(threads);
        List<Workload> workloads = List.of(
                Workload.gemm(backend, 1024),
                Workload.convolution(backend, 64, 64),
                Workload.convolution(backend, 128, 32),
                Workload.convolution(backend, 320, 32));
        double[] best = new double[workloads.size()];
        double peak = 0;
        try (PeakMeter meter = new PeakMeter(threads)) {
            repeat(WARM_UP_SECONDS, meter::flops);
            for (Workload workload : workloads) {
                repeat(WARM_UP_SECONDS, workload::run);
            }
            for (int turn = 0; turn < TURNS; turn++) {
                long end = System.nanoTime() + (long) (TURN_SECONDS * 1e9);
                while (System.nanoTime() < end) {
                    peak = Math.max(peak, meter.flops());
                }
                for (int i = 0; i < best.length; i++) {
                    Workload workload = workloads.get(i);
                    best[i] = Math.max(best[i], workload.flops() / repeat(TURN_SECONDS, workload::run));
                }
            }
        }
        System.out.println(backend.description());
        System.out.printf("%-34s %8s %9s %9s   %s%n", "", "GFLOP/s", "of peak", "of SGEMM", "bar");
        System.out.printf("%-34s %8.1f%n", "FMA peak, registers only", peak / 1e9);
        boolean met = true;
        for (int i = 0; i < best.length; i++) {
            double ofPeak = best[i] / peak;
            double ofGemm = best[i] / best[0];
            double share = i == 0 ? ofPeak : ofGemm;
            double bar = i == 0 ? GEMM_BAR : CONVOLUTION_BAR;
            met &= share >= bar;
            System.out.printf(
                    "%-34s %8.1f %8.1f%% %8.1f%%   %s: %.0f %% of %s%n",
                    workloads.get(i).name(),
                    best[i] / 1e9,
                    100 * ofPeak,
                    100 * ofGemm,
                    share >= bar ? "met" : "MISSED",
                    100 * bar,
                    i == 0 ? "the peak" : "SGEMM");
        }
        workloads.forEach(Workload::close);
        if (best[0] > peak) {
            System.out.println(
                    "INVALID: SGEMM beat the peak, so the peak was not reached; run again on a quieter machine");
            System.exit(2);
        }
        System.exit(met ? 0 : 1);
    }

    /** Runs for about {@code seconds}; the fewest seconds one run took. */
    private static double repeat(double seconds, Runnable body) {
        long begin = System.nanoTime();
        double fewest = Double.MAX_VALUE;
        BooleanSupplier goOn = () -> System.nanoTime() - begin < seconds * 1e9;
        while (goOn.getAsBoolean()) {
            long start = System.nanoTime();
            body.run();
            fewest = Math.min(fewest, (System.nanoTime() - start) / 1e9);
        }
        return fewest;
    }
}
