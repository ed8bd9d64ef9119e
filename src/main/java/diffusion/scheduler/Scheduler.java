package diffusion.scheduler;

import diffusion.io.DiffusionException;

/**
 * A sampler as host mathematics: the timesteps of a run, and the coefficients of every step.
 *
 * <p>A run: {@link #setTimesteps(int)}; x = {@link #initNoiseSigma()} * noise; for every i the model sees {@code
 * inputScale(i) * x} and {@code timesteps()[i]} and answers m; {@link #step} says how x follows. Steps that add noise
 * draw it after the model's answer. Mirrors diffusers' SchedulerMixin.
 */
public interface Scheduler {
    /** The config this scheduler was made from, complete with defaults. */
    SchedulerConfig config();

    /** The forward process the model was trained with; a DiffusionException for schedulers that have no betas. */
    default NoiseSchedule noise() {
        throw new DiffusionException("found " + config().className()
                + ", which has no betas, where a forward process is needed; expected DDPMScheduler or the like");
    }

    /** Plans a run of n steps; throws a DiffusionException if n is below 1 or more than the schedule has. */
    void setTimesteps(int n);

    /** Plans a run over given timesteps, which must descend and lie within the schedule. */
    void setTimesteps(int[] timesteps);

    /**
     * Plans a run over given noise levels, as diffusers' {@code set_timesteps(sigmas=...)}; a DiffusionException for
     * schedulers that take none.
     */
    default void setSigmas(double... sigmas) {
        throw new DiffusionException(
                "found sigmas for " + config().className() + ", expected a number of steps or timesteps");
    }

    /** The timestep the model sees, one per model call. All training timesteps, if nothing was planned. */
    double[] timesteps();

    /** Model calls a step, where a run is cut into whole steps; diffusers' {@code order}. */
    default int order() {
        return 1;
    }

    /** Starts the run at step {@code index} (image to image); multistep samplers build up their order from there. */
    default void setBeginIndex(int index) {}

    /** Standard deviation of the noise a run starts with. */
    default double initNoiseSigma() {
        return 1;
    }

    /** Factor of x before the model sees it at step i; diffusers' {@code scale_model_input}. */
    default double inputScale(int i) {
        return 1;
    }

    /** How much of a clean sample and of noise the state before step i holds; diffusers' {@code add_noise}. */
    default NoiseSchedule.Mix addNoise(int i) {
        return noise().addNoise((int) timesteps()[i]);
    }

    /** The coefficients of step i, counted from 0. */
    Step step(int i);

    /** How many history entries {@link #step} reads at most. */
    default int historySize() {
        return 0;
    }

    /** What the model predicts. */
    default PredictionType predictionType() {
        return PredictionType.of(config().text("prediction_type"));
    }

    /** True if the model's output has a second half of channels that says the variance. */
    default boolean learnsVariance() {
        return config().has("variance_type") && config().text("variance_type").startsWith("learned");
    }
}
