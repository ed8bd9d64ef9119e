package diffusion.scheduler;

import java.util.Map;

/**
 * Euler steps for Karras' preconditioned networks (Karras et al. 2022, algorithm 2 of first order); diffusers'
 * EDMEulerScheduler.
 */
public final class EDMEulerScheduler extends ContinuousScheduler {
    private final Preconditioning network;
    private Churn churn = Churn.NONE;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public EDMEulerScheduler(SchedulerConfig config) {
        super(config);
        network = new Preconditioning(config);
        network.out(1); // refuses other prediction types now rather than during a run
        setTimesteps(config.integer("num_train_timesteps") + 1);
    }

    static Map<String, Object> defaults() {
        return Preconditioning.defaults();
    }

    @Override
    public void setTimesteps(int n) {
        checkSteps(n);
        plan(network.run(false, FlowSigmas.linspace(0, 1, n)));
    }

    /** Places from 0 (sigma_max) to 1 (sigma_min) along Karras' spacing, which is what diffusers takes {@code sigmas} for here. */
    @Override
    public void setSigmas(double... sigmas) {
        plan(network.run(false, sigmas));
    }

    /** How much noise is added before each step; none by default. */
    public void setChurn(Churn churn) {
        this.churn = churn;
    }

    @Override
    public double initNoiseSigma() {
        return network.initNoiseSigma();
    }

    @Override
    public double inputScale(int i) {
        return network.input(sigma(i));
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double higher = churn.raise(sigma(i), steps());
        Step.Denoiser denoiser = Step.Denoiser.unclipped(network.skip(higher), network.out(higher));
        return churn.euler(denoiser, sigma(i), higher, sigma(i + 1));
    }
}
