package diffusion.restore;

/** Indices beyond an edge, reflected about the outermost element, which is not repeated (numpy's pad mode "reflect"). */
final class Reflection {
    private Reflection() {}

    /** Where {@code i} lies within 0 ... n - 1. */
    static int inside(int i, int n) {
        if (n == 1) {
            return 0;
        }
        int period = 2 * (n - 1);
        int k = Math.floorMod(i, period);
        return k < n ? k : period - k;
    }
}
