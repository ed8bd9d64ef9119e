package diffusion.data;

import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import java.io.BufferedInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;

/** CIFAR-10 in its binary version: records of one label and 3 x 32 x 32 bytes (A. Krizhevsky, 2009). */
final class Cifar10 {
    private static final int SIDE = 32;
    private static final int PIXELS = 3 * SIDE * SIDE;
    private static final int RECORD = 1 + PIXELS;
    private static final List<String> CLASSES =
            List.of("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck");

    private Cifar10() {}

    /** The batches of a split in a folder, in order. */
    static List<Path> find(Path folder, Split split) throws IOException {
        String pattern = split == Split.TRAIN ? "data_batch_\\d+\\.bin" : "test_batch\\.bin";
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(file -> file.getFileName().toString().matches(pattern))
                    .sorted()
                    .toList();
        }
    }

    /** Whether a file has the size of a batch; the labels are checked when it is read. */
    static boolean accepts(Path file) throws IOException {
        return file.toString().endsWith(".bin") && Files.size(file) > 0 && Files.size(file) % RECORD == 0;
    }

    static Dataset open(Path source, List<Path> batches, int size, int channels) throws IOException {
        List<Picture> pictures = new ArrayList<>();
        List<Integer> labels = new ArrayList<>();
        for (Path batch : batches) {
            long bytes = Files.size(batch);
            if (bytes == 0 || bytes % RECORD != 0) {
                throw new DiffusionException(batch + " has " + bytes + " bytes, expected a multiple of " + RECORD
                        + "; it is truncated, download it again");
            }
            try (InputStream in = new BufferedInputStream(Files.newInputStream(batch), 1 << 16)) {
                for (long i = 0; i < bytes / RECORD; i++) {
                    int label = in.read();
                    byte[] data = in.readNBytes(PIXELS);
                    if (label < 0 || label > 9 || data.length < PIXELS) {
                        throw new DiffusionException(batch + " has label " + label + " at record " + i
                                + ", expected 0 to 9; is it CIFAR-10's binary version?");
                    }
                    Picture picture = new Picture(3, SIDE, SIDE, data);
                    Picture sized = size == 0 || size == SIDE ? picture : picture.fit(size);
                    pictures.add(sized.withChannels(channels == 0 ? 3 : channels));
                    labels.add(label);
                }
            }
        }
        int[] all = labels.stream().mapToInt(Integer::intValue).toArray();
        return new MemoryDataset(source.toString(), pictures, all, CLASSES);
    }
}
