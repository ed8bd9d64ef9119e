package diffusion.io;

import java.awt.image.BufferedImage;
import java.awt.image.ComponentColorModel;
import java.awt.image.Raster;
import java.util.Arrays;

/** An 8-bit picture, grey or RGB, stored plane by plane: [channels, height, width]. */
public final class Picture {
    private final int channels;
    private final int height;
    private final int width;
    private final byte[] data;

    /** A picture over {@code data}, which is not copied. */
    public Picture(int channels, int height, int width, byte[] data) {
        if ((channels != 1 && channels != 3) || data.length != channels * height * width) {
            throw new IllegalArgumentException("found " + data.length + " bytes for [" + channels + ", " + height + ", "
                    + width + "], expected 1 or 3 channels and one byte an element");
        }
        this.channels = channels;
        this.height = height;
        this.width = width;
        this.data = data;
    }

    /** The picture at {@code offset} of a model's output in [-1, 1], [channels, height, width]. */
    public static Picture fromModel(float[] x, int offset, int channels, int height, int width) {
        byte[] data = new byte[channels * height * width];
        for (int i = 0; i < data.length; i++) {
            data[i] = toByte(x[offset + i]);
        }
        return new Picture(channels, height, width, data);
    }

    /** A decoded picture as 1 or 3 channels; alpha is dropped. */
    public static Picture fromImage(BufferedImage image, int channels) {
        int width = image.getWidth();
        int height = image.getHeight();
        Raster raster = image.getRaster();
        if (raster.getNumBands() <= 2 && image.getColorModel() instanceof ComponentColorModel model) {
            // getRGB would map grey through a linear colour space and change its values.
            byte[] grey = new byte[height * width];
            int shift = model.getComponentSize(0) - 8;
            for (int i = 0; i < grey.length; i++) {
                grey[i] = (byte) (raster.getSample(i % width, i / width, 0) >> shift);
            }
            return new Picture(1, height, width, grey).withChannels(channels);
        }
        byte[] rgb = new byte[3 * height * width];
        int plane = height * width;
        int[] row = new int[width];
        for (int y = 0; y < height; y++) {
            image.getRGB(0, y, width, 1, row, 0, width);
            for (int x = 0; x < width; x++) {
                int i = y * width + x;
                rgb[i] = (byte) (row[x] >> 16);
                rgb[plane + i] = (byte) (row[x] >> 8);
                rgb[2 * plane + i] = (byte) row[x];
            }
        }
        return new Picture(3, height, width, rgb).withChannels(channels);
    }

    /** Number of channels, 1 or 3. */
    public int channels() {
        return channels;
    }

    /** Height in pixels. */
    public int height() {
        return height;
    }

    /** Width in pixels. */
    public int width() {
        return width;
    }

    /** The bytes themselves, [channels, height, width]. */
    public byte[] data() {
        return data;
    }

    /** Values in [-1, 1], as a model sees them. */
    public float[] toModel() {
        float[] out = new float[data.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = toModel(data[i]);
        }
        return out;
    }

    /** Values in [0, 1]. */
    public float[] toUnit() {
        float[] out = new float[data.length];
        for (int i = 0; i < out.length; i++) {
            out[i] = (data[i] & 0xff) / 255f;
        }
        return out;
    }

    /** A value in [-1, 1] as a byte, rounded half to even; mirrors diffusers' VaeImageProcessor and numpy's round. */
    public static byte toByte(float x) {
        float unit = Math.clamp(x / 2 + 0.5f, 0f, 1f);
        return (byte) (int) Math.rint(unit * 255f);
    }

    /** A byte as a value in [-1, 1]; mirrors diffusers' VaeImageProcessor. */
    public static float toModel(byte value) {
        return 2f * ((value & 0xff) / 255f) - 1f;
    }

    /** The picture with 1 or 3 channels: grey is repeated, RGB becomes luma (ITU-R 601, as PIL weighs it). */
    public Picture withChannels(int wanted) {
        if (wanted == channels) {
            return this;
        }
        int plane = height * width;
        byte[] out = new byte[wanted * plane];
        for (int i = 0; i < plane; i++) {
            if (wanted == 1) {
                int r = data[i] & 0xff;
                int g = data[plane + i] & 0xff;
                int b = data[2 * plane + i] & 0xff;
                out[i] = (byte) ((r * 19595 + g * 38470 + b * 7471 + 0x8000) >> 16);
            } else {
                out[i] = data[i];
                out[plane + i] = data[i];
                out[2 * plane + i] = data[i];
            }
        }
        return new Picture(wanted, height, width, out);
    }

    /** The picture resized so that its shorter side is {@code size}, then cropped to its centre square. */
    public Picture fit(int size) {
        int shorter = Math.min(width, height);
        int w = Math.max(size, Math.round((float) width * size / shorter));
        int h = Math.max(size, Math.round((float) height * size / shorter));
        Picture resized = Resampler.resize(this, h, w, Resampler.Filter.BILINEAR);
        return resized.window((h - size) / 2, (w - size) / 2, size, size);
    }

    /** The picture in the middle of a black square of {@code size}. */
    public Picture pad(int size) {
        return window(-((size - height) / 2), -((size - width) / 2), size, size);
    }

    /** The picture turned and mirrored as EXIF's orientation, 1 to 8, says. */
    public Picture upright(int orientation) {
        if (orientation == 1) {
            return this;
        }
        boolean lying = orientation >= 5; // rows are columns
        int h = lying ? width : height;
        int w = lying ? height : width;
        boolean fromBottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
        boolean fromRight = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
        byte[] out = new byte[data.length];
        for (int i = 0; i < out.length; i++) {
            int y = lying ? i % w : i / w % h;
            int x = lying ? i / w % h : i % w;
            int row = fromBottom ? height - 1 - y : y;
            int column = fromRight ? width - 1 - x : x;
            out[i] = data[(i / w / h * height + row) * width + column];
        }
        return new Picture(channels, h, w, out);
    }

    /** The picture with borders of so many pixels left, top, right and bottom, which continue its edges. */
    public Picture expand(int... borders) {
        int h = Math.addExact(height, borders[1] + borders[3]);
        int w = Math.addExact(width, borders[0] + borders[2]);
        byte[] out = new byte[Math.multiplyExact(channels * h, w)];
        for (int i = 0; i < out.length; i++) {
            int y = Math.clamp(i / w % h - borders[1], 0, height - 1);
            int x = Math.clamp(i % w - borders[0], 0, width - 1);
            out[i] = data[(i / w / h * height + y) * width + x];
        }
        return new Picture(channels, h, w, out);
    }

    /** A window of the picture; what lies outside the picture is black. */
    private Picture window(int top, int left, int h, int w) {
        byte[] out = new byte[channels * h * w];
        for (int c = 0; c < channels; c++) {
            for (int y = Math.max(0, -top); y < h && y + top < height; y++) {
                int from = Math.max(0, -left);
                int to = Math.min(w, width - left);
                int source = (c * height + y + top) * width + from + left;
                System.arraycopy(data, source, out, (c * h + y) * w + from, to - from);
            }
        }
        return new Picture(channels, h, w, out);
    }

    /** The picture for Java2D and ImageIO: 8-bit grey or RGB. */
    public BufferedImage toImage() {
        int type = channels == 1 ? BufferedImage.TYPE_BYTE_GRAY : BufferedImage.TYPE_INT_RGB;
        BufferedImage image = new BufferedImage(width, height, type);
        int plane = height * width;
        if (channels == 1) {
            image.getRaster().setDataElements(0, 0, width, height, data);
            return image;
        }
        int[] rgb = new int[plane];
        for (int i = 0; i < plane; i++) {
            rgb[i] = ((data[i] & 0xff) << 16) | ((data[plane + i] & 0xff) << 8) | (data[2 * plane + i] & 0xff);
        }
        image.getRaster().setDataElements(0, 0, width, height, rgb);
        return image;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof Picture that
                && channels == that.channels
                && height == that.height
                && width == that.width
                && Arrays.equals(data, that.data);
    }

    @Override
    public int hashCode() {
        return Arrays.hashCode(data) + 31 * (channels + 31 * (height + 31 * width));
    }

    @Override
    public String toString() {
        return "Picture[" + channels + ", " + height + ", " + width + "]";
    }
}
