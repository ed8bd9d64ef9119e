package diffusion.cpu;

import diffusion.graph.MatrixOp.Window;

/**
 * Zero-padded pictures laid out as one run of pixels, so that a convolution of stride 1 is a sum of shifted runs.
 *
 * <p>Neighbouring rows share their padding, as do neighbouring pictures: pixel (n, i, j) lies at (top + n * rows + i) *
 * pitch + left + j, and window element (r, s) of output (n, i, j) at (n * rows + i + r) * pitch + j + s. Positions between the
 * rows compute garbage that is never stored. Pictures may be spread by a dilation (zeros between pixels), which turns the
 * gradient of a strided convolution into one of stride 1.
 */
final class FlatImages {
    final int height;
    final int width;
    final int dilation;
    final int rows;
    final int pitch;
    final int top;
    final int left;
    final int kernelHeight;
    final int kernelWidth;

    /**
     * @param height of the pictures before dilation
     * @param window padding of the dilated pictures; its stride is not used here
     */
    FlatImages(int height, int width, int dilation, Window window, int kernelHeight, int kernelWidth) {
        this.height = height;
        this.width = width;
        this.dilation = dilation;
        this.kernelHeight = kernelHeight;
        this.kernelWidth = kernelWidth;
        int spreadHeight = (height - 1) * dilation + 1;
        int spreadWidth = (width - 1) * dilation + 1;
        int outHeight = spreadHeight + window.top() + window.bottom() - kernelHeight + 1;
        int outWidth = spreadWidth + window.left() + window.right() - kernelWidth + 1;
        pitch = Math.max(spreadWidth + Math.max(window.left(), window.right()), outWidth);
        rows = Math.max(spreadHeight + Math.max(window.top(), window.bottom()), outHeight);
        top = window.top();
        left = window.left();
    }

    /** Positions of one picture. */
    int imagePositions() {
        return rows * pitch;
    }

    /** The row of the window's last element, if its first is at a position. */
    int lastRow(int position) {
        return (position + (kernelHeight - 1) * pitch + kernelWidth - 1) / pitch;
    }

    /** Byte offset of each element (channel, r, s) of the window, channels {@code positions} apart. */
    long[] windowOffsets(int channels, long positions) {
        long[] offsets = new long[channels * kernelHeight * kernelWidth];
        int k = 0;
        for (int c = 0; c < channels; c++) {
            for (int r = 0; r < kernelHeight; r++) {
                for (int s = 0; s < kernelWidth; s++) {
                    offsets[k++] = (c * positions + (long) r * pitch + s) * Float.BYTES;
                }
            }
        }
        return offsets;
    }

    /**
     * Lays out rows [row, row + count) of pictures [first, first + images) of x[N, channels, height, width] as
     * [channels][positions].
     */
    void fill(long target, long x, int channels, int first, int images, int row, int count, int positions) {
        Memory.zero(target, (long) channels * positions);
        for (int c = 0; c < channels; c++) {
            for (int n = 0; n < images; n++) {
                int above = row - top - n * rows; // rows of the picture that are not laid out
                int begin = Math.clamp(Math.ceilDiv(above, dilation), 0, height);
                int end = Math.clamp(Math.ceilDiv(above + count, dilation), 0, height);
                long from = x + (((long) (first + n) * channels + c) * height + begin) * width * Float.BYTES;
                long to = target
                        + ((long) c * positions + ((long) begin * dilation - above) * pitch + left) * Float.BYTES;
                for (int i = begin; i < end; i++) {
                    copyRow(from, to);
                    from += (long) width * Float.BYTES;
                    to += (long) dilation * pitch * Float.BYTES;
                }
            }
        }
    }

    private void copyRow(long from, long to) {
        if (dilation == 1) {
            int j = 0;
            for (; j + Memory.LANES <= width; j += Memory.LANES) {
                Memory.store(to + 4L * j, Memory.load(from + 4L * j));
            }
            if (j < width) {
                var mask = Memory.first(width - j);
                Memory.store(to + 4L * j, Memory.load(from + 4L * j, mask), mask);
            }
            return;
        }
        for (int j = 0; j < width; j++) {
            Memory.set(to + 4L * j * dilation, Memory.get(from + 4L * j));
        }
    }
}
