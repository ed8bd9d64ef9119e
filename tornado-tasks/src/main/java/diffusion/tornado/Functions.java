package diffusion.tornado;

import uk.ac.manchester.tornado.api.math.TornadoMath;

/** Pointwise functions and their slopes, written so that large arguments neither overflow nor lose NaN. */
final class Functions {
    static final int RELU = 0;
    static final int SILU = 1;
    static final int GELU = 2;
    static final int MISH = 3;
    static final int RECIPROCAL = 4;
    static final int QUICK_GELU = 5;
    static final int TANH = 6;

    private Functions() {}

    /** 1 / (1 + exp(-x)). */
    static float sigmoid(float x) {
        return 1 / (1 + TornadoMath.exp(-x));
    }

    /** The normal distribution by a rational approximation of erf (Abramowitz and Stegun 1964, 7.1.26), within 1e-7. */
    static float normalCdf(float x) {
        float z = TornadoMath.abs(x) * 0.70710678f;
        float t = 1 / (1 + 0.3275911f * z);
        float tail = ((((1.061405429f * t - 1.453152027f) * t + 1.421413741f) * t - 0.284496736f) * t + 0.254829592f)
                * t
                * TornadoMath.exp(-z * z)
                * 0.5f;
        return x < 0 ? tail : 1 - tail;
    }

    /** tanh(log(1 + exp(x))). */
    static float tanhSoftplus(float x) {
        float e = TornadoMath.exp(x > 20 ? 20 : x);
        float n = e * (e + 2);
        return n / (n + 2);
    }

    /** The hyperbolic tangent without overflow. */
    static float tanh(float x) {
        return 1 - 2 / (TornadoMath.exp(2 * x) + 1);
    }

    static float value(int function, float x) {
        if (function == RELU) {
            return x < 0 ? 0 : x;
        }
        if (function == SILU) {
            return x * sigmoid(x);
        }
        if (function == GELU) {
            return x * normalCdf(x);
        }
        if (function == MISH) {
            return x * tanhSoftplus(x);
        }
        if (function == QUICK_GELU) {
            return x * sigmoid(1.702f * x);
        }
        if (function == TANH) {
            return tanh(x);
        }
        return 1 / x;
    }

    static float slope(int function, float x) {
        if (function == RELU) {
            return x > 0 ? 1 : 0;
        }
        if (function == SILU) {
            float s = sigmoid(x);
            return s * (1 + x * (1 - s));
        }
        if (function == GELU) {
            return normalCdf(x) + x * TornadoMath.exp(-x * x / 2) * 0.39894228f;
        }
        if (function == MISH) {
            float t = tanhSoftplus(x);
            return t + x * sigmoid(x) * (1 - t * t);
        }
        if (function == QUICK_GELU) {
            float s = sigmoid(1.702f * x);
            return s * (1 + 1.702f * x * (1 - s));
        }
        if (function == TANH) {
            float e = TornadoMath.exp(-2 * TornadoMath.abs(x)); // 1 - tanh^2 would cancel
            return 4 * e / ((1 + e) * (1 + e));
        }
        return -(1 / x) * (1 / x);
    }

    /** NaN made of any value; as a constant it has no counterpart on the device. */
    static float nan(float value) {
        return value * 0 / (value * 0);
    }
}
