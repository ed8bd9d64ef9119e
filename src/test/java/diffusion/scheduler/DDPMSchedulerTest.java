package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import java.util.ArrayList;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DDPMSchedulerTest {
    private static final SchedulerConfig L = SchedulerConfig.defaults("DDPMScheduler");

    @ParameterizedTest
    @CsvSource({"487, 0.00979", "999, 0.02"})
    void publishedVariance(int t, double expected) {
        assertThat(new DDPMScheduler(L).variance(999 - t)).isCloseTo(expected, offset(1e-5));
    }

    @Test
    void varianceEndsAtTheClamp() {
        assertThat(new DDPMScheduler(L).variance(999)).isCloseTo(1e-20, offset(1e-26));
        assertThat(new DDPMScheduler(L).step(999).needsNoise()).isFalse();
    }

    @Test
    void fixedLargeIsBeta() {
        for (String type : new String[] {"fixed_large", "fixed_large_log"}) {
            Step step = new DDPMScheduler(L.with("variance_type", type)).step(500);
            assertThat(step.noise() * step.noise()).isCloseTo(Betas.linear(1000, 1e-4, 0.02)[499], offset(1e-7));
        }
    }

    @Test
    void learnedVarianceReadsTheSecondHalf() {
        Step step = new DDPMScheduler(L.with("variance_type", "learned")).step(500);
        assertThat(step.varianceKind()).isEqualTo(VarianceKind.LEARNED);
        double[] m = {0, 0, 0.04, 0.09, 0, 0, 0.16, 0.25};
        double[] out = step.apply(new double[4], m, new double[] {1, 1, 1, 1}, new ArrayList<>(), 2);
        assertThat(out).containsExactly(new double[] {0.2, 0.3, 0.4, 0.5}, offset(1e-12));
    }

    @Test
    void learnedRangeInterpolatesLogVariances() {
        Step step = new DDPMScheduler(L.with("variance_type", "learned_range")).step(512); // t = 487
        DDPMScheduler small = new DDPMScheduler(L);
        double beta = Betas.linear(1000, 1e-4, 0.02)[487];
        double[] m = {0, 0, 0, -1, 1, 0};
        double[] out = step.apply(new double[3], m, new double[] {1, 1, 1}, new ArrayList<>(), 1);
        assertThat(out[0]).isCloseTo(Math.sqrt(small.variance(512)), offset(1e-6));
        assertThat(out[1]).isCloseTo(Math.sqrt(beta), offset(1e-6));
        assertThat(out[2]).isCloseTo(Math.sqrt(out[0] * out[1]), offset(1e-6));
    }

    @Test
    void customTimestepsStepToTheNextEntry() {
        DDPMScheduler scheduler = new DDPMScheduler(L);
        scheduler.setTimesteps(new int[] {100, 87, 50, 1, 0});
        assertThat(scheduler.timesteps()).containsExactly(100, 87, 50, 1, 0);
        NoiseSchedule noise = scheduler.noise();
        double ratio = (double) noise.alphaBar(100) / noise.alphaBar(87);
        assertThat(scheduler.step(0).cx())
                .isCloseTo(Math.sqrt(ratio) * (1 - noise.alphaBar(87)) / (1 - noise.alphaBar(100)), offset(1e-6));
        assertThatThrownBy(() -> scheduler.setTimesteps(new int[] {100, 87, 50, 51, 0}))
                .hasMessageContaining("descending")
                .hasMessageContaining("51");
        assertThatThrownBy(() -> scheduler.setTimesteps(new int[] {1000})).hasMessageContaining("0 to 999");
        assertThatThrownBy(() -> scheduler.setTimesteps(new int[0])).hasMessageContaining("at least one");
    }

    @Test
    void unknownVarianceTypeIsRefusedAtOnce() {
        assertThatThrownBy(() -> new DDPMScheduler(L.with("variance_type", "wide")))
                .hasMessageContaining("\"wide\"")
                .hasMessageContaining("learned_range");
    }
}
