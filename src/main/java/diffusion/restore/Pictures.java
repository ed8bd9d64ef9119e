package diffusion.restore;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Pictures of one shape as a model sees them.
 *
 * @param values [count, channels, height, width], clean ones in [-1, 1]
 */
public record Pictures(int count, int channels, int height, int width, float[] values) {
    private static final int MAX_VALUES = Integer.MAX_VALUE - 8;

    /** Checks the length. */
    public Pictures {
        if (values.length != (long) count * channels * height * width) {
            throw new IllegalArgumentException("found " + values.length + " values for [" + count + ", " + channels
                    + ", " + height + ", " + width + "]");
        }
    }

    /** Pictures of one shape, at least one. */
    public static Pictures of(List<Picture> pictures) {
        Picture first = pictures.getFirst();
        int elements = first.data().length;
        float[] values = new float[pictures.size() * elements];
        for (int i = 0; i < pictures.size(); i++) {
            System.arraycopy(pictures.get(i).toModel(), 0, values, i * elements, elements);
        }
        return new Pictures(pictures.size(), first.channels(), first.height(), first.width(), values);
    }

    /** Values in one picture. */
    public int elements() {
        return channels * height * width;
    }

    /** Other values in the same shape. */
    public Pictures with(float[] other) {
        return new Pictures(count, channels, height, width, other);
    }

    /** The values of picture i. */
    public float[] get(int i) {
        return Arrays.copyOfRange(values, i * elements(), (i + 1) * elements());
    }

    /** As 8-bit pictures. */
    public List<Picture> toPictures() {
        List<Picture> pictures = new ArrayList<>();
        for (int i = 0; i < count; i++) {
            pictures.add(Picture.fromModel(values, i * elements(), channels, height, width));
        }
        return pictures;
    }

    /**
     * Every pixel as a square of {@code factor} times {@code factor}.
     *
     * @throws DiffusionException if that is more than an array holds
     */
    public Pictures repeat(int factor) {
        long size = (long) values.length * factor * factor;
        if (size > MAX_VALUES) {
            throw new DiffusionException(
                    "found pictures of %d x %d pixels and %d channels to be enlarged %d times, expected at most %d values in the result; enlarge them less, or parts of them"
                            .formatted(width, height, channels, factor, MAX_VALUES));
        }
        float[] out = new float[(int) size];
        int wide = width * factor;
        for (int i = 0; i < out.length; i++) {
            out[i] = values[i / wide / factor * width + i % wide / factor];
        }
        return new Pictures(count, channels, height * factor, width * factor, out);
    }

    /** Means over squares of {@code factor} times {@code factor}, which must divide the sides. */
    public Pictures average(int factor) {
        if (height % factor != 0 || width % factor != 0) {
            throw new IllegalArgumentException(height + " x " + width + " is not a multiple of " + factor);
        }
        int narrow = width / factor;
        float[] out = new float[values.length / (factor * factor)];
        for (int i = 0; i < values.length; i++) {
            out[i / width / factor * narrow + i % width / factor] += values[i] / (factor * factor);
        }
        return new Pictures(count, channels, height / factor, narrow, out);
    }
}
