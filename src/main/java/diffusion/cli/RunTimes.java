package diffusion.cli;

import java.time.Duration;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/** Where the time of a run went, in seconds, from the start of the process on. */
final class RunTimes {
    private static final String FIRST = "first step";
    private static final String FURTHER = "further steps";
    private static final String TO_FIRST = "process start to first step";

    private final Map<String, Double> seconds = new LinkedHashMap<>();
    private final long begin;
    private String stage = "start";
    private long since;

    RunTimes() {
        Instant now = Instant.now();
        Instant start = ProcessHandle.current().info().startInstant().orElse(now);
        begin = System.nanoTime() - Duration.between(start, now).toNanos();
        since = begin;
    }

    /** A part of the work begins, named as {@code StableDiffusionPipeline.Listener} is told. */
    void stage(String next) {
        long now = System.nanoTime();
        seconds.merge(stage, (now - since) * 1e-9, Double::sum);
        since = now;
        stage = !next.equals("denoise") ? next : seconds.containsKey(FIRST) ? FURTHER : FIRST;
    }

    /** A step is done. */
    void step() {
        boolean first = stage.equals(FIRST);
        stage(FURTHER);
        if (first) {
            seconds.put(TO_FIRST, (since - begin) * 1e-9);
        }
    }

    /** Seconds by part, the last part until now. */
    Map<String, Double> seconds() {
        stage(stage);
        Map<String, Double> rounded = new LinkedHashMap<>();
        seconds.forEach((name, value) -> rounded.put(name, Math.round(value * 1000) / 1000.0));
        return rounded;
    }

    @Override
    public String toString() {
        return seconds().entrySet().stream()
                .map(entry -> String.format(Locale.ROOT, "%s %.1f s", entry.getKey(), entry.getValue()))
                .collect(Collectors.joining(", "));
    }
}
