package diffusion.scheduler;

/**
 * The float32 logarithm, sine and cosine of PyTorch's AVX2 kernels, rounding for rounding.
 *
 * <p>They are the Cephes polynomials (Moshier 1992). Products that feed a sum are fused, because the compiler that
 * builds PyTorch fuses them; without it about one number in a hundred differs in its last bits.
 */
final class TorchMath {
    private static final float TWO_PI = (float) (2 * Math.PI);
    private static final float SQRT_HALF = 0.70710678f;
    private static final float LN2_LOW = -2.12194440e-4f;
    private static final float LN2_HIGH = 0.693359375f;
    private static final float[] LOG = {
        7.0376836292E-2f,
        -1.1514610310E-1f,
        1.1676998740E-1f,
        -1.2420140846E-1f,
        1.4249322787E-1f,
        -1.6668057665E-1f,
        2.0000714765E-1f,
        -2.4999993993E-1f,
        3.3333331174E-1f
    };

    private TorchMath() {}

    /** Turns 16 uniform numbers into 16 normal ones, in place: cosines from 8 pairs first, then sines. */
    static void boxMuller16(float[] data, int from) {
        for (int j = from; j < from + 8; j++) {
            float radius = (float) Math.sqrt(-2 * log(1 - data[j]));
            float theta = TWO_PI * data[j + 8];
            // Cody-Waite reduction to [-pi/4, pi/4] by a multiple of pi/2, itself in three parts
            int octant = (int) (theta * 1.27323954473516f) + 1 & ~1;
            float x = Math.fma((float) octant, -0.78515625f, theta);
            x = Math.fma((float) octant, -2.4187564849853515625e-4f, x);
            x = Math.fma((float) octant, -3.77489497744594108e-8f, x);
            float z = x * x;
            float cos = cosine(z);
            float sin = sine(x, z);
            boolean swap = (octant & 2) != 0;
            float c = swap ? sin : cos;
            float s = swap ? cos : sin;
            boolean negativeSin = (octant & 4) != 0;
            boolean negativeCos = (octant - 2 & 4) == 0;
            // + 0f: torch adds the mean, which turns -0 into 0
            data[j] = radius * (negativeCos ? -c : c) + 0f;
            data[j + 8] = radius * (negativeSin ? -s : s) + 0f;
        }
    }

    private static float cosine(float z) {
        float y = Math.fma(2.443315711809948E-5f, z, -1.388731625493765E-3f);
        y = Math.fma(y, z, 4.166664568298827E-2f);
        return Math.fma(y * z, z, -0.5f * z) + 1;
    }

    private static float sine(float x, float z) {
        float y = Math.fma(-1.9515295891E-4f, z, 8.3321608736E-3f);
        y = Math.fma(y, z, -1.6666654611E-1f);
        return Math.fma(y * z, x, x);
    }

    /** ln x for a normal x. */
    static float log(float x) {
        int bits = Float.floatToRawIntBits(x);
        float e = (bits >>> 23) - 126;
        float mantissa = Float.intBitsToFloat(bits & 0x807FFFFF | 0x3F000000);
        float f = mantissa - 1;
        if (mantissa < SQRT_HALF) {
            e -= 1;
            f += mantissa;
        }
        float z = f * f;
        float y = LOG[0];
        for (int i = 1; i < LOG.length; i++) {
            y = Math.fma(y, f, LOG[i]);
        }
        y = Math.fma(y * f, z, e * LN2_LOW);
        y -= 0.5f * z;
        return Math.fma(e, LN2_HIGH, f + y);
    }
}
