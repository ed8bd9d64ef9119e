package diffusion.benchmarks.natives;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import ai.onnxruntime.OrtSession.SessionOptions;
import diffusion.benchmarks.peers.Engine;
import diffusion.benchmarks.peers.Row;
import diffusion.io.DiffusionException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Objects;
import org.jspecify.annotations.Nullable;

/** ONNX Runtime's CPU provider with all of its graph optimisations. */
public final class OnnxEngine implements Engine {
    private static final String GRAPH = "model.onnx";

    private final Map<String, OnnxTensor> inputs = new LinkedHashMap<>();
    private @Nullable OrtSession session;
    private OrtSession.@Nullable Result result;

    @Override
    public String name() {
        return "onnxruntime";
    }

    @Override
    public boolean has(Row row) {
        return Files.exists(row.folder().resolve(GRAPH));
    }

    @Override
    public Loaded load(Row row, int threads) {
        OrtEnvironment environment = OrtEnvironment.getEnvironment();
        try (SessionOptions options = new SessionOptions()) {
            options.setOptimizationLevel(SessionOptions.OptLevel.ALL_OPT);
            options.setExecutionMode(SessionOptions.ExecutionMode.SEQUENTIAL);
            options.setIntraOpNumThreads(threads);
            options.setInterOpNumThreads(1);
            session = environment.createSession(row.graph(GRAPH).toString(), options);
            for (Map.Entry<String, Row.Values> input : row.inputValues().entrySet()) {
                long[] shape =
                        Arrays.stream(input.getValue().shape()).asLongStream().toArray();
                FloatBuffer values = FloatBuffer.wrap(input.getValue().data());
                inputs.put(input.getKey(), OnnxTensor.createTensor(environment, values, shape));
            }
        } catch (OrtException e) {
            throw new DiffusionException(String.valueOf(e.getMessage()), e);
        }
        return new Loaded("ONNX Runtime " + environment.getVersion(), 0, 0);
    }

    @Override
    public void run() {
        try {
            if (result != null) {
                result.close();
            }
            result = Objects.requireNonNull(session).run(inputs);
        } catch (OrtException e) {
            throw new DiffusionException(String.valueOf(e.getMessage()), e);
        }
    }

    @Override
    public float[] output() {
        OnnxTensor tensor = (OnnxTensor) Objects.requireNonNull(result).get(0);
        FloatBuffer buffer = tensor.getFloatBuffer();
        float[] values = new float[buffer.remaining()];
        buffer.get(values);
        return values;
    }

    @Override
    public void close() {
        try {
            if (result != null) {
                result.close();
            }
            inputs.values().forEach(OnnxTensor::close);
            if (session != null) {
                session.close();
            }
        } catch (OrtException e) {
            throw new DiffusionException(String.valueOf(e.getMessage()), e);
        }
    }
}
