package diffusion.scheduler;

import diffusion.scheduler.Sigmas.Run;
import java.util.Map;

/**
 * DPM-Solver and DPM-Solver++ with what earlier steps have found (Lu et al. 2022, both papers), also their stochastic
 * forms; diffusers' DPMSolverMultistepScheduler. "DPM++ 2M" is its default.
 */
public final class DPMSolverMultistepScheduler extends DPMSolverScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverMultistepScheduler(SchedulerConfig config) {
        super(config, "dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++");
        refuseThird("sde-dpmsolver");
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = solverDefaults();
        keys.put("euler_at_final", false);
        keys.put("use_lu_lambdas", false);
        keys.put("final_sigmas_type", "zero");
        keys.put("rescale_betas_zero_snr", false);
        return keys;
    }

    @Override
    Run plan(int... planned) {
        boolean rounds = !config().text("beta_schedule").equals("squaredcos_cap_v2");
        return trained().planWhole(config().text("final_sigmas_type"), false, rounds, planned);
    }
}
