package diffusion.data;

import diffusion.io.DiffusionException;

/**
 * Batches of indices, every epoch in another order that depends on (seed, epoch) alone.
 *
 * <p>The rest of an epoch that fills no batch is left out. The state is two numbers, {@link #epoch} and {@link #position}.
 */
public final class BatchSampler {
    private final int size;
    private final int batchSize;
    private final long seed;
    private long epoch;
    private int position;
    private int[] order;

    /** A batch and the epoch it belongs to, which the augmentation of its samples needs. */
    @SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
    public record Batch(long epoch, int[] indices) {}

    /** Starts at epoch 0 over {@code size} samples. */
    public BatchSampler(int size, int batchSize, long seed) {
        if (batchSize < 1 || batchSize > size) {
            throw new DiffusionException("found a batch size of " + batchSize + ", expected 1 to the " + size
                    + " pictures of the data set; choose another batch size");
        }
        this.size = size;
        this.batchSize = batchSize;
        this.seed = seed;
        this.order = permutation(size, seed, 0);
    }

    /** The next batch; a new epoch starts when the current one has no whole batch left. */
    public Batch next() {
        if (position + batchSize > size) {
            restore(epoch + 1, 0);
        }
        int[] indices = new int[batchSize];
        System.arraycopy(order, position, indices, 0, batchSize);
        position += batchSize;
        return new Batch(epoch, indices);
    }

    /** The epoch of the last batch. */
    public long epoch() {
        return epoch;
    }

    /** How many samples of the epoch have been handed out. */
    public int position() {
        return position;
    }

    /** Goes on from a saved epoch and position. */
    public void restore(long newEpoch, int newPosition) {
        if (newEpoch < 0 || newPosition < 0 || newPosition > size) {
            throw new DiffusionException("found data position " + newPosition + " in epoch " + newEpoch
                    + ", expected 0 to " + size + "; was the run started with other data?");
        }
        if (newEpoch != epoch) {
            order = permutation(size, seed, newEpoch);
        }
        epoch = newEpoch;
        position = newPosition;
    }

    /** Number of batches in an epoch. */
    public int batchesPerEpoch() {
        return size / batchSize;
    }

    /** Fisher and Yates' shuffle. */
    private static int[] permutation(int size, long seed, long epoch) {
        SampleRandom random = new SampleRandom(seed, epoch, -1);
        int[] order = new int[size];
        for (int i = 0; i < size; i++) {
            int j = random.nextInt(i + 1);
            order[i] = order[j];
            order[j] = i;
        }
        return order;
    }
}
