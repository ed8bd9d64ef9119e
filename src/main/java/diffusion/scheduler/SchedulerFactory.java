package diffusion.scheduler;

import diffusion.io.DiffusionException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.Supplier;

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
            new Entry(
                    "ddim_inverse", "DDIMInverseScheduler", DDIMInverseScheduler::defaults, DDIMInverseScheduler::new));

    private SchedulerFactory() {}

    /** The short names, for help texts. */
    public static List<String> names() {
        return ENTRIES.stream().map(Entry::shortName).toList();
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
        return create(model.as(find(name).className));
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
