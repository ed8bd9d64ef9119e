package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.model.Golden;
import org.junit.jupiter.api.Test;

/** torch's CPU generator at every length around its block of 16, with large seeds, and through mixed calls. */
class TorchRandomGoldenTest {
    private final Golden golden = Golden.read("rng");

    @Test
    void everyLengthAndSeedAgrees() {
        for (JsonNode seed : golden.facts().path("seeds")) {
            String name = seed.textValue();
            float[] found = new float[820];
            int at = 0;
            for (int n = 1; n <= 40; n++) {
                at = append(found, at, draw(new TorchRandom(Long.parseLong(name)), "randn", n));
            }
            assertThat(found).as("seed %s", name).containsExactly(golden.floats("randn_1_to_40." + name));
            assertThat(draw(new TorchRandom(Long.parseLong(name)), "randn", 1000))
                    .as("seed %s", name)
                    .containsExactly(golden.floats("randn_1000." + name));
        }
    }

    @Test
    void mixedCallsAgree() {
        for (JsonNode seed : golden.facts().path("seeds")) {
            String name = seed.textValue();
            TorchRandom random = new TorchRandom(Long.parseLong(name));
            float[] expected = golden.floats("mixed." + name);
            float[] found = new float[expected.length];
            int at = 0;
            for (JsonNode call : golden.facts().path("mixed")) {
                at = append(
                        found,
                        at,
                        draw(random, call.get(0).textValue(), call.get(1).intValue()));
            }
            assertThat(found).as("seed %s", name).containsExactly(expected);
        }
    }

    private static int append(float[] all, int at, float[] values) {
        System.arraycopy(values, 0, all, at, values.length);
        return at + values.length;
    }

    private static float[] draw(TorchRandom random, String function, int n) {
        float[] out = new float[n];
        switch (function) {
            case "randn" -> random.normal(out);
            case "rand" -> random.uniform(out);
            case "randint" -> {
                long[] integers = new long[n];
                random.integers(0, 1000, integers);
                for (int i = 0; i < n; i++) {
                    out[i] = integers[i];
                }
            }
            case "randperm" -> {
                int[] order = random.permutation(n);
                for (int i = 0; i < n; i++) {
                    out[i] = order[i];
                }
            }
            default -> throw new AssertionError(function);
        }
        return out;
    }
}
