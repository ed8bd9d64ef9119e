package diffusion.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A fixed set of threads that run the same step together, part by part.
 *
 * <p>A step has a fixed number of parts, a few for each thread; whoever is free claims the next one. The caller claims too
 * and waits only for parts that others have begun, so a thread that the machine keeps busy elsewhere holds up nothing.
 * Idle threads spin for a moment and then park. Nothing is allocated per step.
 */
final class Crew {
    /** One parallel step; called once for every part. */
    @FunctionalInterface
    interface Step {
        void run(int part, int parts);

        /** Whether there is anything to do; asked before the threads are woken. */
        default boolean needed() {
            return true;
        }

        /** Called once when all parts are done. */
        default void finished() {}
    }

    private static final int SPINS = 20_000;
    private static final int PARTS_PER_THREAD = 4;

    private final int size;
    private final int parts;
    private final Worker[] threads;
    private final AtomicInteger parked = new AtomicInteger();
    /** Number of the step in the upper half, its next part in the lower: a claim can only hit the step it saw. */
    private final AtomicLong claim = new AtomicLong(Integer.MAX_VALUE);

    private final AtomicInteger done = new AtomicInteger();
    private @Nullable Step step; // published by claim
    private volatile @Nullable Throwable failure;

    Crew(int size) {
        this.size = size;
        parts = size == 1 ? 1 : size * PARTS_PER_THREAD;
        threads = new Worker[size - 1];
        for (int i = 0; i < threads.length; i++) {
            threads[i] = new Worker(i + 1, this::work);
        }
        for (Worker thread : threads) {
            thread.start();
        }
    }

    /** A thread of a crew, which knows its number; 0 is whoever called {@link #run}. */
    private static final class Worker extends Thread {
        final int number;

        Worker(int number, Runnable work) {
            super(work, "diffusion-cpu-" + number);
            this.number = number;
            setDaemon(true);
        }
    }

    /** Number of the current thread in its crew, from 0: there is one of each in a step at any time. */
    static int worker() {
        return Thread.currentThread() instanceof Worker worker ? worker.number : 0;
    }

    int size() {
        return size;
    }

    /** First of {@code n} items in a part; its end is the next part's first. */
    static int from(int n, int part, int parts) {
        return (int) ((long) n * part / parts);
    }

    /** Runs a step and returns when all of its parts are done. */
    synchronized void run(Step next) {
        if (!next.needed()) {
            return;
        }
        step = next;
        done.set(0);
        claim.set(((claim.get() >>> 32) + 1) << 32);
        if (parked.get() > 0) {
            for (Worker thread : threads) {
                LockSupport.unpark(thread);
            }
        }
        while (runPart()) {
            // until every part is claimed
        }
        while (done.get() < parts) {
            Thread.onSpinWait();
        }
        Throwable cause = failure;
        if (cause != null) {
            failure = null;
            throw new IllegalStateException("a kernel failed", cause);
        }
        next.finished();
    }

    /** Claims a part and runs it; false if there was none. */
    private boolean runPart() {
        long seen = claim.get();
        int part = (int) seen;
        if (part >= parts) {
            return false;
        }
        if (!claim.compareAndSet(seen, seen + 1)) {
            return true;
        }
        try {
            Step current = step;
            if (current != null) {
                current.run(part, parts);
            }
        } catch (RuntimeException | Error e) {
            failure = e;
        }
        done.incrementAndGet();
        return true;
    }

    private void work() {
        int spins = 0;
        while (true) {
            if (runPart()) {
                spins = 0;
            } else if (++spins < SPINS) {
                Thread.onSpinWait();
            } else {
                parked.incrementAndGet();
                // A step published since the last look is seen here or unparks this thread.
                if ((int) claim.get() >= parts) {
                    LockSupport.park(this);
                }
                parked.decrementAndGet();
                spins = 0;
            }
        }
    }
}
