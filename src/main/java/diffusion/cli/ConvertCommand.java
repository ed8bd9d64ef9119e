package diffusion.cli;

import diffusion.graph.Tensor;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.GgmlType;
import diffusion.pipeline.PipelineWriter;
import diffusion.pipeline.StableDiffusionComponents;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Set;
import java.util.concurrent.Callable;
import me.tongfei.progressbar.ProgressBar;
import org.jspecify.annotations.Nullable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** {@code diffusion convert}. */
@Command(
        description = "Writes a Stable Diffusion 1.x, 2.x or XL checkpoint as a diffusers folder or as a single file.",
        mixinStandardHelpOptions = true,
        sortOptions = false)
final class ConvertCommand implements Callable<Integer> {
    private enum Precision {
        FP16(DType.F16, GgmlType.F16),
        BF16(DType.BF16, null),
        FP32(DType.F32, GgmlType.F32),
        Q8_0(null, GgmlType.Q8_0),
        Q4_0(null, GgmlType.Q4_0);

        private final @Nullable DType dtype;
        private final @Nullable GgmlType blocks;

        Precision(@Nullable DType dtype, @Nullable GgmlType blocks) {
            this.dtype = dtype;
            this.blocks = blocks;
        }
    }

    @Option(
            names = "--model",
            required = true,
            description = "Pipeline folder, single-file checkpoint or pulled repository.")
    @SuppressWarnings("NullAway.Init")
    private String model;

    @Option(
            names = "--out",
            required = true,
            paramLabel = "OUT",
            description = "A name that ends in .safetensors or .gguf for a single file, any other for a folder.")
    @SuppressWarnings("NullAway.Init")
    private Path out;

    @Option(
            names = "--dtype",
            description =
                    "fp16, bf16 or fp32 (default: as each weight is stored); for .gguf fp16 (default), fp32, q8_0 or q4_0.")
    private @Nullable Precision precision;

    /** What matrices become in a GGUF file; null if the output is none. */
    private @Nullable GgmlType blocks() {
        boolean gguf = out.toString().endsWith(".gguf");
        if (!gguf && precision != null && precision.dtype == null) {
            throw new Main.UsageException("--dtype: " + precision.name().toLowerCase(Locale.ROOT)
                    + " is for GGUF files, expected an --out that ends in .gguf, found " + out);
        }
        if (gguf && precision != null && precision.blocks == null) {
            throw new Main.UsageException("--dtype: expected fp16, fp32, q8_0 or q4_0 for a .gguf file, found "
                    + precision.name().toLowerCase(Locale.ROOT));
        }
        return !gguf ? null : precision == null ? GgmlType.F16 : precision.blocks;
    }

    @Override
    public Integer call() {
        GgmlType blocks = blocks();
        boolean single = blocks != null || out.toString().endsWith(".safetensors");
        if (single) {
            AtomicFiles.requireWritable(out);
        } else {
            AtomicFiles.requireWritableFolder(out, Set.of());
        }
        Path path = Path.of(PullCommand.resolve(model));
        if (!StableDiffusionComponents.matches(path)) {
            throw new DiffusionException(
                    "--model: expected a text-to-image pipeline's folder or a single-file checkpoint of"
                            + " Stable Diffusion, found neither at " + model);
        }
        StableDiffusionComponents components = StableDiffusionComponents.open(model, path);
        long elements = 0;
        for (StableDiffusionComponents.Part part : components.parts()) {
            for (Tensor weight : part.parameters().all()) {
                elements += weight.size();
            }
        }
        try (ProgressBar bar = Progress.bar("convert", elements)) {
            PipelineWriter writer =
                    new PipelineWriter(components, precision == null ? null : precision.dtype, bar::stepBy);
            if (blocks != null) {
                writer.writeGguf(out, blocks);
            } else if (single) {
                writer.writeSingleFile(out);
            } else {
                writer.writeFolder(out);
            }
        }
        System.out.println(components.name() + ": " + out);
        if (single) {
            System.err.println("a single file does not hold the scheduler's settings, here "
                    + components.scheduler().className() + " with prediction_type "
                    + components.scheduler().text("prediction_type"));
        }
        return 0;
    }
}
