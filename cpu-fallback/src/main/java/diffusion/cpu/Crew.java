package diffusion.cpu;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.jspecify.annotations.Nullable;

/**
 * A fixed set of threads that run the same step together, part by part.
 *
 * <p>A step has a fixed number of parts, a few for each thread; a thread that is done takes the next one, so that a thread
 * slowed down by other work on the machine does not hold up the rest. The caller is one of the threads. The others wait by spinning for a moment and then parking, so that short steps follow each other
 * without a system call. Nothing is allocated per step.
 */
final class Crew {
    /** One parallel step; called once for every part. */
    @FunctionalInterface
    interface Step {
        void run(int part, int parts);

        /** Whether there is anything to do; asked before the workers are woken. */
        default boolean needed() {
            return true;
        }

        /** Called once when all workers have finished. */
        default void finished() {}
    }

    private static final int SPINS = 20_000;
    private static final int PARTS_PER_THREAD = 4;

    private final int size;
    private final Thread[] threads;
    private final Done[] done;
    private final AtomicInteger nextPart = new AtomicInteger();
    private volatile int epoch;
    private @Nullable Step step;
    private volatile @Nullable Throwable failure;

    /** A worker's progress. */
    private static final class Done {
        private volatile int epoch;
    }

    Crew(int size) {
        this.size = size;
        threads = new Thread[size];
        done = new Done[size];
        for (int i = 1; i < size; i++) {
            int worker = i;
            done[i] = new Done();
            threads[i] = Thread.ofPlatform().daemon().name("diffusion-cpu-" + i).unstarted(() -> work(worker));
        }
        for (int i = 1; i < size; i++) {
            threads[i].start();
        }
    }

    int size() {
        return size;
    }

    /** Parts of every step. */
    int parts() {
        return size == 1 ? 1 : size * PARTS_PER_THREAD;
    }

    /** First of {@code n} items in a part; its end is the next part's first. */
    static int from(int n, int part, int parts) {
        return (int) ((long) n * part / parts);
    }

    /** Runs a step on all workers and returns when all are done. */
    synchronized void run(Step next) {
        if (!next.needed()) {
            return;
        }
        step = next;
        nextPart.set(0);
        int now = epoch + 1;
        epoch = now;
        for (int i = 1; i < size; i++) {
            LockSupport.unpark(threads[i]);
        }
        Throwable mine = null;
        try {
            runParts(next);
        } catch (RuntimeException | Error e) {
            mine = e;
        }
        for (int i = 1; i < size; i++) {
            int spins = 0;
            while (done[i].epoch != now) {
                if (++spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    Thread.yield();
                }
            }
        }
        Throwable other = failure;
        failure = null;
        if (mine != null || other != null) {
            throw new IllegalStateException("a kernel failed", mine != null ? mine : other);
        }
        next.finished();
    }

    private void runParts(Step current) {
        int parts = parts();
        for (int part = nextPart.getAndIncrement(); part < parts; part = nextPart.getAndIncrement()) {
            current.run(part, parts);
        }
    }

    private void work(int worker) {
        int seen = 0;
        while (true) {
            int spins = 0;
            while (epoch == seen) {
                if (++spins < SPINS) {
                    Thread.onSpinWait();
                } else {
                    LockSupport.park(this);
                }
            }
            seen = epoch;
            try {
                Step current = step;
                if (current != null) {
                    runParts(current);
                }
            } catch (RuntimeException | Error e) {
                failure = e;
            }
            done[worker].epoch = seen;
        }
    }
}
