package diffusion.scheduler;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.offset;

import diffusion.io.Json;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;

/**
 * A row that diffusers publishes for its samplers; golden/published_rows.txt says what its fields are.
 *
 * @param loop A: x as it is; B: the scaled x goes to the step too; C: the scaled x goes to the model alone; batch, twice (with
 *     one history) and ve: loops of single schedulers
 */
record PublishedRow(
        String name, Scheduler scheduler, String loop, String steps, int first, double[] sums, double[] probes) {
    static List<String> lines() {
        try (BufferedReader in = new BufferedReader(new InputStreamReader(
                Objects.requireNonNull(PublishedRow.class.getResourceAsStream("/golden/published_rows.txt")),
                StandardCharsets.UTF_8))) {
            return in.lines().filter(line -> !line.startsWith("#")).toList();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    static PublishedRow of(String line) {
        List<String> f = Arrays.asList(line.split("\\|"));
        String json = "{\"_class_name\": \"" + f.get(1) + "\", " + f.get(2).substring(1);
        Scheduler scheduler = SchedulerFactory.create(SchedulerConfig.of(Json.parse(json, f.getFirst()), f.getFirst()));
        String steps = f.get(4);
        if (steps.contains(",")) {
            scheduler.setTimesteps(
                    Arrays.stream(steps.split(",")).mapToInt(Integer::parseInt).toArray());
        } else if (!steps.equals("0")) {
            scheduler.setTimesteps(Integer.parseInt(steps));
        }
        if (scheduler instanceof TCDScheduler tcd) {
            tcd.setEta(0);
        }
        return new PublishedRow(
                f.getFirst(),
                scheduler,
                f.get(3),
                steps,
                Integer.parseInt(f.get(5)),
                f.subList(6, 9).stream().mapToDouble(Double::parseDouble).toArray(),
                Arrays.stream(f.get(9).split(" "))
                        .mapToDouble(Double::parseDouble)
                        .toArray());
    }

    /** Elements of a sample: [3, 8, 8], or [3, 8] where the name says so. */
    int elements() {
        return name.contains("1D") ? 24 : 192;
    }

    /** Holds sum and mean of |x| to what is published, the sum of x and single elements to the reference's own run. */
    void check(double... x) {
        double total = Arrays.stream(x).map(Math::abs).sum();
        assertThat(total).isCloseTo(sums[0], offset(Math.max(0.01, 1e-5 * sums[0])));
        assertThat(total / x.length).isCloseTo(sums[1], offset(Math.max(1e-3, 1e-5 * sums[1])));
        assertThat(Arrays.stream(x).sum()).isCloseTo(sums[2], offset(Math.max(1e-3, 1e-5 * sums[0])));
        int[] at = {0, 1, 2, x.length / 2, x.length - 1};
        double largest = Arrays.stream(probes).map(Math::abs).max().orElse(0);
        for (int i = 0; i < at.length; i++) {
            assertThat(x[at[i]]).as("element %d", at[i]).isCloseTo(probes[i], offset(4e-5 * Math.max(0.25, largest)));
        }
    }
}
