package diffusion.data;

import java.util.List;

/** Labelled pictures of one shape, read by index; any thread may read. */
public interface Dataset {
    /** Number of pictures. */
    int size();

    /** Channels of every picture, 1 or 3. */
    int channels();

    /** Height of every picture in pixels. */
    int height();

    /** Width of every picture in pixels. */
    int width();

    /** Names of the classes, by label. */
    List<String> classNames();

    /** Class of a picture, an index into {@link #classNames}. */
    int label(int index);

    /** Writes a picture to {@code out} at {@code offset}: [channels, height, width], values in [-1, 1]. */
    void read(int index, float[] out, int offset);

    /** Writes a picture to the start of {@code out}. */
    default void read(int index, float[] out) {
        read(index, out, 0);
    }

    /** Shape of a picture: [channels, height, width]. */
    default int[] shape() {
        return new int[] {channels(), height(), width()};
    }

    /** Number of values in a picture. */
    default int elements() {
        return channels() * height() * width();
    }
}
