package diffusion.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import diffusion.backend.Backend;
import diffusion.io.DiffusionException;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ContestTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path folder;

    private final List<String> turns = new ArrayList<>();

    /** Returns one number, noting each run. */
    private final class Fake implements Engine {
        private final String name;
        private final float value;

        Fake(String name, float value) {
            this.name = name;
            this.value = value;
        }

        @Override
        public String name() {
            return name;
        }

        @Override
        public boolean has(Row row) {
            return true;
        }

        @Override
        public Loaded load(Row row, int threads) {
            if (Float.isNaN(value)) {
                throw new DiffusionException("no such operator");
            }
            return new Loaded(name + " 1.0", 2, 12);
        }

        @Override
        public void run() {
            synchronized (turns) {
                turns.add(name);
            }
        }

        @Override
        public float[] output() {
            return new float[] {value};
        }

        @Override
        public void close() {
            synchronized (turns) {
                turns.add(name + " closed");
            }
        }
    }

    private Contest.Candidate candidate(String name, int threads, float value) {
        return new Contest.Candidate(name, threads, _ -> true, () -> new InProcess(new Fake(name, value), threads));
    }

    private static Contest contest(List<Contest.Candidate> candidates, int rounds) {
        return new Contest(candidates, rounds, 0, 0, () -> new Backend.Peak(1e9, 1e9), _ -> {});
    }

    @Test
    void everyRoundHasATurnOfEachInAnotherOrder() throws IOException {
        Row row = Rows.linear(folder, "linear", 7);
        Result result = contest(List.of(candidate("ours", 2, 7), candidate("other", 2, 7)), 3)
                .run(row);

        // The check and two runs to warm up, then the rounds.
        assertThat(turns.subList(0, 12))
                .containsExactly(
                        "ours", "ours", "ours", "other", "other", "other", "ours", "other", "other", "ours", "ours",
                        "other");
        assertThat(turns).contains("ours closed", "other closed");
        assertThat(result.sound()).isTrue();
        assertThat(result.entries()).allSatisfy(entry -> {
            assertThat(entry.rounds())
                    .hasSize(3)
                    .allSatisfy(seconds -> assertThat(seconds).isPositive());
            assertThat(entry.difference()).isZero();
            assertThat(entry.version()).isEqualTo(entry.engine() + " 1.0");
        });
        assertThat(result.speed()).isPresent();
    }

    @Test
    void wrongOutputIsNotTimed() throws IOException {
        Row row = Rows.linear(folder, "linear", 7);
        Result result = contest(List.of(candidate("ours", 2, 7), candidate("other", 2, 7.01f)), 2)
                .run(row);

        assertThat(result.sound()).isFalse();
        assertThat(result.entries().getLast().rounds()).isEmpty();
        assertThat(result.entries().getLast().failure()).contains("differs from PyTorch's by 1.4e-03");
        assertThat(result.ours()).isPresent();
        assertThat(result.speed()).isEmpty();
    }

    @Test
    void anEngineThatFailsIsOutWithItsReason() throws IOException {
        Row row = Rows.linear(folder, "linear", 7);
        Result result = contest(List.of(candidate("ours", 2, 7), candidate("other", 2, Float.NaN)), 2)
                .run(row);

        assertThat(result.entries().getLast().failure())
                .contains("other failed")
                .contains("no such operator");
        assertThat(result.entries().getFirst().counts()).isTrue();
    }

    @Test
    void oneThreadIsComparedWithAllAndNotWithPeers() throws IOException {
        Row row = Rows.linear(folder, "linear", 7);
        Result result = contest(List.of(candidate("ours", 2, 7), candidate("ours", 1, 7)), 2)
                .run(row);

        assertThat(result.scaling()).isPresent();
        assertThat(result.bestPeer()).isEmpty();
        assertThat(result.ours().orElseThrow().threads()).isEqualTo(2);
    }

    @Test
    void ourEngineComputesALayerAndKnowsItsCost() throws IOException {
        Row row = Rows.linear(folder, "linear", 7);
        Contest.Candidate ours =
                new Contest.Candidate("ours", 1, _ -> true, () -> new InProcess(Worker.engine("ours"), 1));
        Result.Entry entry = contest(List.of(ours), 1).run(row).entries().getFirst();

        assertThat(entry.failure()).isNull();
        assertThat(entry.difference()).isZero();
        assertThat(entry.flops()).isEqualTo(2);
        assertThat(entry.bytes()).isEqualTo(4 * 4); // x, weight, bias and y
    }

    @Test
    void rowsAreChosenByName() throws IOException {
        Rows.linear(folder, "b", 7);
        Rows.linear(folder, "a", 7);

        assertThat(Row.in(folder, List.of("*"))).extracting(Row::name).containsExactly("a", "b");
        assertThat(Row.in(folder, List.of("b*", "c"))).extracting(Row::name).containsExactly("b");
        assertThatThrownBy(() -> Row.in(folder.resolve("none"), List.of("*")))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("scripts/golden/peers.py");
    }

    @Test
    void longFailuresAreCut() {
        assertThat(Worker.brief("a\n\n b \nc\n")).isEqualTo("a ... c");
        assertThat(Worker.brief(" a ")).isEqualTo("a");
        assertThat(Worker.brief("a".repeat(1000))).hasSize(404);
    }

    @Test
    void anUnknownEngineIsNamed() {
        assertThatThrownBy(() -> Worker.engine("magic"))
                .isInstanceOf(DiffusionException.class)
                .hasMessageContaining("no engine named magic");
    }
}
