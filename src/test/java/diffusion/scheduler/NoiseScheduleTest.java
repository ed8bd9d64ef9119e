package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.offset;

import org.junit.jupiter.api.Test;

class NoiseScheduleTest {
    private final NoiseSchedule noise = new NoiseSchedule(Betas.linear(1000, 1e-4, 0.02));

    @Test
    void mixesKeepUnitVariance() {
        for (int t = 0; t < 1000; t += 37) {
            NoiseSchedule.Mix mix = noise.addNoise(t);
            assertThat(mix.sample() * mix.sample() + mix.noise() * mix.noise()).isCloseTo(1f, offset(1e-6f));
            NoiseSchedule.Mix v = noise.target(t, PredictionType.V_PREDICTION);
            // v is orthogonal to x_t
            assertThat(v.sample() * mix.sample() + v.noise() * mix.noise()).isCloseTo(0f, offset(1e-6f));
        }
    }

    @Test
    void minSnrWeightsAgreeBetweenPredictionTypes() {
        // an error in x0 of d is one in eps of d sqrt(snr) and one in v of d sqrt(snr + 1)
        for (int t = 0; t < 1000; t += 99) {
            double inX0 = noise.minSnrWeight(t, PredictionType.SAMPLE, 5);
            double snr = noise.snr(t);
            assertThat(inX0).isLessThanOrEqualTo(5);
            assertThat(noise.minSnrWeight(t, PredictionType.EPSILON, 5) * snr).isCloseTo(inX0, offset(1e-9));
            assertThat(noise.minSnrWeight(t, PredictionType.V_PREDICTION, 5) * (snr + 1))
                    .isCloseTo(inX0, offset(1e-9));
        }
        NoiseSchedule ends = new NoiseSchedule(Betas.zeroTerminalSnr(Betas.linear(1000, 1e-4, 0.02)));
        assertThat(ends.minSnrWeight(999, PredictionType.EPSILON, 5)).isEqualTo(1);
    }

    @Test
    void posteriorIsBayesRule() {
        for (int t : new int[] {1, 10, 500, 999}) {
            // prior x_{t-1} | x0 ~ N(sqrt(before) x0, 1 - before); likelihood x_t ~ N(sqrt(alpha) x_{t-1}, beta)
            double before = noise.alphaBar(t - 1);
            double beta = noise.betas()[t];
            double precision = 1 / (1 - before) + (1 - beta) / beta;
            NoiseSchedule.Posterior posterior = noise.posterior(t);
            assertThat(Math.exp(posterior.logVariance()) * precision).isCloseTo(1, offset(2e-3));
            assertThat(posterior.x0Coefficient() * precision * (1 - before) / Math.sqrt(before))
                    .isCloseTo(1, offset(2e-3));
            assertThat(posterior.xCoefficient() * precision * beta / Math.sqrt(1 - beta))
                    .isCloseTo(1, offset(2e-3));
            assertThat(Math.exp(posterior.logBeta())).isCloseTo(beta, offset(1e-9));
        }
        assertThat(noise.posterior(0).logVariance())
                .isEqualTo(noise.posterior(1).logVariance());
        assertThat(noise.posterior(0).x0Coefficient()).isCloseTo(1, offset(1e-3));
        assertThat(noise.posterior(0).xCoefficient()).isZero();
    }

    @Test
    void refusesTimestepsOutsideTheSchedule() {
        assertThatThrownBy(() -> noise.addNoise(1000))
                .hasMessageContaining("timestep 1000")
                .hasMessageContaining("999");
        assertThatThrownBy(() -> noise.snr(-1)).hasMessageContaining("timestep -1");
    }
}
