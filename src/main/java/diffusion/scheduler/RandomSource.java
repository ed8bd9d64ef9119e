package diffusion.scheduler;

import diffusion.io.DiffusionException;

/**
 * A seeded stream of random numbers that equals a stream of PyTorch's, number for number.
 *
 * <p>Every call continues the stream, and what is drawn depends on how many numbers a call asks for, as it does in
 * PyTorch: two calls for 8 normal numbers are not one call for 16. Not safe for use by several threads.
 */
public sealed interface RandomSource permits TorchRandom, PhiloxRandom {
    /** The generators by the names of {@code --rng}. */
    enum Kind {
        /** PyTorch's CPU generator (mt19937), what {@code torch.Generator("cpu")} gives. */
        TORCH,
        /** PyTorch's CUDA generator (Philox 4x32-10). */
        CUDA
    }

    /** A generator of a kind with a seed of 64 bits, as {@code torch.manual_seed}. */
    static RandomSource of(Kind kind, long seed) {
        return switch (kind) {
            case TORCH -> new TorchRandom(seed);
            case CUDA -> new PhiloxRandom(seed);
        };
    }

    /** A generator by the name a user types: {@code torch} or {@code cuda}. */
    static RandomSource of(String name, long seed) {
        return switch (name) {
            case "torch" -> of(Kind.TORCH, seed);
            case "cuda" -> of(Kind.CUDA, seed);
            default ->
                throw new DiffusionException(
                        "no random number generator is named \"" + name + "\"; expected torch or cuda");
        };
    }

    /** Fills an array with standard normal numbers, as one {@code torch.randn} of that many elements. */
    void normal(float[] out);

    /** Fills an array with numbers in [0, 1), as one {@code torch.rand}. */
    void uniform(float[] out);

    /** Fills an array with integers in [low, high), as one {@code torch.randint}. */
    void integers(long low, long high, long[] out);

    /** The numbers 0..n-1 in random order, as {@code torch.randperm}. */
    int[] permutation(int n);

    /** Everything needed to go on from here, as bytes for a checkpoint. */
    byte[] state();

    /**
     * Goes back to a state.
     *
     * @throws DiffusionException if the bytes are no state of this kind of generator
     */
    void restore(byte[] state);
}
