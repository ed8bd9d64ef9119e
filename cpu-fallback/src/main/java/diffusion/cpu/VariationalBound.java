package diffusion.cpu;

import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.set;

import diffusion.graph.TrainOp.VlbLoss;
import diffusion.graph.TrainOp.VlbLossGrad;

/** The variational bound's term for learned variances; parallel over samples, in double. */
final class VariationalBound {
    private static final double LN2 = Math.log(2);
    private static final double HALF_STEP = 1.0 / 255;

    private VariationalBound() {}

    static void loss(CpuEmitter out, VlbLoss op) {
        int size = op.v().sizeFrom(1);
        Term term = new Term(
                out.address(op.v()),
                out.address(op.trueMean()),
                out.address(op.mean()),
                out.address(op.x0()),
                out.address(op.c()),
                size);
        Training.reduce(out, op.y(), op.v().dim(0), (double) op.v().size() * LN2, n -> {
            double sum = 0;
            for (int i = 0; i < size; i++) {
                sum += term.value(n, i);
            }
            return sum;
        });
    }

    static void gradient(CpuEmitter out, VlbLossGrad op) {
        int size = op.v().sizeFrom(1);
        Term term = new Term(
                out.address(op.v()),
                out.address(op.trueMean()),
                out.address(op.mean()),
                out.address(op.x0()),
                out.address(op.c()),
                size);
        long dy = out.address(op.dy());
        long dv = out.address(op.dv());
        double factor = 1 / (op.v().size() * LN2);
        Pointwise.rows(out, op.v().dim(0), n -> {
            for (int i = 0; i < size; i++) {
                set(dv + 4 * ((long) n * size + i), (float) (term.slope(n, i) * get(dy) * factor));
            }
        });
    }

    private record Term(long v, long trueMean, long mean, long x0, long c, int size) {
        private double coefficient(int n, int k) {
            return get(c + 4L * (4L * n + k));
        }

        private double logVariance(int n, int i) {
            double min = coefficient(n, 1);
            double fraction = (get(v + at(n, i)) + 1) / 2;
            return min + (coefficient(n, 2) - min) * fraction;
        }

        private long at(int n, int i) {
            return 4 * ((long) n * size + i);
        }

        double value(int n, int i) {
            double l = logVariance(n, i);
            if (coefficient(n, 3) != 0) {
                return -Math.log(Math.max(likelihood(n, i, l), 1e-12));
            }
            double d = get(trueMean + at(n, i)) - get(mean + at(n, i));
            double q = coefficient(n, 0);
            return 0.5 * (l - q - 1 + Math.exp(q - l) + d * d * Math.exp(-l));
        }

        double slope(int n, int i) {
            double l = logVariance(n, i);
            double range = (coefficient(n, 2) - coefficient(n, 1)) / 2;
            if (coefficient(n, 3) != 0) {
                double p = likelihood(n, i, l);
                return p <= 1e-12 ? 0 : -likelihoodSlope(n, i, l) / p * range;
            }
            double d = get(trueMean + at(n, i)) - get(mean + at(n, i));
            return 0.5 * (1 - Math.exp(coefficient(n, 0) - l) - d * d * Math.exp(-l)) * range;
        }

        /** The Gaussian's mass on the picture's 8-bit level; the end levels reach to infinity. */
        private double likelihood(int n, int i, double l) {
            double x = get(x0 + at(n, i));
            double d = x - get(mean + at(n, i));
            double inverse = Math.exp(-l / 2);
            double upper = x > 0.999 ? 1 : cdf((d + HALF_STEP) * inverse);
            double lower = x < -0.999 ? 0 : cdf((d - HALF_STEP) * inverse);
            return upper - lower;
        }

        private double likelihoodSlope(int n, int i, double l) {
            double x = get(x0 + at(n, i));
            double d = x - get(mean + at(n, i));
            double inverse = Math.exp(-l / 2);
            double up = (d + HALF_STEP) * inverse;
            double low = (d - HALF_STEP) * inverse;
            double upper = x > 0.999 ? 0 : -0.5 * up * cdfSlope(up);
            double lower = x < -0.999 ? 0 : -0.5 * low * cdfSlope(low);
            return upper - lower;
        }

        /** The tanh approximation of the normal distribution, as in the published loss. */
        private static double cdf(double z) {
            return 0.5 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (z + 0.044715 * z * z * z)));
        }

        private static double cdfSlope(double z) {
            double root = Math.sqrt(2 / Math.PI);
            double t = Math.tanh(root * (z + 0.044715 * z * z * z));
            return 0.5 * (1 - t * t) * root * (1 + 3 * 0.044715 * z * z);
        }
    }
}
