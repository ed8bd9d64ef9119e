package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import diffusion.graph.SamplerStep;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class StepTest {
    private static final Step.Denoiser SAMPLE = new Step.Denoiser(0, 1, -1, 1, 0, 1);

    @Test
    void pushesTheEntryOfTheStateBeforeTheStep() {
        List<double[]> history = new ArrayList<>(List.of(new double[] {10, 20}));
        Step step = SAMPLE.step(2, 0, 3).withHistory(0.5).withPush(1, 0, -1);
        double[] out = step.apply(new double[] {1, 2}, new double[] {0.5, 7}, null, history, 1);
        assertThat(out).containsExactly(2 + 1.5 + 5, 4 + 3 + 10); // 7 is clipped to 1
        assertThat(history).hasSize(2);
        assertThat(history.getFirst()).containsExactly(0.5, 1);
        assertThat(history.get(1)).containsExactly(10, 20);
    }

    @Test
    void heunFitsWithTheFirstSlopeAsHistory() {
        // dx/ds = x from s = 1 to 2 in one Heun step: x (1 + h + h^2 / 2)
        Step.Denoiser raw = new Step.Denoiser(0, 1, Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, 0, 1);
        List<double[]> history = new ArrayList<>();
        double h = 1;
        double[] x = {3};
        x = raw.step(1, h, 0).withPush(0, 1, 0).apply(x, x, null, history, 1);
        // x_saved = x - h d, so x_saved + (d + d2) h / 2 = x + h / 2 d2 - h / 2 d
        x = raw.step(1, h / 2, 0).withHistory(-h / 2).apply(x, x, null, history, 1);
        assertThat(x[0]).isCloseTo(3 * 2.5, offset(1e-12));
    }

    @Test
    void dynamicThresholdingIsPerSample() {
        Step step = new Step.Denoiser(0, 1, -1, 1, 0.5, 3).step(0, 0, 1);
        double[] m = {0.1, -0.2, 0.3, 2, -4, 6, 50, 80, -70};
        double[] x0 = step.apply(new double[9], m, null, new ArrayList<>(), 3);
        // medians 0.2 (bounded to 1), 4 (bounded to 3), 70 (bounded to 3)
        double[] expected = {0.1, -0.2, 0.3, 2.0 / 3, -1, 1, 1, 1, -1};
        assertThat(x0).containsExactly(expected, offset(1e-12));
    }

    @Test
    void floatsFollowTheLayoutOfTheOp() {
        Step step = SAMPLE.step(2, 3, 4)
                .withHistory(7, 8)
                .withNoise(0.5, VarianceKind.LEARNED_RANGE, -9, -8)
                .withPush(5, 6, 1);
        float[] c = step.toFloats(3);
        assertThat(c).hasSize(SamplerStep.H + 3);
        assertThat(c[SamplerStep.PM]).isEqualTo(1);
        assertThat(c[SamplerStep.CX]).isEqualTo(2);
        assertThat(c[SamplerStep.VARIANCE]).isEqualTo(2);
        assertThat(c[SamplerStep.VAR_MIN]).isEqualTo(-9);
        assertThat(c[SamplerStep.EM]).isEqualTo(6);
        assertThat(c[SamplerStep.PUSH]).isEqualTo(1);
        assertThat(c[SamplerStep.H + 1]).isEqualTo(8);
        assertThat(c[SamplerStep.H + 2]).isZero();
    }
}
