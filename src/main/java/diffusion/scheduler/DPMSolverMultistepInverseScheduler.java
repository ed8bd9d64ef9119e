package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.Map;

/**
 * DPM-Solver run backwards, from a picture to the noise it could come from (Lu et al. 2022; Mokady et al. 2023 for what it
 * serves); diffusers' DPMSolverMultistepInverseScheduler.
 *
 * <p>With {@code use_flow_sigmas} it runs downwards all the same, as the reference does.
 */
public final class DPMSolverMultistepInverseScheduler extends DPMSolverScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverMultistepInverseScheduler(SchedulerConfig config) {
        super(config, "dpmsolver", "dpmsolver++", "sde-dpmsolver", "sde-dpmsolver++");
        refuseThird("sde-dpmsolver");
        refuseThird("sde-dpmsolver++");
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = solverDefaults();
        keys.put("euler_at_final", false);
        keys.remove("use_dynamic_shifting");
        keys.remove("time_shift_type");
        return keys;
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for " + config().className() + ", expected a number of steps");
    }

    /** Upwards from the lowest timestep, without the noisiest, where the run ends. */
    @Override
    public void setTimesteps(int n) {
        int last = noise().length() - clipped();
        String spacing = config().text("timestep_spacing");
        boolean trailing = spacing.equals("trailing");
        int[] down = Timesteps.spaced(spacing, last, trailing ? n : n + 1, config().integer("steps_offset"));
        begin(plan(down));
    }

    @Override
    Run plan(int... down) {
        int n = config().text("timestep_spacing").equals("trailing") ? down.length : down.length - 1;
        int[] up = new int[n];
        for (int i = 0; i < n; i++) {
            up[i] = down[down.length - 1 - i];
        }
        return trained().planUpwards(noise().length() - clipped() - 1, up);
    }
}
