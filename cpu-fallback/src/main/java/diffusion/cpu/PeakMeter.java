package diffusion.cpu;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorSpecies;

/**
 * What no kernel on these threads can exceed: the rate of fused multiply-adds that never leave the registers, and that of
 * copies between arrays too large for any cache.
 *
 * <p>Twelve sums do not wait for each other, enough for two units of latency 4 or 5, and with their factors fit into the
 * 16 registers of the narrower vectors too.
 */
public final class PeakMeter implements AutoCloseable {
    private static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;
    private static final int SUMS = 12;
    private static final int LOOPS = 20_000;
    private static final int CALLS = 50;
    private static final int COPIES = 5;
    private static final long COPY_BYTES = 1 << 27;

    private final int threads;
    private final ExecutorService pool;

    /** A meter for so many threads. */
    public PeakMeter(int threads) {
        this.threads = threads;
        pool = Executors.newFixedThreadPool(threads);
    }

    /**
     * Runs the loop on every thread; the sum over the threads of the best rate of each, in operations a second.
     *
     * <p>Each thread times calls far shorter than a time slice: threads that happen to share a processor for a while
     * would otherwise halve the peak and flatter every kernel measured against it.
     */
    public double flops() {
        return total(() -> 2.0 * SUMS * SPECIES.length() * LOOPS / fewestSeconds());
    }

    /** Copies on every thread at once; the bytes read and written a second, the best of a few times. */
    public double bytesPerSecond() {
        double best = 0;
        for (int i = 0; i < COPIES; i++) {
            best = Math.max(best, total(PeakMeter::copyRate));
        }
        return best;
    }

    private double total(Callable<Double> body) {
        List<Future<Double>> parts = new ArrayList<>();
        for (int i = 0; i < threads; i++) {
            parts.add(pool.submit(body));
        }
        try {
            double total = 0;
            for (Future<Double> part : parts) {
                total += part.get();
            }
            return total;
        } catch (InterruptedException | ExecutionException e) {
            throw new IllegalStateException("a measuring loop failed", e);
        }
    }

    private static double copyRate() {
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment from = arena.allocate(COPY_BYTES, 64).fill((byte) 1);
            MemorySegment to = arena.allocate(COPY_BYTES, 64).fill((byte) 2);
            long start = System.nanoTime();
            to.copyFrom(from);
            return 2e9 * COPY_BYTES / (System.nanoTime() - start);
        }
    }

    private static double fewestSeconds() {
        double fewest = Double.MAX_VALUE;
        float total = 0;
        for (int call = 0; call < CALLS; call++) {
            long start = System.nanoTime();
            total += sums(call * 1e-9f);
            fewest = Math.min(fewest, (System.nanoTime() - start) / 1e9);
        }
        if (Float.isNaN(total)) { // uses the sums, so that they are computed
            throw new IllegalStateException("the FMA loop lost its sums");
        }
        return fewest;
    }

    private static float sums(float start) {
        FloatVector a = FloatVector.broadcast(SPECIES, start + 1e-3f);
        FloatVector b = FloatVector.broadcast(SPECIES, start + 1e-3f);
        FloatVector s0 = FloatVector.broadcast(SPECIES, start);
        FloatVector s1 = s0.add(1);
        FloatVector s2 = s0.add(2);
        FloatVector s3 = s0.add(3);
        FloatVector s4 = s0.add(4);
        FloatVector s5 = s0.add(5);
        FloatVector s6 = s0.add(6);
        FloatVector s7 = s0.add(7);
        FloatVector s8 = s0.add(8);
        FloatVector s9 = s0.add(9);
        FloatVector sa = s0.add(10);
        FloatVector sb = s0.add(11);
        for (int i = 0; i < LOOPS; i++) {
            s0 = a.fma(b, s0);
            s1 = a.fma(b, s1);
            s2 = a.fma(b, s2);
            s3 = a.fma(b, s3);
            s4 = a.fma(b, s4);
            s5 = a.fma(b, s5);
            s6 = a.fma(b, s6);
            s7 = a.fma(b, s7);
            s8 = a.fma(b, s8);
            s9 = a.fma(b, s9);
            sa = a.fma(b, sa);
            sb = a.fma(b, sb);
        }
        FloatVector sum = s0.add(s1).add(s2).add(s3).add(s4).add(s5);
        return sum.add(s6).add(s7).add(s8).add(s9).add(sa).add(sb).lane(0);
    }

    @Override
    public void close() {
        pool.shutdown();
    }
}
