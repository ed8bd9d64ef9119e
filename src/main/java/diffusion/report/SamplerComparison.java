package diffusion.report;

import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.io.DiffusionException;
import diffusion.io.HtmlReport;
import diffusion.io.Picture;
import diffusion.metrics.Evaluation;
import diffusion.pipeline.LoadedModel;
import diffusion.scheduler.Scheduler;
import diffusion.scheduler.SchedulerConfig;
import diffusion.scheduler.SchedulerFactory;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Quality against model calls: a row for each sampler, a column for each number of calls a picture. */
public final class SamplerComparison {
    private static final int SHOWN = 10;

    /** Makes the pictures. */
    @FunctionalInterface
    public interface Maker {
        /** Adds samples in [-1, 1], each [C, H, W], of a run of so many steps; returns the class each was made for. */
        int[] make(Scheduler scheduler, int steps, List<float[]> samples);
    }

    private final LoadedModel model;
    private final Evaluation evaluation;
    private final Maker maker;

    /** Compares samplers of one model. */
    public SamplerComparison(LoadedModel model, Evaluation evaluation, Maker maker) {
        this.model = model;
        this.evaluation = evaluation;
        this.maker = maker;
    }

    /**
     * Runs every sampler with every budget; a sampler that cannot keep to a budget has no figure there.
     *
     * @param samplers from {@link #samplers}
     * @param budgets model calls a picture at most
     * @param result gains "samplers"
     */
    public void run(List<String> samplers, List<Integer> budgets, ObjectNode result, HtmlReport page) {
        ArrayNode table = result.putArray("samplers");
        List<List<String>> rows = new ArrayList<>();
        List<Picture> shown = new ArrayList<>();
        for (String name : samplers) {
            List<String> cells = new ArrayList<>(List.of(name));
            for (int budget : budgets) {
                cells.add(measure(name, budget, table, shown));
            }
            rows.add(cells);
        }
        List<String> columns = new ArrayList<>(List.of("sampler"));
        budgets.forEach(budget -> columns.add(budget + (budget == 1 ? " model call" : " model calls")));
        page.rows("Frechet ratio, and the share recognised, against model calls", columns, rows, _ -> false);
        page.text(
                "Frechet distance to the test pictures as a ratio to that of as many training pictures. Samplers that call"
                        + " the model more than once a step make as many whole steps as the calls allow; a dash where they allow"
                        + " none.");
        page.pictures("The first pictures of each run, in the order of the table", shown, List.of(), SHOWN);
    }

    /** The samplers that are meant, {@code all} being all that suit the model; a DiffusionException if one does not. */
    public static List<String> samplers(LoadedModel model, List<String> names) {
        List<String> samplers = new ArrayList<>();
        for (String name : names) {
            samplers.addAll(name.equals("all") ? suiting(model) : List.of(name));
        }
        samplers.forEach(model::scheduler);
        return samplers;
    }

    private static List<String> suiting(LoadedModel model) {
        SchedulerConfig own = model.schedulerConfig();
        if (own == null) {
            throw new DiffusionException("--compare all: expected a model that says how it was trained, found no"
                    + " scheduler_config.json in " + model.name() + "; name the samplers instead");
        }
        return SchedulerFactory.suiting(own);
    }

    private String measure(String name, int budget, ArrayNode table, List<Picture> shown) {
        Scheduler sampler = model.scheduler(name);
        int steps = steps(sampler, budget);
        if (steps == 0) {
            return "-";
        }
        int calls = sampler.timesteps().length;
        List<float[]> made = new ArrayList<>();
        int[] labels = maker.make(sampler, steps, made);
        Evaluation.Quality quality = evaluation.quality(made, labels);
        ObjectNode row = table.addObject();
        row.put("sampler", name);
        row.put("scheduler", sampler.config().className());
        row.put("budget", budget);
        row.put("steps", steps);
        row.put("calls", calls);
        row.put("frechet_ratio", Evaluation.round(quality.frechetRatio()));
        String cell = String.format(Locale.ROOT, "%.2f", quality.frechetRatio());
        if (model.realClasses() > 0) {
            row.put("recognised", Evaluation.round(quality.recognised()));
            cell += String.format(Locale.ROOT, ", %.1f %%", 100 * quality.recognised());
        }
        int size = model.pictureSize();
        made.stream()
                .limit(SHOWN)
                .forEach(values -> shown.add(Picture.fromModel(values, 0, model.pictureChannels(), size, size)));
        return calls == budget ? cell : cell + " (" + calls + " calls)";
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
