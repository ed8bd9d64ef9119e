package diffusion.scheduler;

import java.util.Arrays;

/**
 * What the samplers of rectified flows share (Lipman et al. 2023; Esser et al. 2024): the state is (1 - sigma) x0 + sigma eps,
 * the model answers eps - x0, and its timestep is sigma times num_train_timesteps.
 */
abstract sealed class FlowMatchScheduler extends ContinuousScheduler
        permits FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler {
    private final int trainSteps;

    FlowMatchScheduler(SchedulerConfig config) {
        super(config);
        trainSteps = config.integer("num_train_timesteps");
    }

    final int trainSteps() {
        return trainSteps;
    }

    @Override
    public final PredictionType predictionType() {
        return PredictionType.FLOW_PREDICTION;
    }

    /** n sigmas from the largest to the smallest of training, which a fixed shift has moved once already. */
    final double[] trained(int n, double shift) {
        checkSteps(n);
        double max = sigmaAt(trainSteps, shift);
        double min = sigmaAt(1, shift);
        double[] sigmas = FlowSigmas.linspace(max * trainSteps, min * trainSteps, n);
        Arrays.setAll(sigmas, i -> sigmas[i] / trainSteps);
        return sigmas;
    }

    /** The sigma of a timestep of training, in float32 as the reference has it. */
    private float sigmaAt(int timestep, double shift) {
        float sigma = (float) timestep / trainSteps;
        return (float) shift * sigma / (1 + (float) (shift - 1) * sigma);
    }

    static double[] shifted(double shift, double... sigmas) {
        return Arrays.stream(sigmas).map(s -> FlowSigmas.shift(shift, s)).toArray();
    }

    @Override
    public NoiseSchedule.Mix addNoise(int i) {
        return new NoiseSchedule.Mix((float) (1 - sigma(i)), (float) sigma(i));
    }
}
