package diffusion.metrics;

import diffusion.backend.Backend;
import diffusion.backend.Program;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;

/** A trained {@link Classifier} as a function from pictures to features and classes. */
public final class FeatureExtractor implements AutoCloseable {
    private static final int BATCH = 100;

    /** Features [n][F] and the recognised class of each picture. */
    @SuppressWarnings("ArrayRecordComponent") // handed over once, never compared
    public record Features(double[][] values, int[] classes) {}

    private final Classifier classifier;
    private final Graph graph = new Graph("classifier");
    private final Tensor x;
    private final Classifier.Output output;
    private final Program program;

    /** Loads a folder that {@link ClassifierTrainer} wrote. */
    public FeatureExtractor(Path folder, Backend backend) {
        classifier = open(folder);
        Classifier.Config c = classifier.config();
        x = graph.input("x", BATCH, c.channels(), c.size(), c.size());
        output = classifier.apply(graph, x);
        graph.output(output.features());
        graph.output(output.logits());
        program = backend.compile(List.of(graph));
        load(classifier, folder, program);
    }

    /** The network of a folder that {@link ClassifierTrainer} wrote. */
    public static Classifier open(Path folder) {
        Path config = folder.resolve("config.json");
        return new Classifier(Classifier.Config.read(Json.read(config), config.toString()));
    }

    /** Writes the weights of a folder into a program. */
    public static void load(Classifier classifier, Path folder, Program program) {
        load(classifier.parameters().all(), folder, program);
    }

    /** Writes some of the weights of a folder into a program. */
    static void load(Collection<Tensor> parameters, Path folder, Program program) {
        Path weights = folder.resolve("model.safetensors");
        try (SafeTensors tensors = SafeTensors.open(weights)) {
            for (Tensor parameter : parameters) {
                if (!tensors.contains(parameter.name())
                        || !Arrays.equals(tensors.shape(parameter.name()), parameter.shape())) {
                    throw new DiffusionException(weights + ": expected " + parameter + "; train the classifier anew");
                }
                program.write(parameter, tensors.floats(parameter.name()));
            }
        }
    }

    /** The configuration of the classifier. */
    public Classifier.Config config() {
        return classifier.config();
    }

    /** Runs pictures in [-1, 1], each [C, H, W]. */
    public Features of(List<float[]> pictures) {
        int n = pictures.size();
        int elements = x.sizeFrom(1);
        int width = output.features().dim(1);
        int classes = output.logits().dim(1);
        double[][] features = new double[n][width];
        int[] recognised = new int[n];
        for (int start = 0; start < n; start += BATCH) {
            int count = Math.min(BATCH, n - start);
            float[] values = new float[x.size()];
            for (int i = 0; i < count; i++) {
                System.arraycopy(pictures.get(start + i), 0, values, i * elements, elements);
            }
            program.write(x, values);
            program.run(graph);
            float[] f = program.read(output.features());
            float[] logits = program.read(output.logits());
            for (int i = 0; i < count; i++) {
                for (int k = 0; k < width; k++) {
                    features[start + i][k] = f[i * width + k];
                }
                for (int k = 1; k < classes; k++) {
                    if (logits[i * classes + k] > logits[i * classes + recognised[start + i]]) {
                        recognised[start + i] = k;
                    }
                }
            }
        }
        return new Features(features, recognised);
    }

    @Override
    public void close() {
        program.close();
    }
}
