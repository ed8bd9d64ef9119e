package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import java.net.URISyntaxException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.DynamicTest;
import org.junit.jupiter.api.TestFactory;

/** Every stored run of diffusers' schedulers, step by step; scripts/golden/schedulers.py says how they were made. */
class SchedulerTraceTest {
    private static final int SAMPLES = 2;
    private static final int D = 12; // [3, 2, 2]

    @TestFactory
    List<DynamicTest> everyStepAgrees() {
        List<DynamicTest> tests = new ArrayList<>();
        try (SafeTensors golden = SafeTensors.open(path())) {
            for (JsonNode run : Json.parse(golden.metadata().getOrDefault("cases", ""), "golden cases")) {
                float[] states = golden.floats(run.path("name").textValue());
                tests.add(DynamicTest.dynamicTest(run.toString(), () -> check(run, states)));
            }
        }
        assertThat(tests).hasSizeGreaterThan(340);
        return tests;
    }

    private static Path path() {
        try {
            return Path.of(
                    Objects.requireNonNull(SchedulerTraceTest.class.getResource("/golden/schedulers.safetensors"))
                            .toURI());
        } catch (URISyntaxException e) {
            throw new IllegalStateException(e);
        }
    }

    private static void check(JsonNode run, float[] states) {
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.of(run.path("config"), "golden"));
        double[] expected = numbers(run.path("timesteps"));
        prepare(scheduler, run);
        if (run.has("sigmas")) {
            scheduler.setSigmas(numbers(run.path("sigmas")));
        } else if (run.path("custom").isArray()) {
            scheduler.setTimesteps(Arrays.stream(numbers(run.path("custom")))
                    .mapToInt(t -> (int) t)
                    .toArray());
        } else {
            scheduler.setTimesteps(run.path("steps").intValue());
        }
        assertThat(scheduler.timesteps()).containsExactly(expected, offset(1e-3));
        if (run.has("scales")) {
            double sigma = run.path("init_noise_sigma").doubleValue();
            assertThat(scheduler.initNoiseSigma()).isCloseTo(sigma, offset(1e-6 * sigma));
        }

        RandomSource noise = new TorchRandom(0);
        RandomSource outputs = new TorchRandom(1);
        List<double[]> history = new ArrayList<>();
        List<double[]> storedHistory = new ArrayList<>();
        double[] free = normal(noise); // follows its own steps, not the stored states
        assertClose(free, states, 0, 0x1p-30);
        for (int i = 0; i < expected.length; i++) {
            Step step = scheduler.step(i);
            double scale = run.has("scales") ? run.path("scales").get(i).doubleValue() : 1;
            assertThat(scheduler.inputScale(i)).isCloseTo(scale, offset(1e-6 * scale));
            double[] m =
                    output(outputs, run.path("config").path("variance_type").asText(""));
            double[] z = step.needsNoise() ? normal(noise) : null;
            double[] stored = widen(Arrays.copyOfRange(states, i * SAMPLES * D, (i + 1) * SAMPLES * D));
            assertClose(step.apply(stored, m, z, storedHistory, SAMPLES), states, i + 1, 2e-6);
            free = step.apply(free, m, z, history, SAMPLES);
            assertClose(free, states, i + 1, 5e-6);
        }
    }

    /** What diffusers takes as arguments of set_timesteps and step. */
    private static void prepare(Scheduler scheduler, JsonNode run) {
        double eta = run.path("eta").asDouble(0);
        double mu = run.path("mu").asDouble(Double.NaN);
        double[] c = numbers(run.path("churn"));
        Churn churn = c.length == 0 ? Churn.NONE : new Churn(c[0], c[1], c[2], c[3]);
        switch (scheduler) {
            case DDIMScheduler ddim -> {
                ddim.setEta(eta);
                ddim.setUseClippedModelOutput(run.path("clipped").asBoolean(false));
            }
            case TCDScheduler tcd -> tcd.setEta(eta);
            case EulerDiscreteScheduler euler -> euler.setChurn(churn);
            case EDMEulerScheduler euler -> euler.setChurn(churn);
            case FlowMatchHeunDiscreteScheduler heun -> heun.setChurn(churn);
            case FlowMatchEulerDiscreteScheduler euler -> euler.setMu(mu);
            case UniPCMultistepScheduler unipc -> unipc.setMu(mu);
            default -> {}
        }
    }

    private static double[] numbers(JsonNode array) {
        double[] values = new double[array.size()];
        Arrays.setAll(values, i -> array.get(i).doubleValue());
        return values;
    }

    private static void assertClose(double[] found, float[] states, int at, double tolerance) {
        double largest = 1;
        double error = 0;
        for (int i = 0; i < found.length; i++) {
            float expected = states[at * SAMPLES * D + i];
            largest = Math.max(largest, Math.abs(expected));
            error = Math.max(error, Math.abs(found[i] - expected));
        }
        assertThat(error / largest).as("state %d", at).isLessThan(tolerance);
    }

    private static double[] output(RandomSource random, String variance) {
        double[] m = normal(random);
        if (!variance.startsWith("learned")) {
            return m;
        }
        float[] v = new float[SAMPLES * D];
        random.uniform(v);
        double[] both = new double[2 * SAMPLES * D];
        for (int i = 0; i < v.length; i++) {
            int at = i / D * 2 * D + i % D;
            both[at] = m[i];
            both[at + D] = variance.equals("learned") ? v[i] : 2 * v[i] - 1;
        }
        return both;
    }

    private static double[] normal(RandomSource random) {
        float[] z = new float[SAMPLES * D];
        random.normal(z);
        return widen(z);
    }

    private static double[] widen(float[] values) {
        double[] wide = new double[values.length];
        Arrays.setAll(wide, i -> values[i]);
        return wide;
    }
}
