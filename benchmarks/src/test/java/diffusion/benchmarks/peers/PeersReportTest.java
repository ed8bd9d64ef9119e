package diffusion.benchmarks.peers;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import com.fasterxml.jackson.databind.JsonNode;
import diffusion.backend.Backend;
import diffusion.benchmarks.peers.Result.Entry;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class PeersReportTest {
    @TempDir
    @SuppressWarnings("NullAway.Init")
    private Path folder;

    private final Result result = new Result(
            "conv",
            "a convolution",
            "layers",
            Row.Kind.STEP,
            new Backend.Peak(100e9, 10e9),
            List.of(
                    entry("ours", 2, 0.3, 0.1, 0.2),
                    entry("quick", 2, 0.4, 0.5, 0.3),
                    entry("slow", 2, 4.0, 5.0, 3.0),
                    entry("ours", 1, 0.4, 0.3, 0.5),
                    new Entry("broken", 2, "", Double.NaN, 0, 0, 0, List.of(), "broken failed: no memory")));

    private static Entry entry(String engine, int threads, Double... rounds) {
        return new Entry(engine, threads, engine + " 1", 2e-6, 10e9, 1e9, 5_000_000, List.of(rounds), null);
    }

    @Test
    void mediansAreOfTheMiddle() {
        assertThat(Result.median(3, 1, 2)).isEqualTo(2);
        assertThat(Result.median(4, 1, 2, 3)).isEqualTo(2.5);
        assertThat(Result.median()).isNaN();
    }

    @Test
    void theSpeedIsAgainstTheQuickestPeer() {
        assertThat(result.bestPeer().orElseThrow().engine()).isEqualTo("quick");
        assertThat(result.speed().orElseThrow()).isCloseTo(2, within(1e-12));
        assertThat(result.scaling().orElseThrow()).isCloseTo(2, within(1e-12));
        assertThat(result.sound()).isFalse();
    }

    @Test
    void theTableHasMedianSpreadAndShares() {
        String text = new PeersReport(List.of(result), "a machine", 3).text();

        assertThat(text).contains("200.0 (100.0..300.0)", "400.0 (300.0..500.0)", "4000 (3000..5000)");
        assertThat(text).contains("50.0, 50 %", "5.0, 50 %", " 2.00", "2.0e-06");
        assertThat(text).contains("broken has no figures: broken failed: no memory");
        assertThat(text).contains("ours: ours 1; quick: quick 1; slow: slow 1");
    }

    @Test
    void pageAndJsonHaveTheSame() throws IOException {
        PeersReport report = new PeersReport(List.of(result), "a machine", 3);
        Path page = folder.resolve("report.html");
        report.html().write(page);
        assertThat(Files.readString(page)).contains("a machine", "200.0 (100.0..300.0)", "class=\"bad\"");

        JsonNode row = report.json().path("rows").path(0);
        assertThat(row.path("speed").asDouble()).isCloseTo(2, within(1e-12));
        assertThat(row.path("engines").size()).isEqualTo(5);
        assertThat(row.path("engines").path(0).path("median").asDouble()).isEqualTo(0.2);
        assertThat(row.path("engines").path(4).path("failure").asText()).contains("no memory");
    }
}
