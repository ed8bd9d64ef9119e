package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.nio.ByteBuffer;

/**
 * PyTorch's CPU generator: mt19937 (Matsumoto and Nishimura 1998) and the transforms ATen puts on top of it.
 *
 * <p>Normal numbers follow the path PyTorch takes on x86 machines with AVX2 or AVX-512: from 16 numbers on a float32
 * Box-Muller transform over blocks of 16, below that a double one of which the second half is kept for the next call.
 */
public final class TorchRandom implements RandomSource {
    private static final int N = 624;
    private static final int M = 397;
    private static final int BLOCK = 16;
    private static final byte STATE_TAG = 'M';

    private final int[] mt = new int[N];
    private int next = N;
    private double cached;
    private boolean hasCached;

    /** The stream of {@code torch.manual_seed(seed)}; mt19937 takes the low 32 bits, as PyTorch's does. */
    public TorchRandom(long seed) {
        mt[0] = (int) seed;
        for (int i = 1; i < N; i++) {
            mt[i] = 1812433253 * (mt[i - 1] ^ (mt[i - 1] >>> 30)) + i;
        }
    }

    @Override
    public void normal(float[] out) {
        if (out.length < BLOCK) {
            for (int i = 0; i < out.length; i++) {
                out[i] = (float) nextNormal();
            }
            return;
        }
        uniform(out);
        for (int i = 0; i + BLOCK <= out.length; i += BLOCK) {
            TorchMath.boxMuller16(out, i);
        }
        if (out.length % BLOCK != 0) {
            int last = out.length - BLOCK;
            for (int i = last; i < out.length; i++) {
                out[i] = nextFloat();
            }
            TorchMath.boxMuller16(out, last);
        }
    }

    @Override
    public void uniform(float[] out) {
        for (int i = 0; i < out.length; i++) {
            out[i] = nextFloat();
        }
    }

    @Override
    public void integers(long low, long high, long[] out) {
        long range = PhiloxRandom.range(low, high);
        for (int i = 0; i < out.length; i++) {
            // ATen changes to 64 bits where 32 would skew the remainder visibly.
            long bits = Long.compareUnsigned(range, 1L << 28) >= 0 ? nextLong() : nextInt() & 0xFFFFFFFFL;
            out[i] = Long.remainderUnsigned(bits, range) + low;
        }
    }

    @Override
    public int[] permutation(int n) {
        int[] order = new int[n];
        for (int i = 0; i < n; i++) {
            order[i] = i;
        }
        for (int i = 0; i < n - 1; i++) {
            int j = i + Integer.remainderUnsigned(nextInt(), n - i);
            int swapped = order[i];
            order[i] = order[j];
            order[j] = swapped;
        }
        return order;
    }

    private float nextFloat() {
        return (nextInt() & 0xFFFFFF) * 0x1p-24f;
    }

    private double nextDouble() {
        return (nextLong() & ((1L << 53) - 1)) * 0x1p-53;
    }

    private double nextNormal() {
        if (hasCached) {
            hasCached = false;
            return cached;
        }
        double u1 = nextDouble();
        double u2 = nextDouble();
        double r = Math.sqrt(-2 * Math.log1p(-u2));
        double theta = 2 * Math.PI * u1;
        cached = r * Math.sin(theta);
        hasCached = true;
        return r * Math.cos(theta);
    }

    private long nextLong() {
        long high = nextInt();
        return high << 32 | (nextInt() & 0xFFFFFFFFL);
    }

    private int nextInt() {
        if (next == N) {
            twist();
        }
        int y = mt[next++];
        y ^= y >>> 11;
        y ^= y << 7 & 0x9D2C5680;
        y ^= y << 15 & 0xEFC60000;
        return y ^ y >>> 18;
    }

    private void twist() {
        for (int i = 0; i < N; i++) {
            int y = mt[i] & 0x80000000 | mt[(i + 1) % N] & 0x7FFFFFFF;
            mt[i] = mt[(i + M) % N] ^ y >>> 1 ^ ((y & 1) == 0 ? 0 : 0x9908B0DF);
        }
        next = 0;
    }

    @Override
    public byte[] state() {
        ByteBuffer bytes = ByteBuffer.allocate(stateBytes());
        bytes.put(STATE_TAG).putInt(next).put((byte) (hasCached ? 1 : 0)).putDouble(hasCached ? cached : 0);
        for (int word : mt) {
            bytes.putInt(word);
        }
        return bytes.array();
    }

    @Override
    public void restore(byte[] state) {
        ByteBuffer bytes = ByteBuffer.wrap(state);
        if (state.length != stateBytes() || bytes.get() != STATE_TAG || state[1] != 0 || state[2] != 0) {
            throw new DiffusionException("found " + state.length + " bytes that are no state of the torch generator, "
                    + "expected " + stateBytes() + "; resume with the --rng the checkpoint was made with");
        }
        next = Math.min(bytes.getInt(), N);
        hasCached = bytes.get() != 0;
        cached = bytes.getDouble();
        for (int i = 0; i < N; i++) {
            mt[i] = bytes.getInt();
        }
    }

    private static int stateBytes() {
        return 1 + Integer.BYTES + 1 + Double.BYTES + N * Integer.BYTES;
    }
}
