package diffusion.scheduler;

import java.util.List;

/** The reverse process of one sample, driven from outside: it asks a model, and goes on from what the model answers. */
public interface Trajectory {
    /**
     * What the model is asked.
     *
     * @param x as the model sees it, [d]
     * @param timestep of training, whole or not
     */
    record Query(double[] x, double timestep) {}

    /** Whether {@link #sample} is final. */
    boolean done();

    /** What the model shall be asked next, at most {@link #width} states; empty when done. */
    List<Query> queries();

    /** Takes the answers to {@link #queries}, each [d], or [2 d] where the model says the variance. */
    void answer(List<double[]> outputs);

    /** The state reached so far, [d]. */
    double[] sample();

    /** How far it has come, from 0 to 1. */
    double progress();

    /** Share of its proposals that it has taken, for those that propose; else NaN. */
    default double accepted() {
        return Double.NaN;
    }

    /** How many states it asks about at once, at most. */
    default int width() {
        return 1;
    }
}
