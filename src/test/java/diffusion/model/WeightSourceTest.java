package diffusion.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.graph.Parameters;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights so large that they are read in several runs, by several threads. */
class WeightSourceTest {
    private static final int ROWS = 777;
    private static final int COLUMNS = 1003;

    @TempDir
    @SuppressWarnings("NullAway.Init")
    Path folder;

    private static float[] loaded(Path file) {
        Parameters parameters = new Parameters();
        parameters.declare("weight", new Parameters.Init.Constant(0), ROWS, COLUMNS);
        float[] values = new float[ROWS * COLUMNS];
        WeightSource.inFile(file).load(parameters, (_, fill) -> fill.accept(MemorySegment.ofArray(values)));
        return values;
    }

    private Path file(float[] values, DType dtype) {
        Path file = folder.resolve("model.safetensors");
        SafeTensors.write(file, Map.of("weight", TensorData.of(new int[] {ROWS, COLUMNS}, values)), Map.of(), dtype);
        return file;
    }

    @Test
    void aVariantIsTakenWhereItIsTheOnlyOne() throws IOException {
        Path only = Files.writeString(folder.resolve("diffusion_pytorch_model.non_ema.safetensors"), "");
        Files.writeString(folder.resolve("other.safetensors"), "");
        assertThat(WeightSource.inFolder(folder).path()).isEqualTo(only);
        Path second = Files.writeString(folder.resolve("model.safetensors.index.bf16.json"), "");
        assertThatThrownBy(() -> WeightSource.inFolder(folder))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("one set of weights")
                .hasMessageContaining("non_ema")
                .hasMessageContaining("bf16");
        Files.delete(second);
        Path half = Files.writeString(folder.resolve("diffusion_pytorch_model.fp16.safetensors"), "");
        assertThat(WeightSource.inFolder(folder).path()).isEqualTo(half);
        assertThatThrownBy(() -> WeightSource.inFolder(folder.resolve("none"))).hasMessageContaining("no weights");
    }

    @ParameterizedTest
    @EnumSource(names = {"F32", "F16", "BF16"})
    void everyElementArrivesOrTheFileIsRefused(DType dtype) {
        Random random = new Random(1);
        float[] values = new float[ROWS * COLUMNS];
        for (int i = 0; i < values.length; i++) {
            float value = (float) random.nextGaussian();
            values[i] = switch (dtype) {
                case F16 -> Float.float16ToFloat(Float.floatToFloat16(value));
                case BF16 -> DType.bfloat16ToFloat(DType.floatToBfloat16(value));
                default -> value;
            };
        }
        assertThat(loaded(file(values, dtype))).isEqualTo(values);
        for (int place : new int[] {0, 300_000, values.length - 1}) {
            float[] damaged = values.clone();
            damaged[place] = place == 0 ? Float.NaN : Float.NEGATIVE_INFINITY;
            Path file = file(damaged, dtype);
            assertThatThrownBy(() -> loaded(file))
                    .isInstanceOf(DiffusionException.class)
                    .hasMessageContaining("expected finite weights, found " + damaged[place] + " in weight");
        }
    }
}
