package diffusion.metrics;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Picture;
import diffusion.io.SafeTensors;
import java.nio.file.Path;
import java.util.Collection;
import java.util.List;
import java.util.concurrent.CancellationException;
import java.util.function.BooleanSupplier;
import java.util.function.IntConsumer;

/**
 * Pictures of any size as features of {@link InceptionV3}, those of FID and KID; mirrors pytorch-fid's get_activations with
 * 2048 dimensions.
 */
public final class InceptionFeatures implements AutoCloseable {
    private static final int BATCH = 8;

    private final Path path;
    private final BooleanSupplier cancelled;
    private final IntConsumer progress;
    private final Graph graph = new Graph("inception");
    private final Tensor x = graph.input("x", BATCH, 3, InceptionV3.SIDE, InceptionV3.SIDE);
    private final Tensor features; // [BATCH, 2048]
    private final Program program;

    /**
     * Reads the weights.
     *
     * @param path a safetensors file with pytorch-fid's InceptionV3, by torchvision's names
     * @param cancelled asked between batches
     * @param progress told how many pictures have been seen since it was told last
     * @throws DiffusionException if the file is another one
     */
    public InceptionFeatures(Path path, Backend backend, BooleanSupplier cancelled, IntConsumer progress) {
        if (path.toString().matches("(?i).*\\.(pth|pt|bin|ckpt)")) {
            throw new DiffusionException(path + ": found pickled weights, which can run code and are not read; expected"
                    + " safetensors, which python makes with"
                    + " \"import torch, safetensors.torch as s; s.save_file(torch.load('" + path.getFileName()
                    + "'), 'inception.safetensors')\"");
        }
        this.path = path;
        this.cancelled = cancelled;
        this.progress = progress;
        try (SafeTensors file = SafeTensors.open(path)) {
            InceptionV3 network = new InceptionV3(path, file);
            features = network.apply(graph, x);
            graph.output(features);
            program = backend.compile(List.of(graph));
            network.load(program);
        }
    }

    /** What a report calls them. */
    public String name() {
        return "InceptionV3 (pool3, " + features.dim(1) + " features) with the weights " + path
                + "; the distances are FID and KID if these are pytorch-fid's";
    }

    /** Features [n][2048] of pictures of any sizes; grey ones are repeated in three channels. */
    public double[][] of(Collection<Picture> pictures) {
        double[][] found = new double[pictures.size()][features.dim(1)];
        float[] values = new float[x.size()];
        int done = 0;
        int waiting = 0;
        for (Picture picture : pictures) {
            enlarge(picture.withChannels(3), values, waiting++ * x.sizeFrom(1));
            if (waiting == BATCH || done + waiting == found.length) {
                run(values, found, done, waiting);
                done += waiting;
                waiting = 0;
            }
        }
        return found;
    }

    private void run(float[] values, double[][] found, int from, int count) {
        if (cancelled.getAsBoolean()) {
            throw new CancellationException("stopped");
        }
        program.write(x, values);
        program.run(graph);
        float[] f = program.read(features);
        for (int i = 0; i < count; i++) {
            for (int k = 0; k < found[from + i].length; k++) {
                found[from + i][k] = f[i * found[from + i].length + k];
            }
        }
        progress.accept(count);
    }

    /**
     * The picture in [-1, 1] at 299 x 299, as torch.nn.functional.interpolate makes it (mode="bilinear",
     * align_corners=False): larger pictures are not averaged.
     */
    private static void enlarge(Picture picture, float[] out, int offset) {
        int h = picture.height();
        int w = picture.width();
        byte[] data = picture.data();
        for (int row = 0; row < InceptionV3.SIDE; row++) {
            float y = source(row, h);
            int top = (int) y;
            int below = Math.min(top + 1, h - 1);
            for (int column = 0; column < InceptionV3.SIDE; column++) {
                float x = source(column, w);
                int left = (int) x;
                int right = Math.min(left + 1, w - 1);
                for (int c = 0; c < 3; c++) {
                    int plane = c * h * w;
                    double upper = mix(data, plane + top * w + left, plane + top * w + right, x - left);
                    double lower = mix(data, plane + below * w + left, plane + below * w + right, x - left);
                    double level = upper + (y - top) * (lower - upper);
                    out[offset + (c * InceptionV3.SIDE + row) * InceptionV3.SIDE + column] =
                            (float) (level / 127.5 - 1);
                }
            }
        }
    }

    /** In the precision of torch, which shows where squares of pixels meet. */
    private static float source(int place, int size) {
        return Math.max(0, (float) size / InceptionV3.SIDE * (place + 0.5f) - 0.5f);
    }

    private static double mix(byte[] data, int a, int b, double share) {
        int first = data[a] & 0xff;
        return first + share * ((data[b] & 0xff) - first);
    }

    @Override
    public void close() {
        program.close();
    }
}
