package diffusion.pipeline;

import static org.assertj.core.api.Assertions.assertThat;

import diffusion.backend.Program;
import diffusion.backend.reference.ReferenceBackend;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.util.List;
import org.junit.jupiter.api.Test;

class SamplingLoopTest {
    @Test
    void everyRunBeginsWithoutHistory() {
        Scheduler scheduler = SchedulerFactory.create(
                SchedulerConfig.defaults("PNDMScheduler").with("skip_prk_steps", true));
        scheduler.setTimesteps(10);
        scheduler.setBeginIndex(-10); // the first call reads all older slopes
        GuidedNetwork.Network network =
                (g, x, t, _) -> g.addChannel(g.scale(x, 0.3f), g.scale(g.reshape(t, t.size(), 1), 0));
        SamplingLoop loop = new SamplingLoop(Sampling.of(network, scheduler, false, 1, 1, 1, 2), 1);
        float[] start = {0.4f, -0.7f};
        try (Program program = new ReferenceBackend().compile(loop.graphs())) {
            loop.graphs().forEach(graph -> graph.constants().forEach(program::write));
            List<RandomSource> random = List.of(RandomSource.of(RandomSource.Kind.TORCH, 0));
            float[] first = loop.run(program, random, 1, () -> start, () -> false, (_, _, _, _) -> {});
            float[] second = loop.run(program, random, 1, () -> start, () -> false, (_, _, _, _) -> {});
            assertThat(second).isEqualTo(first).isNotEqualTo(start);
        }
    }
}
