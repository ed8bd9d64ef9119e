package diffusion.scheduler;

import diffusion.io.DiffusionException;
import diffusion.scheduler.Sigmas.Run;
import java.util.Arrays;
import java.util.Map;
import org.apache.commons.math3.linear.Array2DRowRealMatrix;
import org.apache.commons.math3.linear.ArrayRealVector;
import org.apache.commons.math3.linear.LUDecomposition;

/**
 * A predictor and a corrector that needs no further call of the model (Zhao et al. 2023, algorithms 1 and 2); diffusers'
 * UniPCMultistepScheduler.
 *
 * <p>The corrector redoes the last step with the new output. Both are linear in the same state and outputs, so what it
 * changes is a sum of outputs, and corrector and next predictor are one step.
 */
public final class UniPCMultistepScheduler extends LambdaScheduler {
    private static final double NEARLY_ONE = 1e-6;

    private final boolean denoised;
    private final int solverOrder;
    private double mu = Double.NaN;

    /** The step from i to i + 1 as sums of outputs: newest first, and that at i + 1 itself for the corrector. */
    private record Update(double[] outputs, double next) {}

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public UniPCMultistepScheduler(SchedulerConfig config) {
        super(config);
        denoised = config.flag("predict_x0");
        solverOrder = order(config, "solver_order", 3);
        // Those of other schedulers stand for bh2 when their config is taken over.
        require("solver_type", "bh1", "bh2", "midpoint", "heun", "logrho");
        require("final_sigmas_type", "zero", "sigma_min");
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = commonDefaults();
        keys.put("predict_x0", true);
        keys.put("solver_type", "bh2");
        keys.put("disable_corrector", new float[0]);
        keys.put("final_sigmas_type", "zero");
        keys.put("rescale_betas_zero_snr", false);
        keys.put("sigma_min", Double.NaN);
        keys.put("sigma_max", Double.NaN);
        keys.put("shift_terminal", Double.NaN);
        keys.put("solver_p", "");
        return keys;
    }

    @Override
    Run plan(int... planned) {
        Spacing spacing = new Spacing(config());
        if (!spacing.flow()) {
            return trained().planWhole(config().text("final_sigmas_type"), true, true, planned);
        }
        int n = planned.length;
        int trainSteps = noise().length();
        if (!spacing.chosen()) {
            return flow(Arrays.copyOf(FlowSigmas.linspace(1, 1.0 / trainSteps, n + 1), n));
        }
        if (!config().flag("use_karras_sigmas")) {
            throw new DiffusionException("found use_flow_sigmas and another spacing than Karras' for "
                    + config().className() + ", expected one of them");
        }
        double[] sigmas = trained().planWhole("zero", true, true, planned).sigmas();
        double[] flow = new double[n];
        Arrays.setAll(flow, i -> sigmas[i] / (sigmas[i] + 1));
        return ended(flow);
    }

    /** The shift of the flow sigmas where {@code use_dynamic_shifting} asks for one that depends on the picture's size. */
    public void setMu(double mu) {
        this.mu = mu;
    }

    /** Flow sigmas, descending from at most 1, before they are shifted; only with {@code use_flow_sigmas}. */
    @Override
    public void setSigmas(double... sigmas) {
        if (!config().flag("use_flow_sigmas")) {
            super.setSigmas(sigmas);
        }
        begin(flow(sigmas.clone()));
    }

    private Run flow(double... sigmas) {
        if (config().flag("use_dynamic_shifting") && Double.isNaN(mu)) {
            throw new DiffusionException(
                    "found use_dynamic_shifting without mu, expected setMu before the run is planned");
        }
        double shift = FlowSigmas.shift(config(), "flow_shift", mu);
        Arrays.setAll(sigmas, i -> FlowSigmas.shift(shift, sigmas[i]));
        FlowSigmas.stretch(sigmas, config().number("shift_terminal"));
        if (Math.abs(sigmas[0] - 1) < NEARLY_ONE) {
            sigmas[0] -= NEARLY_ONE; // where log(alpha / sigma) is finite
        }
        return ended(sigmas);
    }

    private Run ended(double... sigmas) {
        int n = sigmas.length;
        double[] times = new double[n];
        double[] all = new double[n + 1];
        for (int i = 0; i < n; i++) {
            times[i] = Math.floor(sigmas[i] * noise().length());
            all[i] = (float) sigmas[i];
        }
        all[n] = config().text("final_sigmas_type").equals("zero") ? 0 : all[n - 1];
        return new Run(times, all);
    }

    @Override
    public int historySize() {
        return solverOrder;
    }

    private int order(int i) {
        int order = config().flag("lower_order_final") ? Math.min(solverOrder, steps() - i) : solverOrder;
        return Math.min(order, i - begin() + 1);
    }

    private boolean corrects(int i) {
        if (i <= begin()) {
            return false;
        }
        for (float without : config().numbers("disable_corrector")) {
            if ((int) without == i - 1) {
                return false;
            }
        }
        return true;
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double fromX = denoised ? sigma(i + 1) / sigma(i) : alpha(i + 1) / alpha(i);
        Update predictor = update(i, order(i), false);
        double[] older = new double[historySize()];
        System.arraycopy(predictor.outputs, 1, older, 0, predictor.outputs.length - 1);
        double newest = predictor.outputs[0];
        if (corrects(i)) {
            int order = order(i - 1);
            Update corrector = update(i - 1, order, true);
            Update before = update(i - 1, order, false);
            newest += fromX * corrector.next;
            for (int k = 0; k < order; k++) {
                older[k] += fromX * (corrector.outputs[k] - before.outputs[k]);
            }
        }
        Output out = output(i, denoised);
        return denoiser(i)
                .step(fromX + newest * out.x(), newest * out.m(), newest * out.x0())
                .withHistory(older)
                .withPush(out.x(), out.m(), out.x0());
    }

    private Update update(int i, int order, boolean correct) {
        double h = lambda(i + 1) - lambda(i);
        double hh = denoised ? -h : h;
        double phi1 = Math.expm1(hh);
        double scale = denoised ? alpha(i + 1) : sigma(i + 1);
        double b = config().text("solver_type").equals("bh1") ? hh : phi1;
        double[] rks = new double[order];
        for (int k = 1; k < order; k++) {
            rks[k - 1] = (lambda(i - k) - lambda(i)) / h;
        }
        rks[order - 1] = 1;
        double[] rhos = rhos(rks, hh, phi1, b, correct);
        double[] outputs = new double[order];
        double sum = 0;
        for (int k = 1; k < order; k++) {
            outputs[k] = -scale * b * rhos[k - 1] / rks[k - 1];
            sum += rhos[k - 1] / rks[k - 1];
        }
        double last = correct ? rhos[order - 1] : 0;
        // At the end, where h is infinite, b times 0 is 0.
        outputs[0] = -scale * (phi1 - (sum + last == 0 ? 0 : b * (sum + last)));
        return new Update(outputs, correct ? -scale * b * last : 0);
    }

    /** The weights of the differences: all of them for the corrector, all but the last for the predictor. */
    private static double[] rhos(double[] rks, double hh, double phi1, double b, boolean correct) {
        int order = rks.length;
        if (correct ? order == 1 : order <= 2) {
            double[] half = new double[order];
            Arrays.fill(half, 0.5);
            return half;
        }
        int size = correct ? order : order - 1;
        double[][] matrix = new double[size][size];
        double[] right = new double[size];
        double phi = phi1 / hh - 1;
        double factorial = 1;
        for (int row = 0; row < size; row++) {
            for (int column = 0; column < size; column++) {
                matrix[row][column] = Math.pow(rks[column], row);
            }
            right[row] = phi * factorial / b;
            factorial *= row + 2;
            phi = phi / hh - 1 / factorial;
        }
        return new LUDecomposition(new Array2DRowRealMatrix(matrix))
                .getSolver()
                .solve(new ArrayRealVector(right))
                .toArray();
    }
}
