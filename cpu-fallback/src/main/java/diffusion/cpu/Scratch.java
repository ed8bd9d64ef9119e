package diffusion.cpu;

/** Working memory of the steps of a program: steps say what they need while they are built, addresses follow. */
final class Scratch {
    private final int workers;
    private long sharedBytes;
    private long workerBytes;
    private long base;

    Scratch(int workers) {
        this.workers = workers;
    }

    int workers() {
        return workers;
    }

    /** Reserves {@code floats} that all workers see during a step and its direct successors of the same op. */
    void reserveShared(long floats) {
        sharedBytes = Math.max(sharedBytes, align(floats));
    }

    /** Reserves {@code floats} for each worker. */
    void reserveWorker(long floats) {
        workerBytes = Math.max(workerBytes, align(floats));
    }

    long bytes() {
        return sharedBytes + workerBytes * workers + 4096;
    }

    void place(long address) {
        base = address;
    }

    long shared() {
        return base;
    }

    /** What the current worker has for itself until its part of a step is done. */
    long worker() {
        return base + sharedBytes + Crew.worker() * workerBytes;
    }

    /** Whole cache lines, plus room to read and write past the end. */
    private static long align(long floats) {
        return (floats * Float.BYTES + 63) / 64 * 64 + 1024;
    }
}
