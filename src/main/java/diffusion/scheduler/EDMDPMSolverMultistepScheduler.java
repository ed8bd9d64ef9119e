package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.Map;

/**
 * DPM-Solver++ for Karras' preconditioned networks (Lu et al. 2022 over Karras et al. 2022); diffusers'
 * EDMDPMSolverMultistepScheduler. alpha is 1 throughout.
 */
public final class EDMDPMSolverMultistepScheduler extends DPMSolverScheduler {
    private final Preconditioning network;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public EDMDPMSolverMultistepScheduler(SchedulerConfig config) {
        super(config, (NoiseSchedule) null, "dpmsolver++", "sde-dpmsolver++");
        refuseThird("sde-dpmsolver++");
        network = new Preconditioning(config);
        network.out(1); // refuses other prediction types now rather than during a run
        setTimesteps(config.integer("num_train_timesteps"));
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = Preconditioning.defaults();
        keys.put("solver_order", 2);
        keys.put("thresholding", false);
        keys.put("dynamic_thresholding_ratio", 0.995);
        keys.put("sample_max_value", 1.0);
        keys.put("algorithm_type", "dpmsolver++");
        keys.put("solver_type", "midpoint");
        keys.put("lower_order_final", true);
        keys.put("euler_at_final", false);
        return keys;
    }

    @Override
    public void setTimesteps(int n) {
        begin(plan(new int[Math.max(0, n)]));
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for " + config().className() + ", expected a number of steps");
    }

    @Override
    Run plan(int... planned) {
        return network.run(true, FlowSigmas.linspace(0, 1, planned.length));
    }

    @Override
    public double initNoiseSigma() {
        return network.initNoiseSigma();
    }

    @Override
    public double inputScale(int i) {
        return network.input(level(i));
    }

    @Override
    double alpha(int i) {
        return 1;
    }

    @Override
    Step.Denoiser denoiser(int i) {
        return denoiser(network.skip(level(i)), network.out(level(i)));
    }
}
