package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import diffusion.backend.Program;
import diffusion.cpu.CpuBackend;
import diffusion.graph.Graph;
import diffusion.graph.Tensor;
import diffusion.model.DeepFeatures;
import diffusion.scheduler.NoiseSchedule;
import diffusion.scheduler.RePaintScheduler;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import diffusion.scheduler.TorchRandom;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Runs that go back, on data of which all is known: independent Gaussian pixels of one variance. */
class JumpLoopTest {
    private static final int SIDE = 24;
    private static final double VARIANCE = 0.25;

    /** What a perfect model of noise answers about such data: a multiple of x that the timestep says. */
    private record Perfect(NoiseSchedule schedule) implements GuidedNetwork.Network {
        @Override
        public Tensor apply(Graph g, Tensor x, Tensor timestep, @Nullable DeepFeatures deep) {
            float[] gains = new float[schedule.length()];
            for (int t = 0; t < gains.length; t++) {
                double a = schedule.alphaBar(t);
                gains[t] = (float) (Math.sqrt(1 - a) / (a * VARIANCE + 1 - a));
            }
            Tensor gain = g.embedding(timestep, g.constant("gains", gains, gains.length, 1)); // [N, 1]
            return g.linearCombination(List.of(x), gain);
        }
    }

    private static Scheduler scheduler(String name, int steps) {
        Scheduler scheduler = SchedulerFactory.byName(
                name,
                SchedulerConfig.defaults("DDIMScheduler")
                        .with("timestep_spacing", "trailing")
                        .with("clip_sample", false));
        scheduler.setTimesteps(steps);
        return scheduler;
    }

    private record Made(float[] samples, ReverseProcess.Effort effort, int told) {
        double variance() {
            double sum = 0;
            for (float value : samples) {
                sum += (double) value * value / samples.length;
            }
            return sum;
        }
    }

    private static Made make(Scheduler scheduler, String saving) {
        int batch = 4;
        ReverseProcess process = Saving.process(
                saving.isEmpty() ? null : Saving.parse(saving),
                Sampling.of(new Perfect(scheduler.noise()), scheduler, false, batch, 1, SIDE, SIDE));
        try (Program program = new CpuBackend(1).compile(process.graphs())) {
            process.graphs().forEach(graph -> graph.constants().forEach(program::write));
            List<TorchRandom> generators = new ArrayList<>();
            for (int i = 0; i < batch; i++) {
                generators.add(new TorchRandom(i));
            }
            int[] last = new int[1];
            float[] samples =
                    process.run(program, generators, new int[batch], 1, null, () -> false, (done, steps, _, _) -> {
                        assertThat(done).isEqualTo(last[0] + 1).isLessThanOrEqualTo(steps);
                        last[0] = done;
                    });
            return new Made(samples, process.effort(), last[0]);
        }
    }

    @ParameterizedTest
    @CsvSource({"10,3,2", "10,3,4", "10,10,5", "12,4,3", "7,1,2", "9,2,1"})
    void goesTheWayOfRePaint(int steps, int length, int times) {
        RePaintScheduler repaint = new RePaintScheduler(SchedulerConfig.defaults("RePaintScheduler"));
        repaint.setJumps(length, times);
        repaint.setTimesteps(steps);
        int stride = 1000 / steps;
        List<Integer> expected = Arrays.stream(repaint.timesteps())
                .mapToObj(t -> (int) t / stride)
                .toList();
        Scheduler scheduler = scheduler("ddim", steps);
        JumpLoop loop = (JumpLoop) Saving.process(
                new Saving.Jumps(length, times),
                Sampling.of(new Perfect(scheduler.noise()), scheduler, false, 1, 1, 8, 8));
        List<Integer> found = new ArrayList<>();
        for (JumpLoop.Stretch stretch : loop.stretches(0, steps)) {
            for (int i = stretch.from(); i < stretch.to(); i++) {
                found.add(steps - 1 - i);
            }
        }
        assertThat(found).isEqualTo(expected);
        assertThat(loop.steps(0, steps)).isEqualTo(expected.size());
    }

    /** Fresh noise of the right strength, and nothing else, keeps the distribution. */
    @ParameterizedTest
    @ValueSource(strings = {"ddim", "ddpm", "euler", "euler_a", "heun", "dpmsolver++", "unipc", "deis", "dpm2"})
    void keepsTheDistribution(String sampler) {
        Scheduler scheduler = scheduler(sampler, 50);
        Made plain = make(scheduler, "");
        Made jumping = make(scheduler, "jumps=10:4");
        assertThat(jumping.variance())
                .isCloseTo(VARIANCE, within(0.04 * VARIANCE + Math.abs(plain.variance() - VARIANCE)));
        int order = scheduler.order();
        int calls = scheduler.timesteps().length;
        // Four stretches of ten steps, gone through three times more; the last of a two-call sampler is one call less.
        assertThat(jumping.effort.calls()).containsOnly(calls + 3 * (4 * 10 * order - (order - 1)));
        assertThat(jumping.told).isEqualTo(jumping.effort.passes());
        double correlation = 0;
        for (int i = 0; i < plain.samples.length; i++) {
            correlation += plain.samples[i] * jumping.samples[i] / plain.samples.length / VARIANCE;
        }
        assertThat(correlation).as("with the run without jumps").isLessThan(0.9);
    }

    @Test
    void onceIsTheSamplerItself() {
        Scheduler scheduler = scheduler("dpmsolver++", 12);
        assertThat(make(scheduler, "jumps=3:1").samples).isEqualTo(make(scheduler, "").samples);
    }
}
