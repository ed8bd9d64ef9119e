package diffusion.io;

/**
 * Resizes pictures to the same bytes as Pillow's {@code Image.resize}: rows, then columns, each to whole levels, with weights
 * of 22 fractional bits; a filter widens with the reduction, so that nothing is skipped.
 */
public final class Resampler {
    /** The filters by Pillow's names. */
    public enum Filter {
        /** A triangle. */
        BILINEAR(1) {
            @Override
            double at(double x) {
                return Math.max(0, 1 - Math.abs(x));
            }
        },
        /** Keys' cubic with a = -1/2. */
        BICUBIC(2) {
            @Override
            double at(double x) {
                double d = Math.abs(x);
                if (d < 1) {
                    return (1.5 * d - 2.5) * d * d + 1;
                }
                return d < 2 ? ((d - 5) * d + 8) * d * -0.5 + 2 : 0;
            }
        },
        /** A sinc under the middle of a sinc three times as wide. */
        LANCZOS(3) {
            @Override
            double at(double x) {
                return Math.abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0;
            }
        };

        private final int support;

        Filter(int support) {
            this.support = support;
        }

        /** The weight of a sample at distance x. */
        abstract double at(double x);

        private static double sinc(double x) {
            return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
        }
    }

    private static final int PRECISION = 22;

    private Resampler() {}

    /** The picture at a size. */
    public static Picture resize(Picture picture, int height, int width, Filter filter) {
        int channels = picture.channels();
        byte[] data = picture.data();
        if (width != picture.width()) {
            data = lines(data, channels * picture.height(), picture.width(), width, 1, filter);
        }
        if (height != picture.height()) {
            data = lines(data, channels, picture.height(), height, width, filter);
        }
        return new Picture(channels, height, width, data);
    }

    /** [planes, from, stride] to [planes, to, stride]. */
    private static byte[] lines(byte[] in, int planes, int from, int to, int stride, Filter filter) {
        byte[] out = new byte[Math.multiplyExact(Math.multiplyExact(planes, to), stride)];
        double scale = (double) from / to;
        double widening = Math.max(1, scale);
        double support = filter.support * widening;
        for (int i = 0; i < to; i++) {
            double centre = (i + 0.5) * scale;
            int first = Math.max(0, (int) (centre - support + 0.5));
            int end = Math.min(from, (int) (centre + support + 0.5));
            int[] weights = weights(filter, first + 0.5 - centre, end - first, widening);
            for (int plane = 0; plane < planes; plane++) {
                for (int s = 0; s < stride; s++) {
                    int sum = 1 << (PRECISION - 1);
                    int at = (plane * from + first) * stride + s;
                    for (int weight : weights) {
                        sum += (in[at] & 0xff) * weight;
                        at += stride;
                    }
                    out[(plane * to + i) * stride + s] = (byte) Math.clamp(sum >> PRECISION, 0, 255);
                }
            }
        }
        return out;
    }

    private static int[] weights(Filter filter, double offset, int count, double widening) {
        double[] exact = new double[count];
        double sum = 0;
        for (int k = 0; k < count; k++) {
            exact[k] = filter.at((k + offset) / widening);
            sum += exact[k];
        }
        int[] weights = new int[count];
        for (int k = 0; k < count; k++) {
            double scaled = exact[k] / sum * (1 << PRECISION);
            weights[k] = (int) (scaled < 0 ? scaled - 0.5 : scaled + 0.5);
        }
        return weights;
    }
}
