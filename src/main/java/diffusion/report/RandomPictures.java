package diffusion.report;

import diffusion.data.Dataset;
import java.util.List;
import java.util.Random;
import java.util.stream.IntStream;

/**
 * Noise with labels, to train on where only the arithmetic matters.
 *
 * @param classes the number of classes; at least one
 */
record RandomPictures(int size, int channels, int height, int width, int classes) implements Dataset {
    @Override
    public List<String> classNames() {
        return IntStream.range(0, classes).mapToObj(Integer::toString).toList();
    }

    @Override
    public int label(int index) {
        return index % classes;
    }

    @Override
    public void read(int index, float[] out, int offset) {
        Random random = new Random(index);
        for (int i = 0; i < elements(); i++) {
            out[offset + i] = (float) Math.tanh(random.nextGaussian());
        }
    }
}
