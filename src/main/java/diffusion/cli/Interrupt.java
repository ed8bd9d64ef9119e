package diffusion.cli;

import diffusion.io.AtomicFiles;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;

/**
 * Ctrl-C as a flag: work that asks {@link #getAsBoolean} between steps stops there and cleans up before the process exits.
 *
 * <p>The JVM exits with 130 after SIGINT (143 after SIGTERM) as soon as its shutdown hooks return; that of {@link AtomicFiles}
 * waits for the work to end before it deletes what is half-written.
 */
final class Interrupt implements BooleanSupplier, AutoCloseable {
    private static final int PATIENCE_SECONDS = 60;

    private final CountDownLatch finished = new CountDownLatch(1);
    private final Runnable stopping = this::stop;
    private volatile boolean stopped;

    Interrupt() {
        AtomicFiles.beforeCleaning(stopping);
    }

    private void stop() {
        stopped = true;
        try {
            if (!finished.await(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                System.err.println("diffusion: gave up waiting for the current step");
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public boolean getAsBoolean() {
        return stopped;
    }

    /** The work has ended; call it after everything is written. */
    @Override
    public void close() {
        finished.countDown();
        AtomicFiles.notBeforeCleaning(stopping);
    }
}
