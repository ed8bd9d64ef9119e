package diffusion.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Picture;
import diffusion.metrics.Evaluation;
import diffusion.pipeline.ImageGenerator;
import diffusion.pipeline.LoadedModel;
import diffusion.pipeline.Saving;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jspecify.annotations.Nullable;

/** Quality against model calls for samplers, and what they gain by spending their calls otherwise. */
public final class SamplerComparison {
    private static final int SHOWN = 8;
    private static final Pattern SAVED = Pattern.compile("(?:(.+)\\+)?((?:" + Saving.NAMES + ")=.*)");

    /**
     * A run.
     *
     * @param samples in [-1, 1], each [C, H, W]
     * @param labels the class each was made for
     */
    public record Run(List<float[]> samples, int[] labels, ImageGenerator.Effort effort, double seconds) {}

    /** Makes the pictures. */
    @FunctionalInterface
    public interface Maker {
        /** Runs a sampler of so many steps. */
        Run make(Scheduler scheduler, int steps, @Nullable Saving saving);
    }

    /**
     * What is compared.
     *
     * @param text as a user writes it
     * @param sampler null for the model's own
     */
    public record Entry(
            String text, @Nullable String sampler, @Nullable Saving saving) {
        static Entry of(String text) {
            Matcher saved = SAVED.matcher(text);
            return saved.matches()
                    ? new Entry(text, saved.group(1), Saving.parse(saved.group(2)))
                    : new Entry(text, text, null);
        }

        /** The same sampler with a model call a step. */
        Entry plain() {
            return new Entry(sampler == null ? "the model's own" : sampler, sampler, null);
        }
    }

    private record Measured(int steps, int planned, Run run, Evaluation.Quality quality) {}

    private final LoadedModel model;
    private final Evaluation evaluation;
    private final Maker maker;
    private final Map<String, @Nullable Measured> known = new LinkedHashMap<>();
    private final List<Picture> shown = new ArrayList<>();
    private final Set<String> shownOf = new LinkedHashSet<>();

    /** Compares samplers of one model. */
    public SamplerComparison(LoadedModel model, Evaluation evaluation, Maker maker) {
        this.model = model;
        this.evaluation = evaluation;
        this.maker = maker;
    }

    /**
     * What is meant by texts such as {@code ddim}, {@code ddim+cache=3} or {@code adaptive=0.05}, {@code all} being every
     * sampler that suits the model; a DiffusionException if one does not.
     */
    public static List<Entry> entries(LoadedModel model, List<String> texts) {
        List<Entry> entries = new ArrayList<>();
        for (String text : texts) {
            List<String> meant = text.equals("all") ? suiting(model) : List.of(text);
            meant.stream().map(Entry::of).forEach(entries::add);
        }
        entries.forEach(entry -> model.scheduler(entry.sampler));
        return entries;
    }

    private static List<String> suiting(LoadedModel model) {
        SchedulerConfig own = model.schedulerConfig();
        if (own == null) {
            throw new DiffusionException("--compare all: expected a model that says how it was trained, found no"
                    + " scheduler_config.json in " + model.name() + "; name the samplers instead");
        }
        return SchedulerFactory.suiting(own);
    }

    /**
     * Runs all with every budget; a sampler that cannot keep to a budget has no figure there.
     *
     * @param budgets model calls a picture at most, where steps are the sampler's
     * @param result gains "samplers"
     */
    public void run(List<Entry> entries, List<Integer> budgets, ObjectNode result, HtmlReport page) {
        ArrayNode table = result.putArray("samplers");
        List<List<String>> plain = new ArrayList<>();
        List<List<String>> saved = new ArrayList<>();
        for (Entry entry : entries) {
            if (entry.saving == null) {
                List<String> cells = new ArrayList<>(List.of(entry.text));
                for (int budget : budgets) {
                    Measured found = measured(entry, budget);
                    cells.add(found == null ? "-" : cell(found, budget));
                    if (found != null) {
                        write(entry, budget, found, null, table.addObject());
                    }
                }
                plain.add(cells);
                continue;
            }
            boolean budgeted = entry.saving.usesSampler();
            for (int budget : budgeted ? budgets : List.of(Collections.max(budgets))) {
                Measured standard = measured(entry.plain(), budget);
                Measured found = measured(entry, budget);
                if (standard != null && found != null) {
                    ObjectNode row = table.addObject();
                    write(entry, budget, found, standard, row);
                    saved.add(cells(entry, found, standard));
                }
            }
        }
        quality(plain, budgets, page);
        savings(saved, page);
        page.pictures(
                "The first pictures with the first number of calls, a row each: " + String.join("; ", shownOf),
                shown,
                List.of(),
                SHOWN);
    }

    private static void quality(List<List<String>> rows, List<Integer> budgets, HtmlReport page) {
        if (rows.isEmpty()) {
            return;
        }
        List<String> columns = new ArrayList<>(List.of("sampler"));
        budgets.forEach(budget -> columns.add(budget + (budget == 1 ? " model call" : " model calls")));
        page.rows("Frechet ratio, and the share recognised, against model calls", columns, rows, _ -> false);
        page.text(
                "Frechet distance to the test pictures as a ratio to that of as many training pictures. Samplers that call"
                        + " the model more than once a step make as many whole steps as the calls allow; a dash where they allow"
                        + " none.");
    }

    private static void savings(List<List<String>> rows, HtmlReport page) {
        if (rows.isEmpty()) {
            return;
        }
        List<String> columns = List.of(
                "sampler",
                "steps",
                "model calls a picture",
                "runs of the network in turn",
                "time to plain",
                "Frechet ratio",
                "to plain",
                "recognised");
        page.rows("Model calls spent otherwise than one a step", columns, rows, _ -> false);
        page.text(
                "Plain is the same sampler with as many steps, one call each; for adaptive steps, which are a sampler of"
                        + " their own, the model's own sampler with the largest number of calls. Runs in turn are those of a batch,"
                        + " which ends with its last picture.");
    }

    private @Nullable Measured measured(Entry entry, int budget) {
        String key = entry.sampler + "+" + entry.saving + " " + budget;
        if (!known.containsKey(key)) {
            Measured found = measure(entry, budget);
            known.put(key, found);
            if (found != null && shownOf.add(entry.text)) {
                int size = model.pictureSize();
                found.run.samples.stream()
                        .limit(SHOWN)
                        .forEach(
                                values -> shown.add(Picture.fromModel(values, 0, model.pictureChannels(), size, size)));
            }
        }
        return known.get(key);
    }

    private @Nullable Measured measure(Entry entry, int budget) {
        Scheduler sampler = model.scheduler(entry.sampler);
        int steps = steps(sampler, budget);
        if (steps == 0) {
            return null;
        }
        Run run = maker.make(sampler, steps, entry.saving);
        return new Measured(steps, sampler.timesteps().length, run, evaluation.quality(run.samples, run.labels));
    }

    private String cell(Measured found, int budget) {
        String cell = number(found.quality.frechetRatio());
        if (model.realClasses() > 0) {
            cell += ", " + percent(found.quality.recognised());
        }
        return found.planned == budget ? cell : cell + " (" + found.planned + " calls)";
    }

    private List<String> cells(Entry entry, Measured found, Measured standard) {
        ImageGenerator.Effort effort = found.run.effort;
        return List.of(
                entry.text,
                entry.saving instanceof Saving.Adaptive ? "its own" : String.valueOf(found.steps),
                number(effort.calls()) + (effort.shallow() > 0 ? ", " + percent(effort.shallow()) + " shallow" : ""),
                number(effort.passes()),
                number(found.run.seconds / standard.run.seconds),
                number(found.quality.frechetRatio()),
                number(found.quality.frechetRatio() / standard.quality.frechetRatio()),
                model.realClasses() > 0 ? percent(found.quality.recognised()) : "no classes");
    }

    private void write(Entry entry, int budget, Measured found, @Nullable Measured standard, ObjectNode row) {
        row.put("sampler", entry.text);
        row.put("scheduler", model.scheduler(entry.sampler).config().className());
        row.put("budget", budget);
        row.put("steps", found.steps);
        row.put("calls", Evaluation.round(found.run.effort.calls()));
        row.put("passes", Evaluation.round(found.run.effort.passes()));
        row.put("shallow", Evaluation.round(found.run.effort.shallow()));
        row.put("seconds", Evaluation.round(found.run.seconds));
        row.put("frechet_ratio", Evaluation.round(found.quality.frechetRatio()));
        if (standard != null) {
            row.put("time_to_plain", Evaluation.round(found.run.seconds / standard.run.seconds));
            row.put(
                    "frechet_to_plain",
                    Evaluation.round(found.quality.frechetRatio() / standard.quality.frechetRatio()));
        }
        if (model.realClasses() > 0) {
            row.put("recognised", Evaluation.round(found.quality.recognised()));
        }
    }

    private static String number(double value) {
        return String.format(Locale.ROOT, "%.2f", value);
    }

    private static String percent(double value) {
        return String.format(Locale.ROOT, "%.1f %%", 100 * value);
    }

    /** The most steps a sampler can make with a number of model calls, and plans them; 0 if it can make none. */
    private static int steps(Scheduler sampler, int budget) {
        for (int steps = budget; steps > 0; steps--) {
            try {
                sampler.setTimesteps(steps);
                if (sampler.timesteps().length <= budget) {
                    return steps;
                }
            } catch (DiffusionException e) {
                // a sampler may ask for more steps, or have fewer to give
            }
        }
        return 0;
    }
}
