package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;

/** The schedulers by name: the class name a config holds, or the short name a user types. */
public final class SchedulerFactory {
    /** A scheduler class: its short name, its keys with their defaults, and how to make it. */
    record Entry(
            String shortName,
            String className,
            Supplier<Map<String, Object>> defaults,
            Function<SchedulerConfig, Scheduler> create) {}

    private static final List<Entry> ENTRIES = List.of(
            new Entry("ddpm", "DDPMScheduler", DDPMScheduler::defaults, DDPMScheduler::new),
            new Entry("ddim", "DDIMScheduler", DDIMScheduler::defaults, DDIMScheduler::new),
            new Entry("euler", "EulerDiscreteScheduler", EulerDiscreteScheduler::defaults, EulerDiscreteScheduler::new),
            new Entry(
                    "euler_a",
                    "EulerAncestralDiscreteScheduler",
                    EulerAncestralDiscreteScheduler::defaults,
                    EulerAncestralDiscreteScheduler::new),
            new Entry("lms", "LMSDiscreteScheduler", LMSDiscreteScheduler::defaults, LMSDiscreteScheduler::new),
            new Entry(
                    "dpmsolver++",
                    "DPMSolverMultistepScheduler",
                    DPMSolverMultistepScheduler::defaults,
                    DPMSolverMultistepScheduler::new),
            new Entry("pndm", "PNDMScheduler", PNDMScheduler::defaults, PNDMScheduler::new),
            new Entry("heun", "HeunDiscreteScheduler", HeunDiscreteScheduler::defaults, HeunDiscreteScheduler::new),
            new Entry("dpm2", "KDPM2DiscreteScheduler", KDPM2DiscreteScheduler::defaults, KDPM2DiscreteScheduler::new),
            new Entry(
                    "dpm2_a",
                    "KDPM2AncestralDiscreteScheduler",
                    KDPM2AncestralDiscreteScheduler::defaults,
                    KDPM2AncestralDiscreteScheduler::new),
            new Entry("deis", "DEISMultistepScheduler", DEISMultistepScheduler::defaults, DEISMultistepScheduler::new),
            new Entry(
                    "unipc",
                    "UniPCMultistepScheduler",
                    UniPCMultistepScheduler::defaults,
                    UniPCMultistepScheduler::new),
            new Entry("lcm", "LCMScheduler", LCMScheduler::defaults, LCMScheduler::new),
            new Entry("tcd", "TCDScheduler", TCDScheduler::defaults, TCDScheduler::new),
            new Entry("repaint", "RePaintScheduler", RePaintScheduler::defaults, RePaintScheduler::new),
            new Entry(
                    "ddim_inverse", "DDIMInverseScheduler", DDIMInverseScheduler::defaults, DDIMInverseScheduler::new),
            new Entry("ddpm_parallel", "DDPMParallelScheduler", DDPMScheduler::defaults, DDPMScheduler::new),
            new Entry("ddim_parallel", "DDIMParallelScheduler", DDIMScheduler::defaults, DDIMScheduler::new),
            new Entry(
                    "dpmsolver++_singlestep",
                    "DPMSolverSinglestepScheduler",
                    DPMSolverSinglestepScheduler::defaults,
                    DPMSolverSinglestepScheduler::new),
            new Entry(
                    "dpmsolver++_inverse",
                    "DPMSolverMultistepInverseScheduler",
                    DPMSolverMultistepInverseScheduler::defaults,
                    DPMSolverMultistepInverseScheduler::new),
            new Entry(
                    "dpmsolver_sde",
                    "DPMSolverSDEScheduler",
                    DPMSolverSDEScheduler::defaults,
                    DPMSolverSDEScheduler::new),
            new Entry("sasolver", "SASolverScheduler", SASolverScheduler::defaults, SASolverScheduler::new),
            new Entry("unclip", "UnCLIPScheduler", UnCLIPScheduler::defaults, UnCLIPScheduler::new),
            new Entry("ipndm", "IPNDMScheduler", IPNDMScheduler::defaults, IPNDMScheduler::new),
            new Entry("edm_euler", "EDMEulerScheduler", EDMEulerScheduler::defaults, EDMEulerScheduler::new),
            new Entry(
                    "edm_dpmsolver++",
                    "EDMDPMSolverMultistepScheduler",
                    EDMDPMSolverMultistepScheduler::defaults,
                    EDMDPMSolverMultistepScheduler::new),
            new Entry(
                    "flow_match_euler",
                    "FlowMatchEulerDiscreteScheduler",
                    FlowMatchEulerDiscreteScheduler::defaults,
                    FlowMatchEulerDiscreteScheduler::new),
            new Entry(
                    "flow_match_heun",
                    "FlowMatchHeunDiscreteScheduler",
                    FlowMatchHeunDiscreteScheduler::defaults,
                    FlowMatchHeunDiscreteScheduler::new),
            new Entry("sde_ve", "ScoreSdeVeScheduler", ScoreSdeVeScheduler::defaults, ScoreSdeVeScheduler::new),
            new Entry(
                    "cm",
                    "CMStochasticIterativeScheduler",
                    CMStochasticIterativeScheduler::defaults,
                    CMStochasticIterativeScheduler::new));

    /** What the samplers of AUTOMATIC1111's web UI are here; "Karras" or "Exponential" may follow each. */
    private static final Map<String, Map<String, Object>> WEB_UI = Map.ofEntries(
            Map.entry("ddim", Map.of("_class_name", "DDIMScheduler")),
            Map.entry("ddpm", Map.of("_class_name", "DDPMScheduler")),
            Map.entry("plms", Map.of("_class_name", "PNDMScheduler", "skip_prk_steps", true)),
            Map.entry("euler", Map.of("_class_name", "EulerDiscreteScheduler")),
            Map.entry("euler a", Map.of("_class_name", "EulerAncestralDiscreteScheduler")),
            Map.entry("lms", Map.of("_class_name", "LMSDiscreteScheduler")),
            Map.entry("heun", Map.of("_class_name", "HeunDiscreteScheduler")),
            Map.entry("dpm2", Map.of("_class_name", "KDPM2DiscreteScheduler")),
            Map.entry("dpm2 a", Map.of("_class_name", "KDPM2AncestralDiscreteScheduler")),
            Map.entry("dpm++ 2m", Map.of("_class_name", "DPMSolverMultistepScheduler")),
            Map.entry(
                    "dpm++ 2m sde",
                    Map.of("_class_name", "DPMSolverMultistepScheduler", "algorithm_type", "sde-dpmsolver++")),
            Map.entry(
                    "dpm++ 3m sde",
                    Map.of(
                            "_class_name",
                            "DPMSolverMultistepScheduler",
                            "algorithm_type",
                            "sde-dpmsolver++",
                            "solver_order",
                            3)),
            Map.entry("dpm++ sde", Map.of("_class_name", "DPMSolverSDEScheduler")),
            Map.entry("unipc", Map.of("_class_name", "UniPCMultistepScheduler")),
            Map.entry("lcm", Map.of("_class_name", "LCMScheduler")),
            Map.entry("tcd", Map.of("_class_name", "TCDScheduler")));

    private static final String FLOW = "flow matching";
    private static final String EDM = "EDM's preconditioning";

    /** Schedulers that only models of one kind can use, and which. */
    private static final Map<String, String> KINDS = Map.of(
            "EDMEulerScheduler", EDM,
            "EDMDPMSolverMultistepScheduler", EDM,
            "FlowMatchEulerDiscreteScheduler", FLOW,
            "FlowMatchHeunDiscreteScheduler", FLOW,
            "CMStochasticIterativeScheduler", "continuous consistency",
            "ScoreSdeVeScheduler", "a variance-exploding score",
            "IPNDMScheduler", "times from 0 to 1");

    private static final String INVERSE = "it leads pictures back to noise, as img2img --invert does with DDIM";

    /** Schedulers that make no pictures from noise, and what they do instead. */
    private static final Map<String, String> NO_SAMPLERS = Map.of(
            "RePaintScheduler", "it fills holes of pictures, in inpaint with a model that follows no text",
            "DDIMInverseScheduler", INVERSE,
            "DPMSolverMultistepInverseScheduler", INVERSE);

    /** Schedulers that are others by a second name. */
    private static final Set<String> SECOND_NAMES = Set.of("DDPMParallelScheduler", "DDIMParallelScheduler");

    private static final Map<String, String> SPACINGS =
            Map.of(" karras", "use_karras_sigmas", " exponential", "use_exponential_sigmas");

    private SchedulerFactory() {}

    /**
     * The config of a scheduler by short name, class name or the name in AUTOMATIC1111's web UI, such as "DPM++ 2M Karras",
     * over a model's own config.
     */
    public static SchedulerConfig configFor(String name, SchedulerConfig model) {
        String stripped = name.strip();
        String spacing = null;
        for (Map.Entry<String, String> entry : SPACINGS.entrySet()) {
            if (stripped.toLowerCase(Locale.ROOT).endsWith(entry.getKey())) {
                spacing = entry.getValue();
                stripped =
                        stripped.substring(0, stripped.length() - entry.getKey().length());
            }
        }
        Map<String, Object> known = WEB_UI.get(stripped.toLowerCase(Locale.ROOT));
        String className = known == null ? find(stripped).className : String.valueOf(known.get("_class_name"));
        SchedulerConfig config = model.as(className);
        if (!kind(config).equals(kind(model))) {
            throw new DiffusionException("found the sampler \"" + name + "\", which is for models of " + kind(config)
                    + ", and a model of " + kind(model) + " (" + model.className() + "), expected a sampler for those");
        }
        if (known != null) {
            for (Map.Entry<String, Object> change : known.entrySet()) {
                if (!change.getKey().startsWith("_")) {
                    config = config.with(change.getKey(), change.getValue());
                }
            }
        }
        return spacing == null ? config : config.with(spacing, true);
    }

    /**
     * A name from which {@link #configFor} makes such a config again: as it was asked for, or its class's for null, and the
     * spacing of its noise levels.
     */
    public static String nameOf(@Nullable String asked, SchedulerConfig config) {
        String name = asked == null ? config.className() : asked.strip();
        for (Map.Entry<String, String> spacing : SPACINGS.entrySet()) {
            String suffix = spacing.getKey();
            boolean used = config.has(spacing.getValue()) && config.flag(spacing.getValue());
            if (used && !name.toLowerCase(Locale.ROOT).endsWith(suffix)) {
                name += " " + Character.toUpperCase(suffix.charAt(1)) + suffix.substring(2);
            }
        }
        return name;
    }

    /** What kind of model a scheduler of this config is for. */
    private static String kind(SchedulerConfig config) {
        String other = KINDS.get(config.className());
        if (other != null) {
            return other;
        }
        return new Spacing(config).flow() ? FLOW : "discrete timesteps";
    }

    /** The short names of those that make pictures from noise. */
    public static List<String> names() {
        return ENTRIES.stream()
                .filter(entry -> !NO_SAMPLERS.containsKey(entry.className))
                .map(Entry::shortName)
                .toList();
    }

    /**
     * The same scheduler.
     *
     * @throws DiffusionException if it makes no pictures from noise
     */
    public static Scheduler requireSampler(Scheduler scheduler) {
        String name = scheduler.config().className();
        String instead = NO_SAMPLERS.get(name);
        if (instead != null) {
            throw new DiffusionException("found " + name + ", expected a sampler, which makes pictures from noise, such"
                    + " as ddim: " + instead);
        }
        return scheduler;
    }

    /** The short names of the samplers that make pictures from noise with a model of this config. */
    public static List<String> suiting(SchedulerConfig model) {
        List<String> names = new ArrayList<>();
        for (Entry entry : ENTRIES) {
            if (!NO_SAMPLERS.containsKey(entry.className) && !SECOND_NAMES.contains(entry.className)) {
                try {
                    byName(entry.shortName, model);
                    names.add(entry.shortName);
                } catch (DiffusionException e) {
                    // for models of another kind or prediction type
                }
            }
        }
        return names;
    }

    /** A scheduler of the class its config names. */
    public static Scheduler create(SchedulerConfig config) {
        return find(config.className()).create.apply(config);
    }

    /** A scheduler by short or class name with that class's defaults. */
    public static Scheduler byName(String name) {
        return create(SchedulerConfig.defaults(find(name).className));
    }

    /**
     * A scheduler by short or class name over the noise schedule of a model's own config, as {@code
     * Scheduler.from_config} does: keys the class does not have are dropped.
     */
    public static Scheduler byName(String name, SchedulerConfig model) {
        return create(configFor(name, model));
    }

    /** Whether any scheduler has a key of that name. */
    static boolean knows(String key) {
        return ENTRIES.stream().anyMatch(entry -> entry.defaults.get().containsKey(key));
    }

    static Entry find(String name) {
        List<String> known = new ArrayList<>();
        for (Entry entry : ENTRIES) {
            if (entry.shortName.equals(name) || entry.className.equals(name)) {
                return entry;
            }
            known.add(entry.shortName + " (" + entry.className + ")");
        }
        throw new DiffusionException("no scheduler is named \"" + name + "\"; expected " + String.join(" or ", known));
    }
}
