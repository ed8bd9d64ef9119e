package diffusion.benchmarks.natives;

import ai.djl.Device;
import ai.djl.engine.Engine;
import ai.djl.ndarray.NDArray;
import ai.djl.ndarray.NDList;
import ai.djl.ndarray.NDManager;
import ai.djl.ndarray.types.Shape;
import ai.djl.pytorch.engine.PtNDManager;
import ai.djl.pytorch.engine.PtSymbolBlock;
import ai.djl.pytorch.jni.JniUtils;
import ai.djl.training.ParameterStore;
import diffusion.benchmarks.peers.Row;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** libtorch through DJL, with frozen TorchScript. */
public final class TorchEngine implements diffusion.benchmarks.peers.Engine {
    private static final String GRAPH = "model.pt";

    private final NDList inputs = new NDList();
    private @Nullable NDManager manager;
    private @Nullable PtSymbolBlock block;
    private @Nullable ParameterStore store;
    private @Nullable NDList result;
    private boolean training;

    @Override
    public String name() {
        return "libtorch";
    }

    @Override
    public boolean has(Row row) {
        return Files.exists(row.folder().resolve(GRAPH));
    }

    @Override
    public Loaded load(Row row, int threads) {
        NDManager all = NDManager.newBaseManager(Device.cpu(), "PyTorch");
        JniUtils.setNumThreads(threads);
        training = row.kind() == Row.Kind.TRAIN;
        JniUtils.setGradMode(training);
        block = JniUtils.loadModule((PtNDManager) all, row.graph(GRAPH), false, new String[0], new String[0], training);
        row.inputValues().values().forEach(value -> {
            Shape shape = new Shape(Arrays.stream(value.shape()).asLongStream().toArray());
            inputs.add(all.create(value.data(), shape));
        });
        manager = all;
        store = new ParameterStore(all, false);
        return new Loaded(
                "libtorch %s (DJL), %d threads"
                        .formatted(Engine.getEngine("PyTorch").getVersion(), JniUtils.getNumThreads()),
                0,
                0);
    }

    @Override
    public void run() {
        if (result != null) {
            result.close();
        }
        result = Objects.requireNonNull(block).forward(Objects.requireNonNull(store), inputs, training);
    }

    @Override
    public float[] output() {
        NDArray array = Objects.requireNonNull(result).singletonOrThrow();
        return array.toFloatArray();
    }

    @Override
    public void close() {
        if (manager != null) {
            manager.close();
        }
    }
}
