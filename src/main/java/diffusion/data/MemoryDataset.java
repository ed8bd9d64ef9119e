package diffusion.data;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import java.util.List;

/** A data set held in memory, one byte a value. */
final class MemoryDataset implements Dataset {
    private final List<Picture> pictures;
    private final int[] labels;
    private final List<String> classNames;

    /** Pictures of one shape with their labels; {@code source} names them in messages. */
    MemoryDataset(String source, List<Picture> pictures, int[] labels, List<String> classNames) {
        if (pictures.isEmpty()) {
            throw new DiffusionException(source + " has no pictures; expected at least one");
        }
        Picture first = pictures.getFirst();
        for (Picture picture : pictures) {
            if (picture.channels() != first.channels()
                    || picture.height() != first.height()
                    || picture.width() != first.width()) {
                throw new DiffusionException(source + " has pictures of different sizes (" + size(first) + " and "
                        + size(picture) + "), expected one; give a size to crop them to and the number of channels");
            }
        }
        this.pictures = pictures;
        this.labels = labels;
        this.classNames = List.copyOf(classNames);
    }

    private static String size(Picture picture) {
        return picture.width() + " x " + picture.height() + " x " + picture.channels();
    }

    @Override
    public int size() {
        return pictures.size();
    }

    @Override
    public int channels() {
        return pictures.getFirst().channels();
    }

    @Override
    public int height() {
        return pictures.getFirst().height();
    }

    @Override
    public int width() {
        return pictures.getFirst().width();
    }

    @Override
    public List<String> classNames() {
        return classNames;
    }

    @Override
    public int label(int index) {
        return labels[index];
    }

    @Override
    public void read(int index, float[] out, int offset) {
        byte[] data = pictures.get(index).data();
        for (int i = 0; i < data.length; i++) {
            out[offset + i] = Picture.toModel(data[i]);
        }
    }
}
