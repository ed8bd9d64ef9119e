package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;
import static org.assertj.core.api.Assertions.within;

import org.junit.jupiter.api.Test;

/** Constants of diffusers' schedules, to the nine digits that tell float32 numbers apart. */
class BetasTest {
    /** beta[0], beta[1], beta[N-1], alphaBar[0], [1], [499], [N-2], [N-1]. */
    private static void check(float[] betas, double... expected) {
        float[] alphaBar = Betas.cumulativeAlphas(betas);
        int n = betas.length;
        float[] found = {
            betas[0], betas[1], betas[n - 1], alphaBar[0], alphaBar[1], alphaBar[499], alphaBar[n - 2], alphaBar[n - 1]
        };
        for (int i = 0; i < found.length; i++) {
            // the last entries multiply a thousand factors, each with its own last bit
            double tolerance = i < 5 ? 6e-8 : 3e-7;
            assertThat((double) found[i])
                    .as("entry %d", i)
                    .isCloseTo(expected[i], within(Math.max(1e-15, tolerance * Math.max(expected[i], 1e-8))));
        }
    }

    @Test
    void linear() {
        check(
                Betas.linear(1000, 1e-4, 0.02),
                9.99999975e-05,
                0.000119919918,
                0.0199999996,
                0.999899983,
                0.999780059,
                0.078587234,
                4.11819419e-05,
                4.03583035e-05);
        check(
                Betas.linear(1000, 0.01, 0.02),
                0.00999999978,
                0.0100100096,
                0.0199999996,
                0.99000001,
                0.980090082,
                0.00185724883,
                2.77418707e-07,
                2.71870334e-07);
        check(
                Betas.linear(1100, 1e-4, 0.02),
                9.99999975e-05,
                0.000118107368,
                0.0199999996,
                0.999899983,
                0.999781847,
                0.0986708626,
                1.49727503e-05,
                1.46732955e-05);
    }

    @Test
    void scaledLinear() {
        check(
                Betas.scaledLinear(1000, 8.5e-4, 0.012),
                0.000849999953,
                0.000854698592,
                0.0119999992,
                0.999149978,
                0.998296022,
                0.27766943,
                0.00471669575,
                0.00466009509);
    }

    @Test
    void cosine() {
        check(
                Betas.cosine(1000),
                4.12842237e-05,
                4.61417512e-05,
                0.999000013,
                0.999958694,
                0.99991256,
                0.493843466,
                2.42876627e-06,
                2.42873499e-09);
    }

    @Test
    void sigmoid() {
        check(
                Betas.sigmoid(1000, 1e-4, 0.02),
                0.000149205196,
                0.000149798318,
                0.0199507959,
                0.99985081,
                0.999701023,
                0.301930994,
                4.04896236e-05,
                3.96818214e-05);
    }

    @Test
    void zeroTerminalSnr() {
        float[] betas = Betas.zeroTerminalSnr(Betas.scaledLinear(1000, 8.5e-4, 0.012));
        float[] alphaBar = Betas.cumulativeAlphas(betas);
        assertThat(betas[999]).isEqualTo(1f);
        assertThat(alphaBar[999]).isZero();
        assertThat((double) alphaBar[0]).isCloseTo(0.999149978, offset(1e-7));
        assertThat((double) alphaBar[499]).isCloseTo(0.242358997, offset(1e-6));
        assertThat((double) alphaBar[998]).isCloseTo(1.96796293e-07, offset(1e-11));
    }

    @Test
    void saturatingExponential() {
        float[] betas = Betas.saturatingExponential(100, 0.01, 0.5);
        assertThat((double) betas[0]).isCloseTo(1 - Math.exp(-0.01), offset(1e-9));
        assertThat((double) betas[49]).isCloseTo(1 - Math.exp(-0.5), offset(1e-7));
        assertThat(betas[99]).isEqualTo(0.5f);
        SchedulerConfig config = SchedulerConfig.defaults("DDPMScheduler")
                .with("beta_schedule", "saturating_exponential")
                .with("beta_start", 0.002)
                .with("beta_end", 0.25);
        float[] fromConfig = Betas.of(config);
        assertThat((double) fromConfig[0]).isCloseTo(0.002, offset(1e-9));
        assertThat(fromConfig[999]).isEqualTo(0.25f);
    }

    @Test
    void trainedBetasComeFirst() {
        SchedulerConfig config = SchedulerConfig.defaults("DDPMScheduler");
        assertThat(Betas.of(config.with("trained_betas", new float[] {0.1f, 0.2f})))
                .containsExactly(0.1f, 0.2f);
        assertThatThrownBy(() -> Betas.of(config.with("trained_betas", new float[] {0.1f, 1.2f})))
                .hasMessageContaining("beta of 1.2");
        assertThatThrownBy(() -> Betas.of(config.with("beta_schedule", "cubic")))
                .hasMessageContaining("\"cubic\"")
                .hasMessageContaining("squaredcos_cap_v2");
    }
}
