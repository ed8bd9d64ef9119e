package diffusion.io;

/** Resizes with a triangle filter as wide as the reduction (bilinear with antialiasing, as PIL and torchvision do). */
final class Resampler {
    private Resampler() {}

    static Picture resize(Picture picture, int height, int width) {
        int channels = picture.channels();
        byte[] source = picture.data();
        float[] in = new float[source.length];
        for (int i = 0; i < in.length; i++) {
            in[i] = source[i] & 0xff;
        }
        // Rows first, then columns, with the array transposed in between: [C*H, W] -> [W', C*H] -> [C, W', H'].
        int rows = channels * picture.height();
        float[] wide = new float[rows * width];
        resizeLines(in, rows, picture.width(), wide, width);
        float[] columns = new float[wide.length];
        transpose(wide, channels, picture.height(), width, columns);
        float[] both = new float[channels * width * height];
        resizeLines(columns, channels * width, picture.height(), both, height);
        float[] out = new float[both.length];
        transpose(both, channels, width, height, out);
        byte[] bytes = new byte[out.length];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) Math.clamp(Math.round(out[i]), 0, 255);
        }
        return new Picture(channels, height, width, bytes);
    }

    private static void transpose(float[] in, int planes, int rows, int columns, float[] out) {
        for (int p = 0; p < planes; p++) {
            for (int r = 0; r < rows; r++) {
                for (int c = 0; c < columns; c++) {
                    out[(p * columns + c) * rows + r] = in[(p * rows + r) * columns + c];
                }
            }
        }
    }

    private static void resizeLines(float[] in, int lines, int from, float[] out, int to) {
        double scale = (double) from / to;
        double support = Math.max(1, scale);
        for (int i = 0; i < to; i++) {
            double centre = (i + 0.5) * scale;
            int first = Math.max(0, (int) (centre - support + 0.5));
            int end = Math.min(from, (int) (centre + support + 0.5));
            double[] weights = new double[end - first];
            double sum = 0;
            for (int k = 0; k < weights.length; k++) {
                weights[k] = Math.max(0, 1 - Math.abs((first + k + 0.5 - centre) / support));
                sum += weights[k];
            }
            for (int line = 0; line < lines; line++) {
                double value = 0;
                for (int k = 0; k < weights.length; k++) {
                    value += weights[k] * in[line * from + first + k];
                }
                out[line * to + i] = (float) (value / sum);
            }
        }
    }
}
