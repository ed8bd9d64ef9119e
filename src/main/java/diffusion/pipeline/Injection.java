package diffusion.pipeline;

import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.nn.StyleInjection;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Predicate;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;

/**
 * How a picture's style comes into another by way of attention; see {@link StyleInjection}.
 *
 * @param gamma how much of the content's query is kept, 0 to 1
 * @param tau what the attention's logits are multiplied by, above 0
 * @param share how many of the steps follow the rule, from the noisiest on, 0 to 1
 * @param adaIn whether the start takes over the means and deviations of the style's noise
 * @param layers beginnings of names of layers; empty for those in the later half of the way up, its middle level included, or, where that has none, on
 *     all of it
 */
public record Injection(double gamma, double tau, double share, boolean adaIn, List<String> layers) {
    /** As the paper has it. */
    public static final Injection DEFAULT = new Injection(0.75, 1.5, 1, true, List.of());

    private static final Pattern QUERY = Pattern.compile("(.*attentions\\..*)\\.to_q\\.weight");
    private static final Pattern UP = Pattern.compile("up_blocks\\.(\\d+)\\..*");

    /** Copies the list. */
    public Injection {
        layers = List.copyOf(layers);
    }

    /** Throws if a number is out of range. */
    void check() {
        require("--gamma", gamma >= 0 && gamma <= 1, "0 to 1", gamma);
        require("--tau", tau > 0 && Double.isFinite(tau), "more than 0", tau);
        require("--inject", share >= 0 && share <= 1, "0 to 1", share);
    }

    private static void require(String option, boolean holds, String expected, double found) {
        if (!holds) {
            throw new DiffusionException(option + ": expected " + expected + ", found " + found);
        }
    }

    /** Names of the layers of self-attention among a U-Net's weights. */
    public static Set<String> selfAttention(Parameters parameters) {
        return parameters.all().stream()
                .map(Tensor::name)
                .map(QUERY::matcher)
                .filter(Matcher::matches)
                .map(match -> match.group(1))
                .filter(layer -> !layer.endsWith(".attn2"))
                .collect(Collectors.toCollection(TreeSet::new));
    }

    /** The rule for a batch of so many results beside the content and the style. */
    StyleInjection rule(Parameters parameters, int results) {
        return new StyleInjection(results + StyleInjection.COMPANIONS, chosen(parameters), (float) gamma, (float) tau);
    }

    private Set<String> chosen(Parameters parameters) {
        Set<String> all = selfAttention(parameters);
        if (all.isEmpty()) {
            throw new DiffusionException("expected a model with layers of self-attention to inject a style into, found"
                    + " none; lead pictures by moments of features instead, with --method moments");
        }
        if (layers.isEmpty()) {
            int levels = 1
                    + parameters.all().stream()
                            .mapToInt(weight -> level(weight.name()))
                            .max()
                            .orElse(-1);
            Set<String> later = having(all, layer -> 2 * level(layer) >= levels - 1);
            Set<String> up = having(all, layer -> level(layer) >= 0);
            return !later.isEmpty() ? later : !up.isEmpty() ? up : all;
        }
        Set<String> named = having(all, layer -> layers.stream().anyMatch(layer::startsWith));
        if (named.isEmpty()) {
            throw new DiffusionException("--layers: expected beginnings of names among " + String.join(", ", all)
                    + ", found " + String.join(", ", layers));
        }
        return named;
    }

    private static Set<String> having(Set<String> all, Predicate<String> wanted) {
        return all.stream().filter(wanted).collect(Collectors.toCollection(TreeSet::new));
    }

    /** The level of the way up that a layer belongs to; -1 for none. */
    private static int level(String layer) {
        Matcher match = UP.matcher(layer);
        return match.matches() ? Integer.parseInt(match.group(1)) : -1;
    }

    /**
     * Where a result starts: the content's noise, with the means and deviations of the style's if wanted (Huang and Belongie
     * 2017, equation 8).
     *
     * @param content [channels, h, w], as style
     */
    float[] start(float[] content, float[] style, int channels) {
        float[] start = content.clone();
        int plane = content.length / channels;
        for (int at = 0; adaIn && at < start.length; at += plane) {
            double[] own = moments(content, at, plane);
            double[] wanted = moments(style, at, plane);
            double scale = own[1] > 0 ? wanted[1] / own[1] : 0;
            for (int i = at; i < at + plane; i++) {
                start[i] = (float) ((content[i] - own[0]) * scale + wanted[0]);
            }
        }
        return start;
    }

    /** Mean and deviation of {@code count} numbers. */
    private static double[] moments(float[] x, int from, int count) {
        double sum = 0;
        for (int i = from; i < from + count; i++) {
            sum += x[i];
        }
        double mean = sum / count;
        double squares = 0;
        for (int i = from; i < from + count; i++) {
            squares += (x[i] - mean) * (x[i] - mean);
        }
        return new double[] {mean, Math.sqrt(squares / count)};
    }
}
