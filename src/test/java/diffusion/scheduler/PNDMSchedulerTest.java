package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.io.DiffusionException;
import org.junit.jupiter.api.Test;

class PNDMSchedulerTest {
    private static Scheduler planned(boolean skip) {
        Scheduler scheduler =
                new PNDMScheduler(SchedulerConfig.defaults("PNDMScheduler").with("skip_prk_steps", skip));
        scheduler.setTimesteps(50);
        return scheduler;
    }

    /** diffusers takes the first timesteps for those of the Runge-Kutta steps whatever the run has left of them. */
    @Test
    void lateStartsNeedToSkipTheRungeKuttaSteps() {
        Scheduler whole = planned(false);
        whole.setBeginIndex(0);
        assertThat(whole.timesteps()).hasSize(50 + 9);
        assertThatThrownBy(() -> whole.setBeginIndex(20))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("found a start at call 20")
                .hasMessageContaining("plms");
    }

    @Test
    void lateStartsReadOnlyWhatTheyHavePushed() {
        Scheduler late = planned(true);
        late.setBeginIndex(20);
        for (int call = 0; call < 6; call++) {
            int pushed = call < 2 ? call : call - 1; // the correction, call 1, pushes nothing
            assertThat(late.step(20 + call).h().stream().skip(pushed))
                    .as("call %d", call)
                    .allMatch(h -> h == 0);
        }
    }
}
