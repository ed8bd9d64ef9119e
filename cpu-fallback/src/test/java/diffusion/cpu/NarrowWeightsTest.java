package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.graph.Graph;
import diffusion.graph.MatrixOp.Window;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** Weights that are kept as they are stored give the bits that floats of the same values give, in less memory. */
class NarrowWeightsTest {
    private final Graph g = new Graph("layers");
    private final Map<Tensor, Integer> weights = new LinkedHashMap<>();
    private final List<Tensor> inputs = new ArrayList<>();
    private final List<Tensor> outputs = new ArrayList<>();

    NarrowWeightsTest() {
        linear(1, 64, 40);
        linear(50, 32, 33); // more rows than columns
        linear(5, 1984, 700); // more than one block of a sum, and of columns a worker
        linear(900, 1312, 45); // more rows than the second-level cache holds
        linear(3, 31, 20);
        convolution(64, 27, 1, 9, Window.of(1, 0));
        convolution(32, 40, 1, 20, Window.of(1, 0));
        convolution(20, 13, 3, 17, Window.of(1, 1)); // both kinds of minimal filtering
        convolution(11, 25, 3, 9, Window.of(1, 1));
        convolution(4, 14, 3, 19, Window.of(1, 1));
        convolution(9, 30, 3, 21, Window.of(2, 1));
    }

    private void linear(int rows, int in, int out) {
        Tensor y = g.linear(input(rows, in), weight(out, in), weight(out));
        outputs.add(g.output(y));
    }

    private void convolution(int in, int out, int size, int pixels, Window window) {
        Tensor y = g.conv2d(input(2, in, pixels, pixels + 2), weight(out, in, size, size), weight(out), window);
        outputs.add(g.output(y));
    }

    private Tensor input(int... shape) {
        Tensor input = g.input("x" + inputs.size(), shape);
        inputs.add(input);
        return input;
    }

    private Tensor weight(int... shape) {
        Tensor weight = new Tensor("w" + weights.size(), Tensor.Role.PARAMETER, shape);
        weights.put(weight, weights.size());
        return weight;
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "BF16", "Q8_0", "Q4_0"})
    void theSameBitsInLessMemory(GgmlType type) {
        try (CpuProgram wide = new CpuProgram(new Crew(2), List.of(g), Long.MAX_VALUE);
                CpuProgram narrow = new CpuProgram(new Crew(2), List.of(g), 0)) {
            long before = narrow.memoryBytes();
            for (CpuProgram program : List.of(wide, narrow)) {
                weights.forEach((weight, seed) -> program.fill(weight, elements(type, weight, seed)));
                inputs.forEach(x -> program.write(x, values(x, 7)));
                program.run(g);
            }
            for (Tensor y : outputs) {
                assertThat(narrow.read(y)).as(y.name()).isEqualTo(wide.read(y)).doesNotContain(Float.NaN);
            }
            weights.forEach((weight, seed) -> {
                float[] expected = new float[weight.size()];
                elements(type, weight, seed).accept(MemorySegment.ofArray(expected));
                assertThat(narrow.read(weight)).as(weight.name()).isEqualTo(expected);
            });
            assertThat(narrow.memoryBytes()).isLessThan(before - 400_000);
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16", "Q8_0"})
    void aWeightThatComesAsFloatsAfterwardsIsKeptAsFloats(GgmlType type) {
        try (CpuProgram program = new CpuProgram(new Crew(2), List.of(g), 0)) {
            for (Tensor weight : weights.keySet()) {
                program.fill(weight, elements(type, weight, 1));
                float[] other = values(weight, 2);
                program.write(weight, other);
                assertThat(program.read(weight)).isEqualTo(other);
            }
        }
    }

    @ParameterizedTest
    @EnumSource(names = {"F16"})
    void whatIsWrongWithAFileIsSaidAsItIs(GgmlType type) {
        Tensor weight = weights.keySet().iterator().next();
        Elements broken = new Elements() {
            @Override
            public GgmlType type() {
                return type;
            }

            @Override
            public void floats(long first, MemorySegment to) {
                throw new DiffusionException("expected finite weights");
            }

            @Override
            public void blocks(long first, MemorySegment to) {
                throw new DiffusionException("expected finite weights");
            }
        };
        try (CpuProgram program = new CpuProgram(new Crew(2), List.of(g), 0)) {
            assertThatThrownBy(() -> program.fill(weight, broken))
                    .isInstanceOf(DiffusionException.class)
                    .hasMessage("expected finite weights");
        }
    }

    private static float[] values(Tensor tensor, int seed) {
        Random random = new Random(seed);
        float[] values = new float[tensor.size()];
        for (int i = 0; i < values.length; i++) {
            values[i] = (float) random.nextGaussian() * 0.1f;
        }
        return values;
    }

    /** Numbers of a type as a file holds them; where blocks do not fit, floats. */
    private static Elements elements(GgmlType wanted, Tensor tensor, int seed) {
        boolean fits = tensor.size() % wanted.block() == 0;
        GgmlType type = fits ? wanted : GgmlType.F32;
        float[] values = values(tensor, seed);
        ByteBuffer stored =
                ByteBuffer.allocate(values.length / type.block() * type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        float[] block = new float[type.block()];
        for (int i = 0; i < values.length; i += block.length) {
            System.arraycopy(values, i, block, 0, block.length);
            type.write(block, stored);
        }
        MemorySegment file = MemorySegment.ofArray(stored.array());
        return new Elements() {
            @Override
            public GgmlType type() {
                return type;
            }

            @Override
            public void floats(long first, MemorySegment to) {
                float[] one = new float[type.block()];
                for (long i = 0; i < to.byteSize() / Float.BYTES; i += one.length) {
                    type.read(file, (first + i) / one.length * type.bytes(), one);
                    MemorySegment.copy(one, 0, to, ValueLayout.JAVA_FLOAT_UNALIGNED, i * Float.BYTES, one.length);
                }
            }

            @Override
            public void blocks(long first, MemorySegment to) {
                to.copyFrom(file.asSlice(first / type.block() * type.bytes(), to.byteSize()));
            }
        };
    }
}
