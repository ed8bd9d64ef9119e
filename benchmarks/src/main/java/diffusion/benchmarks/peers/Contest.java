package diffusion.benchmarks.peers;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.io.DiffusionException;
import diffusion.io.Json;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.function.Supplier;
import java.util.stream.StreamSupport;
import org.jspecify.annotations.Nullable;

/**
 * Engines taking turns at rows: each in a process of its own, all warmed up, then round after round, every round in
 * another order.
 *
 * <p>A model of more than two gigabytes is not held by several processes at once: then each turn starts its process anew,
 * warms it up with at least one run and times the next.
 */
public final class Contest {
    /**
     * A process that can take part.
     *
     * @param takes the rows it takes part in
     */
    public record Candidate(String engine, int threads, Predicate<Row> takes, Contestant.Starter starter) {}

    private static final long ALONE_BYTES = 2L << 30;

    private final List<Candidate> candidates;
    private final int rounds;
    private final double warmUpSeconds;
    private final double turnSeconds;
    private final Supplier<Backend.Peak> peak;
    private final Consumer<String> progress;

    /**
     * A contest.
     *
     * @param peak measures the machine; called in every round
     * @param progress told what is being done
     */
    public Contest(
            List<Candidate> candidates,
            int rounds,
            double warmUpSeconds,
            double turnSeconds,
            Supplier<Backend.Peak> peak,
            Consumer<String> progress) {
        this.candidates = List.copyOf(candidates);
        this.rounds = rounds;
        this.warmUpSeconds = warmUpSeconds;
        this.turnSeconds = turnSeconds;
        this.peak = peak;
        this.progress = progress;
    }

    /** Measures a row. */
    public Result run(Row row) {
        boolean alone = row.weightBytes() > ALONE_BYTES;
        List<Turns> all = new ArrayList<>();
        for (Candidate candidate : candidates) {
            if (candidate.takes.test(row)) {
                all.add(new Turns(candidate, row, alone));
            }
        }
        double flops = 0;
        double bandwidth = 0;
        try {
            if (!alone) {
                all.forEach(Turns::prepare);
            }
            for (int round = 0; round < rounds; round++) {
                progress.accept("%s: round %d of %d".formatted(row.name(), round + 1, rounds));
                Backend.Peak now = peak.get();
                flops = Math.max(flops, now.flops());
                bandwidth = Math.max(bandwidth, now.bytesPerSecond());
                for (int i = 0; i < all.size(); i++) {
                    all.get((i + round) % all.size()).take();
                }
            }
        } finally {
            all.forEach(Turns::close);
        }
        List<Result.Entry> entries = all.stream().map(Turns::entry).toList();
        return new Result(
                row.name(), row.title(), row.group(), row.kind(), new Backend.Peak(flops, bandwidth), entries);
    }

    /** One candidate at one row; a failure ends its part, not the contest. */
    private final class Turns {
        private final Candidate candidate;
        private final Row row;
        private final boolean alone;
        private final List<Double> seconds = new ArrayList<>();
        private JsonNode facts = Json.object();
        private long peakBytes;
        private @Nullable Contestant contestant;
        private @Nullable String failure;

        Turns(Candidate candidate, Row row, boolean alone) {
            this.candidate = candidate;
            this.row = row;
            this.alone = alone;
        }

        void prepare() {
            progress.accept("%s: %s on %d thread%s loads, is checked and warms up"
                    .formatted(row.name(), candidate.engine, candidate.threads, candidate.threads == 1 ? "" : "s"));
            attempt(() -> {
                Contestant started = new Contestant(candidate.engine, candidate.starter);
                contestant = started;
                facts = started.load(row);
                double difference = facts.path("difference").asDouble(Double.NaN);
                if (!(difference <= Result.TOLERANCE)) {
                    throw new DiffusionException(
                            "its output differs from PyTorch's by %.1e of the largest value".formatted(difference));
                }
                run(started, warmUpSeconds, alone ? 1 : 2);
            });
        }

        void take() {
            if (alone) {
                prepare();
            }
            attempt(() -> seconds.add(run(Objects.requireNonNull(contestant), turnSeconds, 1)));
            if (alone) {
                close();
            }
        }

        /** The median of the runs' seconds. */
        private double run(Contestant started, double least, int runs) {
            JsonNode answer = started.run(least, runs);
            peakBytes = Math.max(peakBytes, answer.path("peak_bytes").asLong());
            return Result.median(StreamSupport.stream(answer.path("seconds").spliterator(), false)
                    .mapToDouble(JsonNode::asDouble)
                    .toArray());
        }

        private void attempt(Runnable body) {
            if (failure != null) {
                return;
            }
            try {
                body.run();
            } catch (DiffusionException e) {
                failure = String.valueOf(e.getMessage());
                progress.accept(row.name() + ": " + candidate.engine + " is out: " + failure);
                close();
            }
        }

        Result.Entry entry() {
            return new Result.Entry(
                    candidate.engine,
                    candidate.threads,
                    facts.path("version").asText(),
                    facts.path("difference").asDouble(Double.NaN),
                    facts.path("flops").asDouble(),
                    facts.path("bytes").asDouble(),
                    peakBytes,
                    List.copyOf(seconds),
                    failure);
        }

        void close() {
            if (contestant != null) {
                contestant.close();
                contestant = null;
            }
        }
    }
}
