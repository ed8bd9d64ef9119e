package diffusion.scheduler;

/** Where the standard deviation of a step's noise comes from. */
public enum VarianceKind {
    /** {@link Step#noise()} alone. */
    NONE,
    /** {@code noise * sqrt(v)}, v being the second half of the model's output channels. */
    LEARNED,
    /** {@code noise * exp((varMin + (varMax - varMin) (v + 1) / 2) / 2)} (Nichol and Dhariwal 2021, equation 15). */
    LEARNED_RANGE
}
