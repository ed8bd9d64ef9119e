package diffusion.scheduler;

import diffusion.io.DiffusionException;

/** What the samplers of models over continuous noise levels share, which have no betas: a run is timesteps and sigmas. */
abstract sealed class ContinuousScheduler implements Scheduler
        permits IPNDMScheduler,
                EDMEulerScheduler,
                FlowMatchScheduler,
                CMStochasticIterativeScheduler,
                ScoreSdeVeScheduler {
    private final SchedulerConfig config;
    private double[] timesteps = {};
    private double[] sigmas = {};

    ContinuousScheduler(SchedulerConfig config) {
        this.config = config;
    }

    @Override
    public SchedulerConfig config() {
        return config;
    }

    @Override
    public PredictionType predictionType() {
        return config.has("prediction_type") ? Scheduler.super.predictionType() : PredictionType.EPSILON;
    }

    @Override
    public void setTimesteps(int[] custom) {
        throw new DiffusionException("found timesteps for " + config.className() + ", expected a number of steps");
    }

    final void plan(Sigmas.Run run) {
        timesteps = run.timesteps();
        sigmas = run.sigmas();
    }

    static void checkSteps(int n) {
        if (n < 1) {
            throw new DiffusionException("found " + n + " inference steps, expected at least 1; change --steps");
        }
    }

    @Override
    public double[] timesteps() {
        return timesteps.clone();
    }

    final int steps() {
        return timesteps.length;
    }

    /** The noise level before step i; that after the last step has the index of their number. */
    final double sigma(int i) {
        return sigmas[i];
    }

    final void checkStep(int i) {
        if (i < 0 || i >= timesteps.length) {
            throw new DiffusionException("found step " + i + ", expected 0 to " + (timesteps.length - 1));
        }
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix(1, (float) sigmas[i]);
    }
}
