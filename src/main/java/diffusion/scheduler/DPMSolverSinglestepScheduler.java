package diffusion.scheduler;

import diffusion.scheduler.Sigmas.Run;
import java.util.Map;

/**
 * DPM-Solver and DPM-Solver++ in blocks of one to three calls that start from the same state (Lu et al. 2022, both papers);
 * diffusers' DPMSolverSinglestepScheduler. Its default is DPM-Solver++(2S).
 *
 * <p>The first call of a block is a step of first order, the second one of second order from the state before the first, and
 * so on. That state is not stored. Without noise it is solved for: the call before has led from it, by a known sum of
 * outputs, to the present x. With noise (sde-dpmsolver++) the first call keeps, instead of its output, the sum of state and
 * output that the second needs; a third call would need another sum, so there the order is at most 2.
 */
public final class DPMSolverSinglestepScheduler extends DPMSolverScheduler {
    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public DPMSolverSinglestepScheduler(SchedulerConfig config) {
        super(config, "dpmsolver", "dpmsolver++", "sde-dpmsolver++");
        refuseThird("sde-dpmsolver++");
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = solverDefaults();
        keys.put("lower_order_final", false);
        keys.put("final_sigmas_type", "zero");
        keys.remove("timestep_spacing");
        keys.remove("steps_offset");
        return keys;
    }

    @Override
    Run plan(int... planned) {
        return trained().planWhole(config().text("final_sigmas_type"), false, true, planned);
    }

    /** The place of step i in its block, from 1; blocks that a late start cuts begin there. */
    private int order(int i) {
        int n = steps();
        int full = solverOrder();
        // Runs that blocks do not fill, or that end at no noise, end with lower orders as if lower_order_final were
        // set.
        boolean lower = config().flag("lower_order_final") || n % full != 0 || endsAtZero();
        int order = i % full + 1;
        if (lower && n % full == 0 && i >= n - full) {
            order = Math.min(order, full - 1); // the last block is 1, 2, 1 or 1, 1
            if (i == n - 1) {
                order = 1;
            }
        }
        if (i == n - 1 && endsAtZero()) {
            order = 1;
        }
        return Math.min(order, i - begin() + 1);
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        int order = order(i);
        double[] w = outputs(order, i);
        Step step = weighted(i, fromX(i, i + 1), w[0]);
        if (order > 1 && stochastic()) {
            step = weighted(i, 0, w[0]).withHistory(1);
        } else if (order > 1) {
            double[] before = outputs(order - 1, i - 1);
            double back = fromX(i + 1 - order, i + 1) / fromX(i + 1 - order, i);
            double[] h = new double[order - 1];
            for (int k = 0; k < h.length; k++) {
                h[k] = w[k + 1] - back * before[k];
            }
            step = weighted(i, back, w[0]).withHistory(h);
        }
        if (solverOrder() > 1) {
            step = push(step, i);
        }
        return stochastic() ? step.withNoise(noiseOf(i + 1 - order, i + 1)) : step;
    }

    private Step push(Step step, int i) {
        Output out = output(i);
        if (stochastic() && i + 1 < steps() && order(i + 1) == 2) {
            double fromOutput = outputs(2, i + 1)[1];
            return step.withPush(fromX(i, i + 2) + fromOutput * out.x(), fromOutput * out.m(), fromOutput * out.x0());
        }
        return step.withPush(out.x(), out.m(), out.x0());
    }

    /** The coefficients, newest first, of the outputs of a block whose call {@code order} is step i. */
    private double[] outputs(int order, int i) {
        int start = i + 1 - order;
        double h = lambda(i + 1) - lambda(start);
        double[] d = derivatives(i + 1, h, order == 3 || heun());
        if (order == 1) {
            return new double[] {d[0]};
        }
        double r0 = (lambda(i) - lambda(start)) / h;
        if (order == 2) {
            return new double[] {d[1] / r0, d[0] - d[1] / r0};
        }
        double r1 = (lambda(i - 1) - lambda(start)) / h;
        // Slope and curvature of the parabola through the three outputs, or the slope to the newest alone.
        double near = heun() ? (-d[1] * r1 + 2 * d[2]) / (r0 - r1) : d[1];
        double far = heun() ? (d[1] * r0 - 2 * d[2]) / (r0 - r1) : 0;
        return new double[] {near / r0, far / r1, d[0] - near / r0 - far / r1};
    }
}
