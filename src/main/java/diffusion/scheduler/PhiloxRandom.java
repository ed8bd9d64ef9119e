package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.nio.ByteBuffer;

/**
 * PyTorch's CUDA generator: Philox 4x32-10 (Salmon et al. 2011), counter (call, 0, element, 0), key = seed.
 *
 * <p>The layout is that of calls with no more elements than a GPU has threads, the one that image tools emulate.
 * Integers and permutations are drawn from the same counters; CUDA's own {@code randperm} sorts keys and differs.
 */
public final class PhiloxRandom implements RandomSource {
    private static final byte STATE_TAG = 'P';
    private static final int STATE_BYTES = 1 + Long.BYTES + Integer.BYTES;

    private long seed;
    private int offset;

    /** The stream of {@code torch.cuda.manual_seed(seed)}. */
    public PhiloxRandom(long seed) {
        this.seed = seed;
    }

    @Override
    public void normal(float[] out) {
        for (int i = 0; i < out.length; i++) {
            long bits = block(i);
            double u = (bits >>> 32) * 0x1p-32 + 0x1p-33;
            double v = ((bits & 0xFFFFFFFFL) * 0x1p-32 + 0x1p-33) * 2 * Math.PI;
            out[i] = (float) (Math.sqrt(-2 * Math.log(u)) * Math.sin(v));
        }
        offset++;
    }

    @Override
    public void uniform(float[] out) {
        for (int i = 0; i < out.length; i++) {
            float u = (float) ((block(i) >>> 32) * 0x1p-32 + 0x1p-33);
            out[i] = u == 1 ? 0 : u; // curand gives (0, 1], torch.rand [0, 1)
        }
        offset++;
    }

    @Override
    public void integers(long low, long high, long[] out) {
        long range = range(low, high);
        for (int i = 0; i < out.length; i++) {
            long bits = block(i);
            long drawn = Long.compareUnsigned(range, 1L << 28) >= 0 ? bits : bits >>> 32;
            out[i] = Long.remainderUnsigned(drawn, range) + low;
        }
        offset++;
    }

    @Override
    public int[] permutation(int n) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            int j = (int) Long.remainderUnsigned(block(i), i + 1L);
            order[i] = order[j];
            order[j] = i;
        }
        offset++;
        return order;
    }

    /** The first two words of an element's block, the first one in the high half. */
    private long block(int element) {
        int c0 = offset;
        int c1 = 0;
        int c2 = element;
        int c3 = 0;
        int k0 = (int) seed;
        int k1 = (int) (seed >>> 32);
        for (int round = 0; round < 10; round++) {
            long a = 0xD2511F53L * (c0 & 0xFFFFFFFFL);
            long b = 0xCD9E8D57L * (c2 & 0xFFFFFFFFL);
            c0 = (int) (b >>> 32) ^ c1 ^ k0;
            c1 = (int) b;
            c2 = (int) (a >>> 32) ^ c3 ^ k1;
            c3 = (int) a;
            k0 += 0x9E3779B9;
            k1 += 0xBB67AE85;
        }
        return (long) c0 << 32 | (c1 & 0xFFFFFFFFL);
    }

    @Override
    public byte[] state() {
        return ByteBuffer.allocate(STATE_BYTES)
                .put(STATE_TAG)
                .putLong(seed)
                .putInt(offset)
                .array();
    }

    @Override
    public void restore(byte[] state) {
        ByteBuffer bytes = ByteBuffer.wrap(state);
        if (state.length != STATE_BYTES || bytes.get() != STATE_TAG) {
            throw new DiffusionException("found " + state.length + " bytes that are no state of the cuda generator, "
                    + "expected " + STATE_BYTES + "; resume with the --rng the checkpoint was made with");
        }
        seed = bytes.getLong();
        offset = bytes.getInt();
    }

    static long range(long low, long high) {
        if (low >= high) {
            throw new DiffusionException("found no integer in [" + low + ", " + high + "); expected low < high");
        }
        return high - low;
    }
}
