package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import diffusion.io.DiffusionException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.zip.CRC32;
import org.junit.jupiter.api.Test;

/** Numbers printed by PyTorch, in the fewest digits that give back the same float32. */
class RandomSourceTest {
    private static float[] normal(RandomSource random, int n) {
        float[] out = new float[n];
        random.normal(out);
        return out;
    }

    @Test
    void torchNormalInBlocks() {
        RandomSource random = RandomSource.of("torch", 0);
        float[] first = normal(random, 768);
        assertThat(Arrays.copyOf(first, 8))
                .containsExactly(
                        -1.1258398f,
                        -1.1523602f,
                        -0.25057858f,
                        -0.4338788f,
                        0.84871036f,
                        0.69200915f,
                        -0.31601277f,
                        -2.1152194f);
        assertThat(Arrays.copyOfRange(first, 765, 768)).containsExactly(1.6552757f, 0.5203718f, -0.23261602f);
        assertThat(Arrays.copyOf(normal(random, 768), 4))
                .containsExactly(0.49741665f, 0.26852223f, 1.4768786f, 0.35479507f);
    }

    @Test
    void torchNormalWithARaggedEnd() {
        float[] z = normal(new TorchRandom(42), 100);
        assertThat(Arrays.copyOf(z, 4)).containsExactly(1.9269153f, 1.4872841f, 0.9007172f, -2.105521f);
        assertThat(Arrays.copyOfRange(z, 96, 100)).containsExactly(-0.98643863f, 0.12329912f, 0.34986776f, 0.6172807f);
    }

    @Test
    void torchNormalBelowABlockKeepsTheSecondOfAPair() {
        float[] expected = {1.5409961f, -0.2934289f, -2.1787894f, 0.5684313f, -1.0845224f};
        assertThat(normal(new TorchRandom(0), 5)).containsExactly(expected, offset(1e-7f));
        TorchRandom random = new TorchRandom(0);
        float[] single = new float[5];
        for (int i = 0; i < 5; i++) {
            single[i] = normal(random, 1)[0];
        }
        assertThat(single).containsExactly(expected, offset(1e-7f));
    }

    @Test
    void torchUniformAndPermutation() {
        float[] u = new float[4];
        new TorchRandom(0).uniform(u);
        assertThat(u).containsExactly(new float[] {0.4962566f, 0.7682218f, 0.0884774f, 0.1320305f}, offset(1e-7f));
        assertThat(new TorchRandom(0).permutation(10)).containsExactly(4, 1, 7, 5, 3, 9, 0, 8, 6, 2);
    }

    /** Checksums of what torch 2.13 drew in this order from seed 12345: equal to the last bit of every number. */
    @Test
    void torchStreamsAgreeToTheLastBit() {
        TorchRandom random = new TorchRandom(12345);
        assertThat(crc(normal(random, 20_001))).isEqualTo(0x8209205cL);
        long[] integers = new long[500];
        random.integers(0, 1000, integers);
        assertThat(crc(integers)).isEqualTo(0xa9da5a91L);
        random.integers(-5, 1L << 40, integers);
        assertThat(crc(integers)).isEqualTo(0xa013b177L);
        assertThat(crc(Arrays.stream(random.permutation(60_000)).asLongStream().toArray()))
                .isEqualTo(0xc4707a74L);
        float[] uniform = new float[777];
        random.uniform(uniform);
        assertThat(crc(uniform)).isEqualTo(0xb2052cc9L);
        assertThat(crc(normal(random, 7))).isEqualTo(0x62c70715L);
    }

    private static long crc(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (float value : values) {
            bytes.putFloat(value);
        }
        return crc(bytes);
    }

    private static long crc(long[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(8 * values.length).order(ByteOrder.LITTLE_ENDIAN);
        for (long value : values) {
            bytes.putLong(value);
        }
        return crc(bytes);
    }

    private static long crc(ByteBuffer bytes) {
        CRC32 crc = new CRC32();
        crc.update(bytes.flip());
        return crc.getValue();
    }

    @Test
    void philoxNormal() {
        RandomSource random = RandomSource.of("cuda", 0);
        assertThat(normal(random, 6))
                .containsExactly(
                        new float[] {-0.9246625f, -0.4253440f, -2.6438458f, 0.1451839f, -0.1208665f, -0.5797257f},
                        offset(2e-7f));
        assertThat(normal(random, 4))
                .containsExactly(new float[] {0.1808260f, -0.5522627f, 0.9238134f, -0.7349705f}, offset(2e-7f));
        assertThat(normal(new PhiloxRandom(42), 4))
                .containsExactly(new float[] {0.1940189f, 2.1613739f, -0.1720509f, 0.8490601f}, offset(2e-7f));
        assertThat(normal(new PhiloxRandom(42L << 32), 4)).isNotEqualTo(normal(new PhiloxRandom(0), 4));
    }

    @Test
    void everyKindStaysInRangeAndResumesExactly() {
        for (RandomSource.Kind kind : RandomSource.Kind.values()) {
            RandomSource random = RandomSource.of(kind, 7);
            normal(random, 3);
            normal(random, 1001);
            byte[] state = random.state();
            float[] expected = normal(random, 5);
            long[] integers = new long[1000];
            random.integers(-3, 4, integers);
            assertThat(Arrays.stream(integers).min()).hasValue(-3);
            assertThat(Arrays.stream(integers).max()).hasValue(3);
            int[] order = random.permutation(100);
            assertThat(Arrays.stream(order).distinct().count()).isEqualTo(100);

            RandomSource other = RandomSource.of(kind, 99);
            other.restore(state);
            assertThat(normal(other, 5)).containsExactly(expected);
            long[] again = new long[1000];
            other.integers(-3, 4, again);
            assertThat(again).containsExactly(integers);
            assertThat(other.permutation(100)).containsExactly(order);
        }
    }

    @Test
    void normalNumbersAreNormal() {
        for (RandomSource.Kind kind : RandomSource.Kind.values()) {
            float[] z = normal(RandomSource.of(kind, 3), 100_000);
            double sum = 0;
            double squares = 0;
            for (float v : z) {
                sum += v;
                squares += v * v;
            }
            assertThat(sum / z.length).isCloseTo(0, offset(0.01));
            assertThat(squares / z.length).isCloseTo(1, offset(0.02));
        }
    }

    @Test
    void refusesForeignStates() {
        assertThatThrownBy(() -> new TorchRandom(0).restore(new PhiloxRandom(0).state()))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("torch generator");
        assertThatThrownBy(() -> new PhiloxRandom(0).restore(new byte[0])).hasMessageContaining("cuda generator");
        assertThatThrownBy(() -> RandomSource.of("numpy", 0)).hasMessageContaining("torch or cuda");
        assertThatThrownBy(() -> new TorchRandom(0).integers(3, 3, new long[1])).hasMessageContaining("[3, 3)");
    }
}
