package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/** Euler steps along a rectified flow (Esser et al. 2024); diffusers' FlowMatchEulerDiscreteScheduler. */
public final class FlowMatchEulerDiscreteScheduler extends FlowMatchScheduler {
    private final boolean dynamic;
    private double mu = Double.NaN;

    /** With a config of this class; see {@link SchedulerConfig#defaults}. */
    public FlowMatchEulerDiscreteScheduler(SchedulerConfig config) {
        super(config);
        String type = config.text("time_shift_type");
        if (!type.equals("exponential") && !type.equals("linear")) {
            throw new DiffusionException("found time_shift_type \"" + type + "\", expected exponential or linear");
        }
        dynamic = config.flag("use_dynamic_shifting");
        double[] descending = new double[trainSteps()];
        Arrays.setAll(descending, i -> (double) (trainSteps() - i) / trainSteps());
        plan(run(dynamic ? descending : shifted(config.number("shift"), descending)));
    }

    static Map<String, Object> defaults() {
        Map<String, Object> keys = new LinkedHashMap<>();
        keys.put("num_train_timesteps", 1000);
        keys.put("shift", 1.0);
        keys.put("use_dynamic_shifting", false);
        keys.put("base_shift", 0.5);
        keys.put("max_shift", 1.15);
        keys.put("base_image_seq_len", 256);
        keys.put("max_image_seq_len", 4096);
        keys.put("invert_sigmas", false);
        keys.put("shift_terminal", Double.NaN);
        keys.put("use_karras_sigmas", false);
        keys.put("use_exponential_sigmas", false);
        keys.put("use_beta_sigmas", false);
        keys.put("time_shift_type", "exponential");
        keys.put("stochastic_sampling", false);
        return keys;
    }

    /** The shift where {@code use_dynamic_shifting} asks for one that depends on the picture's size. */
    public void setMu(double mu) {
        this.mu = mu;
    }

    @Override
    public void setTimesteps(int n) {
        setSigmas(trained(n, dynamic ? 1 : config().number("shift")));
    }

    /** Sigmas of the steps, descending from at most 1, before they are shifted. */
    @Override
    public void setSigmas(double... sigmas) {
        checkSteps(sigmas.length);
        if (dynamic && Double.isNaN(mu)) {
            throw new DiffusionException(
                    "found use_dynamic_shifting without mu, expected setMu before the run is planned");
        }
        double[] planned = shifted(FlowSigmas.shift(config(), "shift", dynamic ? mu : Double.NaN), sigmas);
        FlowSigmas.stretch(planned, config().number("shift_terminal"));
        Spacing spacing = new Spacing(config());
        if (spacing.chosen()) {
            double first = planned[0];
            double last = planned[planned.length - 1];
            Arrays.setAll(planned, i -> spacing.at(i, planned.length, first, last));
        }
        plan(run(planned));
    }

    private Sigmas.Run run(double... sigmas) {
        boolean invert = config().flag("invert_sigmas");
        double[] all = new double[sigmas.length + 1];
        double[] times = new double[sigmas.length];
        for (int i = 0; i < times.length; i++) {
            all[i] = invert ? 1f - (float) sigmas[i] : (float) sigmas[i];
            times[i] = (float) (all[i] * trainSteps());
        }
        all[times.length] = invert ? 1 : 0;
        return new Sigmas.Run(times, all);
    }

    @Override
    public Step step(int i) {
        checkStep(i);
        double next = sigma(i + 1);
        Step.Denoiser denoiser = Step.Denoiser.unclipped(1, -sigma(i));
        return config().flag("stochastic_sampling")
                ? denoiser.step(0, 0, 1 - next).withNoise(next)
                : denoiser.step(1, next - sigma(i), 0);
    }
}
