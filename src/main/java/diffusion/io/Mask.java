package diffusion.io;

import java.util.Arrays;

/**
 * Which part of a picture is made anew: white, black for what is kept, grey for a share of both.
 *
 * @param picture one channel
 */
public record Mask(Picture picture) {
    private static final int HALF = 128;
    private static final double REACH = 3; // standard deviations of a Gaussian that count

    /** Black and white by halves, as diffusers' mask processor has it. */
    public static Mask of(Picture grey) {
        byte[] data = grey.withChannels(1).data().clone();
        for (int i = 0; i < data.length; i++) {
            data[i] = (byte) ((data[i] & 0xff) >= HALF ? 255 : 0);
        }
        return new Mask(new Picture(1, grey.height(), grey.width(), data));
    }

    /** A black picture as large as another. */
    public static Picture none(Picture like) {
        return new Picture(1, like.height(), like.width(), new byte[like.height() * like.width()]);
    }

    /** A mask's picture with white borders: left, top, right, bottom. */
    public static Picture expanded(Picture grey, int... borders) {
        Picture wide = grey.expand(borders);
        byte[] data = wide.data();
        for (int i = 0; i < data.length; i++) {
            int y = i / wide.width() - borders[1];
            int x = i % wide.width() - borders[0];
            if (y < 0 || y >= grey.height() || x < 0 || x >= grey.width()) {
                data[i] = (byte) 255;
            }
        }
        return wide;
    }

    /** Whether nothing is made anew. */
    public boolean isEmpty() {
        for (byte value : picture.data()) {
            if (value != 0) {
                return false;
            }
        }
        return true;
    }

    /** The mask rising from its border inwards, by a Gaussian of {@code pixels} / 2; what was kept is still kept entirely. */
    public Mask feathered(double pixels) {
        if (pixels == 0) {
            return this;
        }
        int height = picture.height();
        int width = picture.width();
        float[] values = picture.toUnit();
        float[] blurred = blurred(blurred(values, height, width, 1, pixels / 2), width, height, width, pixels / 2);
        byte[] data = new byte[values.length];
        for (int i = 0; i < data.length; i++) {
            // On a straight border the blurred mask is 1/2.
            float share = values[i] == 0 ? 0 : Math.clamp(2 * blurred[i] - 1, 0f, 1f);
            data[i] = (byte) Math.round(255 * share);
        }
        return new Mask(new Picture(1, height, width, data));
    }

    /** Lines of {@code length} elements that lie {@code step} apart, each blurred with its ends continued. */
    private static float[] blurred(float[] in, int lines, int length, int step, double deviation) {
        int reach = (int) Math.ceil(REACH * deviation);
        double[] weights = new double[2 * reach + 1];
        for (int k = -reach; k <= reach; k++) {
            weights[k + reach] = Math.exp(-0.5 * k * k / (deviation * deviation));
        }
        double sum = Arrays.stream(weights).sum();
        float[] out = new float[in.length];
        for (int line = 0; line < lines; line++) {
            int first = step == 1 ? line * length : line;
            for (int i = 0; i < length; i++) {
                double value = 0;
                for (int k = -reach; k <= reach; k++) {
                    value += weights[k + reach] * in[first + Math.clamp(i + k, 0, length - 1) * step];
                }
                out[first + i * step] = (float) (value / sum);
            }
        }
        return out;
    }

    /** {@code made} where the mask is white, {@code kept} to the bit where it is black. */
    public Picture blend(Picture made, Picture kept) {
        Picture old = kept.withChannels(made.channels());
        byte[] data = new byte[made.data().length];
        int plane = picture.data().length;
        for (int i = 0; i < data.length; i++) {
            int share = picture.data()[i % plane] & 0xff;
            int sum = share * (made.data()[i] & 0xff) + (255 - share) * (old.data()[i] & 0xff);
            data[i] = (byte) ((sum + 127) / 255);
        }
        return new Picture(made.channels(), made.height(), made.width(), data);
    }

    /** The picture with the part that is made anew in grey. */
    public Picture over(Picture shown) {
        byte[] grey = new byte[3 * shown.height() * shown.width()];
        Arrays.fill(grey, (byte) HALF);
        return blend(new Picture(3, shown.height(), shown.width(), grey), shown);
    }
}
