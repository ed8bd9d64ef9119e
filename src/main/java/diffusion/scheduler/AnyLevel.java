package diffusion.scheduler;

import diffusion.io.DiffusionException;

/** A model of discrete timesteps at any level of noise between them: what to ask it, and what its answer says of x0. */
final class AnyLevel {
    private final Scheduler scheduler;
    private final Sigmas levels;
    private final int trained;

    /** Of the model that a scheduler is for; {@code option} names in messages what asks for it. */
    AnyLevel(Scheduler scheduler, String option) {
        NoiseSchedule noise = scheduler.noise();
        this.scheduler = scheduler;
        trained = noise.length();
        levels = new Sigmas(scheduler.config(), noise, noise.alphaBar(trained - 1) == 0);
        if (scheduler.predictionType() == PredictionType.FLOW_PREDICTION) {
            throw new DiffusionException(option + ": expected a model of discrete timesteps");
        }
    }

    /** The most noise of training, beside a signal of scale 1. */
    double largest() {
        return levels.trained(trained - 1);
    }

    /** The least noise of training, beside a signal of scale 1. */
    double smallest() {
        return levels.trained(0);
    }

    /**
     * The question what x = alpha x0 + sigma eps has been, alpha^2 + sigma^2 = 1.
     *
     * @param ratio sigma / alpha
     */
    Trajectory.Query query(double[] x, double ratio) {
        return new Trajectory.Query(x, levels.time(ratio));
    }

    /** x0 by the model's answer m to {@link #query}, clipped where the scheduler clips. */
    double[] denoised(double[] x, double[] m, double ratio) {
        PredictionType prediction = scheduler.predictionType();
        double alpha = 1 / Math.sqrt(1 + ratio * ratio);
        double px = prediction.sampleFactor(alpha);
        double pm = prediction.outputFactor(alpha, ratio * alpha);
        SchedulerConfig config = scheduler.config();
        boolean clips = config.has("clip_sample") && config.flag("clip_sample");
        double range = clips ? config.number("clip_sample_range") : Double.POSITIVE_INFINITY;
        return new Step.Denoiser(px, pm, -range, range, 0, 1).step(0, 0, 1).predictX0(x, m, 1);
    }
}
