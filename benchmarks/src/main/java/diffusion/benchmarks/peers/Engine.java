package diffusion.benchmarks.peers;

/** What computes rows; one for each row and process. Implementations are found by {@link java.util.ServiceLoader}. */
public interface Engine extends AutoCloseable {
    /**
     * What is known of a loaded row.
     *
     * @param version the engine's, with what matters of its hardware
     * @param flops multiplications and additions of a run by their definition; 0 if not known
     * @param bytes what the ops read and write, each value once an op; 0 if not known
     */
    record Loaded(String version, double flops, double bytes) {}

    /** The name it is chosen by. */
    String name();

    /** Whether there is a graph of the row for it. */
    boolean has(Row row);

    /** Loads weights and inputs, to run on so many threads. */
    Loaded load(Row row, int threads);

    /** One run. */
    void run();

    /** The output of the last run. */
    float[] output();

    @Override
    void close();
}
