package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Program;
import diffusion.cpu.CpuBackend;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.model.DeepFeatures;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.TorchRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Ways to spend model calls otherwise than one a step, with the built-in model. */
class SavingTest {
    private static final int SIDE = 28;
    private static final LoadedModel DIGITS = LoadedModel.open("digits");
    private static final double GUIDANCE = 1.5;

    /** Samples [N, 1, 28, 28], picture i with seed first + i and of class first + i, and what they took. */
    private record Made(float[] samples, ReverseProcess.Effort effort) {
        float[] picture(int n) {
            return Arrays.copyOfRange(samples, n * SIDE * SIDE, (n + 1) * SIDE * SIDE);
        }

        /** Root mean square difference. */
        double to(Made other) {
            double sum = 0;
            for (int i = 0; i < samples.length; i++) {
                sum += Math.pow(samples[i] - other.samples[i], 2) / samples.length;
            }
            return Math.sqrt(sum);
        }
    }

    private static Made make(String sampler, int steps, int first, int batch, String saving) {
        Scheduler scheduler = DIGITS.scheduler(sampler);
        scheduler.setTimesteps(steps);
        ReverseProcess process = Saving.process(
                saving.isEmpty() ? null : Saving.parse(saving),
                Sampling.of(
                        new ClassNetwork(DIGITS.model(), DIGITS.nullClass()), scheduler, true, batch, 1, SIDE, SIDE));
        try (Program program = new CpuBackend(1).compile(process.graphs())) {
            DIGITS.load(program::fill);
            List<TorchRandom> generators = new ArrayList<>();
            int[] labels = new int[batch];
            for (int i = 0; i < batch; i++) {
                generators.add(new TorchRandom(first + i));
                labels[i] = first + i;
            }
            List<Integer> told = new ArrayList<>();
            float[] samples = process.run(
                    program, generators, labels, GUIDANCE, null, () -> false, (done, _, _, _) -> told.add(done));
            assertThat(told).as("steps told").isSorted().doesNotHaveDuplicates();
            assertThat(told.getLast()).isEqualTo(scheduler.timesteps().length);
            return new Made(samples, process.effort());
        }
    }

    @Test
    void shallowRunOnWhatAFullOneKeptIsTheFullOne() {
        Graph full = new Graph("full");
        Graph shallow = new Graph("shallow");
        Tensor x = full.input("x", 2, 1, SIDE, SIDE);
        GuidedNetwork network = new GuidedNetwork(
                Sampling.of(new ClassNetwork(DIGITS.model(), 10), DIGITS.scheduler("ddim"), true, 2, 1, SIDE, SIDE),
                full,
                2,
                0);
        DeepFeatures deep = new DeepFeatures();
        Tensor first = full.output(network.apply(full, x, deep));
        Tensor second = shallow.output(network.apply(shallow, x, deep));
        assertThat(weights(full)).containsAll(weights(shallow));
        assertThat(shallow.ops().size()).isLessThan(full.ops().size() / 2);
        try (Program program = new CpuBackend(1).compile(List.of(full, shallow));
                Program alone = new CpuBackend(1).compile(List.of(full))) {
            assertThat(program.memoryBytes() - alone.memoryBytes())
                    .as("the shallow graph's inputs; the weights are 6 MB")
                    .isLessThan(1 << 20);
            DIGITS.load(program::fill);
            float[] state = new float[x.size()];
            new TorchRandom(5).normal(state);
            program.write(x, state);
            network.writeClasses(program, new int[] {3, 8});
            network.writeGuidance(program, GUIDANCE);
            network.writeTimesteps(program, 700, 300);
            program.run(full);
            float[] whole = program.read(first);
            program.run(shallow);
            assertThat(program.read(second)).isEqualTo(whole);
            network.writeTimesteps(program, 600);
            program.run(shallow);
            assertThat(program.read(second)).isNotEqualTo(whole);
        }
    }

    private static Set<Tensor> weights(Graph graph) {
        return graph.tensors().stream()
                .filter(tensor -> tensor.role() == Tensor.Role.PARAMETER)
                .collect(Collectors.toSet());
    }

    @Test
    void cacheOfOneStepIsPlainAndOfMoreIsNear() {
        Made plain = make("ddim", 12, 1, 2, "");
        assertThat(make("ddim", 12, 1, 2, "cache=1").samples).isEqualTo(plain.samples);
        Made cached = make("ddim", 12, 1, 2, "cache=3");
        assertThat(cached.effort.passes()).isEqualTo(12);
        assertThat(cached.effort.shallow()).isEqualTo(8);
        assertThat(cached.to(plain)).isBetween(0.01, 0.4);
    }

    /** Picard iteration with no tolerance leaves a state only when it is the sequential one. */
    @ParameterizedTest
    @ValueSource(strings = {"ddim", "ddpm", "euler"})
    void parallelStepsAreTheSequentialOnes(String sampler) {
        Made plain = make(sampler, 9, 0, 2, "");
        Made parallel = make(sampler, 9, 0, 2, "parallel=4:0");
        double largest = 0;
        for (float value : plain.samples) {
            largest = Math.max(largest, Math.abs(value));
        }
        for (int i = 0; i < plain.samples.length; i++) {
            assertThat(parallel.samples[i]).isCloseTo(plain.samples[i], within((float) (2e-4 * largest)));
        }
    }

    @Test
    void toleranceSavesRunsInTurnAtMoreCalls() {
        Made plain = make("ddim", 30, 0, 2, "");
        Made parallel = make("ddim", 30, 0, 2, "parallel=30:0.2");
        assertThat(parallel.effort.passes()).isLessThan(20);
        assertThat(parallel.effort.calls()[0]).isGreaterThan(30);
        double far = parallel.to(plain);
        assertThat(make("ddim", 30, 0, 2, "parallel=30:0.02").to(plain)).isLessThan(Math.min(0.05, far));
        assertThat(far).isLessThan(0.2);
    }

    @ParameterizedTest
    @ValueSource(strings = {"parallel=5:0.1", "adaptive=0.1", "corrector=1", "stop=0.05", "cache=2", "metropolis=2"})
    void picturesOfABatchAreThoseMadeAlone(String saving) {
        String sampler = "ddpm";
        Made together = make(sampler, 10, 2, 3, saving);
        for (int n = 0; n < 3; n++) {
            Made alone = make(sampler, 10, 2 + n, 1, saving);
            assertThat(together.picture(n)).as("picture " + n).isEqualTo(alone.samples);
            assertThat(together.effort.calls()[n]).isEqualTo(alone.effort.calls()[0]);
        }
    }

    @Test
    void adaptiveStepsComeToTheSolution() {
        Made solution = make("ddim", 500, 4, 2, "");
        Made fine = make("ddim", 1, 4, 2, "adaptive=0.01");
        Made coarse = make("ddim", 1, 4, 2, "adaptive=0.2");
        assertThat(fine.to(solution)).isLessThan(0.1);
        assertThat(coarse.effort.calls()[0])
                .isLessThan(8)
                .isLessThan(fine.effort.calls()[0] / 2);
        assertThat(coarse.to(solution)).isLessThan(make("ddim", 8, 4, 2, "").to(solution));
    }

    @Test
    void correctorCallsTheModelAtEveryLevelButTheFirst() {
        Made corrected = make("ddpm", 6, 0, 2, "corrector=2:0.1");
        assertThat(corrected.effort.calls()).containsOnly(6 + 5 * 2);
        assertThat(corrected.to(make("ddpm", 6, 0, 2, ""))).isGreaterThan(0.05);
    }

    @Test
    void stoppingEndsWithX0AtRest() {
        Made plain = make("ddim", 25, 0, 2, "");
        Made never = make("ddim", 25, 0, 2, "stop=0");
        assertThat(never.effort.calls()).containsOnly(25);
        assertThat(never.to(plain)).isLessThan(1e-3);
        Made early = make("ddim", 25, 0, 2, "stop=0.04");
        assertThat(Arrays.stream(early.effort.calls()).max().orElseThrow()).isLessThan(25);
        assertThat(early.to(plain)).isLessThan(0.3);
    }

    @Test
    void refusesWhatCannotBe() {
        assertThatThrownBy(() -> make("unipc", 5, 0, 1, "parallel=3"))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("--parallel: expected a sampler whose steps need no earlier ones")
                .hasMessageContaining("UniPCMultistepScheduler");
        assertThatThrownBy(() -> make("heun", 5, 0, 1, "corrector=1")).hasMessageContaining("--corrector: expected");
        assertThatThrownBy(() -> make("unipc", 5, 0, 1, "metropolis=1")).hasMessageContaining("--metropolis: expected");
        assertThatThrownBy(() -> make("ddim", 5, 0, 1, "metropolis=1:0")).hasMessageContaining("a size above 0");
        assertThatThrownBy(() -> make("ddim", 5, 0, 1, "jumps=0")).hasMessageContaining("of at least 1, found 0:2");
        assertThatThrownBy(() -> make("pndm", 5, 0, 1, "jumps=2")).hasMessageContaining("take ddim or ipndm");
        assertThatThrownBy(() -> make("ddim", 5, 0, 1, "parallel=0")).hasMessageContaining("a window of at least 1");
        assertThatThrownBy(() -> make("ddim", 5, 0, 1, "adaptive=0")).hasMessageContaining("a tolerance above 0");
        assertThatThrownBy(() -> make("ddim", 5, 0, 1, "cache=0")).hasMessageContaining("--cache: expected at least 1");
        for (String wrong : List.of("cache", "cache=a", "cache=2:3", "lazy=3", "stop=")) {
            assertThatThrownBy(() -> Saving.parse(wrong)).hasMessageContaining("expected cache=N");
        }
    }
}
