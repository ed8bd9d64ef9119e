package diffusion.data;

import java.util.random.RandomGenerator;

/**
 * Random numbers that depend on (seed, epoch, index) alone, so that a resumed run repeats them without saved state.
 *
 * <p>SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014).
 */
public final class SampleRandom implements RandomGenerator {
    private static final long GOLDEN = 0x9e3779b97f4a7c15L;

    private long state;

    /** The generator of one sample in one epoch. */
    public SampleRandom(long seed, long epoch, long index) {
        this.state = mix(mix(mix(seed + GOLDEN) + epoch + GOLDEN) + index + GOLDEN);
    }

    @Override
    public long nextLong() {
        state += GOLDEN;
        return mix(state);
    }

    /** Uniform in [0, 1); spelled out because the library may change its way from long to double. */
    @Override
    public double nextDouble() {
        return (nextLong() >>> 11) * 0x1p-53;
    }

    /** Uniform in [from, to). */
    public double uniform(double from, double to) {
        return from + (to - from) * nextDouble();
    }

    /** Uniform among 0 to {@code bound} - 1. */
    @Override
    public int nextInt(int bound) {
        return (int) (nextDouble() * bound);
    }

    private static long mix(long z) {
        long a = (z ^ (z >>> 30)) * 0xbf58476d1ce4e5b9L;
        long b = (a ^ (a >>> 27)) * 0x94d049bb133111ebL;
        return b ^ (b >>> 31);
    }
}
