package diffusion.scheduler;

/** Where the standard deviation of a step's noise comes from. */
public enum VarianceKind {
    /** {@link Step#noise()} alone. */
    NONE,
    /** {@code noise * sqrt(v)}, v being the second half of the model's output channels. */
    LEARNED,
    /** {@code noise * exp((varMin + (varMax - varMin) (v + 1) / 2) / 2)} (Nichol and Dhariwal 2021, equation 15). */
    LEARNED_RANGE,
    /**
     * Langevin dynamics (Song et al. 2021, algorithm 4): {@code cm} counts a times and {@code noise} sqrt(2 a) times, a = 2
     * (varMin |z| / |m|)^2 with the norms of samples in the mean over the batch.
     */
    LANGEVIN
}
