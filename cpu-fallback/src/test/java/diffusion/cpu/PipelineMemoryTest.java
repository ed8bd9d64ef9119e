package diffusion.cpu;

import static org.assertj.core.api.Assertions.assertThat;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import diffusion.backend.Backend;
import diffusion.model.Golden;
import diffusion.pipeline.StableDiffusionComponents;
import diffusion.pipeline.StableDiffusionPipeline;
import diffusion.pipeline.TinyStableDiffusion;
import diffusion.pipeline.WeightAdjustment;
import diffusion.scheduler.RandomSource;
import diffusion.scheduler.SchedulerFactory;
import diffusion.text.Prompt;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Opening, running and closing pipelines again and again takes no more memory than a few times. */
class PipelineMemoryTest {
    private static final Path STATUS = Path.of("/proc/self/status");
    private static final int MIB = 1024;

    @Test
    void fiftyRunsLeaveResidentMemoryWhereItWas(@TempDir Path folder) throws IOException {
        assumeTrue(Files.exists(STATUS), "needs /proc");
        TinyStableDiffusion.write(folder, Golden.read("text_to_image_sd"));
        Backend backend = new CpuBackend(2);
        run(folder, backend, 10);
        System.gc();
        long before = residentKib();
        run(folder, backend, 50);
        System.gc();
        // Programs that were not closed took 1060 MiB here; the collector alone makes some hundred of difference.
        assertThat(residentKib() - before).isLessThan(500L * MIB);
    }

    private static void run(Path folder, Backend backend, int times) {
        for (int i = 0; i < times; i++) {
            StableDiffusionPipeline pipeline = new StableDiffusionPipeline(
                    StableDiffusionComponents.open("tiny", folder),
                    SchedulerFactory.byName("euler"),
                    backend,
                    WeightAdjustment.NONE);
            pipeline.run(
                    new StableDiffusionPipeline.Request(
                            List.of(Prompt.plain("a house")),
                            null,
                            List.of(1L),
                            RandomSource.Kind.TORCH,
                            64,
                            64,
                            1,
                            3,
                            0,
                            0,
                            1,
                            false,
                            null),
                    () -> false,
                    _ -> {},
                    _ -> {});
        }
    }

    private static long residentKib() throws IOException {
        return Files.readAllLines(STATUS).stream()
                .filter(line -> line.startsWith("VmRSS"))
                .mapToLong(line -> Long.parseLong(line.replaceAll("\\D", "")))
                .findFirst()
                .orElseThrow();
    }
}
