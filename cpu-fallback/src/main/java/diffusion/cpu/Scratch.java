package diffusion.cpu;

/** Working memory of the steps of a program: steps say what they need while they are built, addresses follow. */
final class Scratch {
    private long sharedBytes;
    private long workerBytes;
    private long base;

    /** Reserves {@code floats} that all workers see during a step and its direct successors of the same op. */
    void reserveShared(long floats) {
        sharedBytes = Math.max(sharedBytes, align(floats));
    }

    /** Reserves {@code floats} for each worker. */
    void reserveWorker(long floats) {
        workerBytes = Math.max(workerBytes, align(floats));
    }

    long bytes(int workers) {
        return sharedBytes + workerBytes * workers + 4096;
    }

    void place(long address) {
        base = address;
    }

    long shared() {
        return base;
    }

    long worker(int worker) {
        return base + sharedBytes + worker * workerBytes;
    }

    /** Whole cache lines, plus room to read and write past the end. */
    private static long align(long floats) {
        return (floats * Float.BYTES + 63) / 64 * 64 + 1024;
    }
}
