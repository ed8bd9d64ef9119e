package diffusion.pipeline;

import com.fasterxml.jackson.databind.node.ObjectNode;
import diffusion.graph.Tensor;
import diffusion.io.AtomicFiles;
import diffusion.io.DType;
import diffusion.io.DiffusionException;
import diffusion.io.GgmlType;
import diffusion.io.Gguf;
import diffusion.io.Json;
import diffusion.io.SafeTensors;
import diffusion.io.TensorData;
import diffusion.model.AutoencoderKL;
import diffusion.model.CLIPTextModel;
import diffusion.model.ModelFolder;
import diffusion.model.SingleFile;
import diffusion.model.SingleFileNames;
import diffusion.model.UNet2DConditionModel;
import diffusion.model.WeightSource;
import diffusion.scheduler.SchedulerConfig;
import diffusion.text.CLIPTokenizer;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.reflect.RecordComponent;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.LongConsumer;
import org.jspecify.annotations.Nullable;

/**
 * Writes a text-to-image checkpoint as a folder that diffusers reads, or as a single file under the original names; weight by
 * weight, so that a large one is never held in memory, and whole or not at all.
 */
public final class PipelineWriter {
    private static final float LARGEST_HALF = 65504;
    private static final Map<String, String> METADATA = Map.of("format", "pt");
    private static final String END = "<|endoftext|>";

    /** What the configurations may differ in without a difference in pictures. */
    private static final Set<String> IRRELEVANT = Set.of("json", "sampleSize", "eosTokenId");

    private final StableDiffusionComponents components;
    private final @Nullable DType dtype;
    private final LongConsumer progress;

    /**
     * A writer of one checkpoint.
     *
     * @param dtype F32, F16 or BF16; null to keep what each weight is stored as, quantised ones as F32
     * @param progress told the number of elements that were written
     */
    public PipelineWriter(StableDiffusionComponents components, @Nullable DType dtype, LongConsumer progress) {
        this.components = components;
        this.dtype = dtype;
        this.progress = progress;
    }

    /** Writes a pipeline folder; throws if there is something at {@code folder}. */
    public void writeFolder(Path folder) {
        AtomicFiles.writeFolder(folder, Set.of(), target -> {
            ObjectNode index = Json.object();
            index.put("_class_name", components.pipeline());
            index.put("_diffusers_version", ModelFolder.DIFFUSERS_VERSION);
            if (components.isXL()) {
                index.put("force_zeros_for_empty_prompt", components.zerosForEmptyPrompt());
            } else {
                index.put("requires_safety_checker", false);
                index.putArray("safety_checker").addNull().addNull();
            }
            index.putArray("feature_extractor").addNull().addNull();
            if (components.scoresAesthetics()) {
                index.put("requires_aesthetics_score", true);
            }
            writeScheduler(target, index, "scheduler", components.scheduler());
            if (components.lowResScheduler() != null) {
                writeScheduler(target, index, "low_res_scheduler", components.lowResScheduler());
            }
            for (StableDiffusionComponents.Text text : components.texts()) {
                String name = text.part().replace("text_encoder", "tokenizer");
                index.putArray(name).add("transformers").add("CLIPTokenizer");
                text.tokenizer().write(place(target, name));
            }
            for (StableDiffusionComponents.Part part : components.parts()) {
                index.putArray(part.name())
                        .add(part.isText() ? "transformers" : "diffusers")
                        .add(part.className());
                Path at = place(target, part.name());
                Json.write(at.resolve("config.json"), part.config());
                try (WeightSource.Reader reader = part.weights().open(part.parameters())) {
                    Map<String, TensorData> tensors = new LinkedHashMap<>();
                    for (Tensor weight : part.parameters().all()) {
                        SingleFileNames.Stored whole =
                                new SingleFileNames.Stored(weight.name(), weight.shape(), false, List.of(weight));
                        tensors.put(weight.name(), data(reader, whole));
                    }
                    String stem = part.isText() ? "model" : "diffusion_pytorch_model";
                    SafeTensors.write(at.resolve(stem + ".safetensors"), tensors, METADATA, DType.F32);
                }
            }
            Json.write(target.resolve("model_index.json"), index);
        });
    }

    private static void writeScheduler(Path target, ObjectNode index, String name, SchedulerConfig config)
            throws IOException {
        index.putArray(name).add("diffusers").add(config.className());
        Json.write(place(target, name).resolve("scheduler_config.json"), config.toJson());
    }

    private static Path place(Path folder, String name) throws IOException {
        return Files.createDirectories(folder.resolve(name));
    }

    /**
     * Writes a single file under the original names; throws if the model could not be told from the names and shapes of its
     * weights, which is all that such a file says.
     */
    public void writeSingleFile(Path file) {
        writeSingleFile(file, tensors -> SafeTensors.write(file, tensors, METADATA, DType.F32));
    }

    /** The same as a GGUF file, matrices in blocks of a type; see {@link Gguf#write}. */
    public void writeGguf(Path file, GgmlType type) {
        writeSingleFile(file, tensors -> Gguf.write(file, tensors, Map.of("general.architecture", "diffusion"), type));
    }

    private void writeSingleFile(Path file, Consumer<Map<String, TensorData>> write) {
        List<List<SingleFileNames.Stored>> layout = layout();
        requireReadable(file, layout);
        List<StableDiffusionComponents.Part> parts = components.parts();
        List<WeightSource.Reader> readers = new ArrayList<>();
        try {
            Map<String, TensorData> tensors = new LinkedHashMap<>();
            for (int i = 0; i < parts.size(); i++) {
                WeightSource.Reader reader =
                        parts.get(i).weights().open(parts.get(i).parameters());
                readers.add(reader);
                layout.get(i).forEach(stored -> tensors.put(stored.name(), data(reader, stored)));
            }
            write.accept(tensors);
        } finally {
            readers.forEach(WeightSource.Reader::close);
        }
    }

    /** The tensors of a single file, part by part. */
    private List<List<SingleFileNames.Stored>> layout() {
        List<List<SingleFileNames.Stored>> all = new ArrayList<>();
        all.add(SingleFileNames.unet(new UNet2DConditionModel(components.unet())));
        if (!(components.vae() instanceof AutoencoderKL.Config vae)) {
            throw new DiffusionException(
                    components.name()
                            + ": expected an AutoencoderKL, found another autoencoder, which a single file cannot hold; write a folder");
        }
        all.add(SingleFileNames.autoencoder(new AutoencoderKL(vae)));
        boolean two = components.texts().size() > 1;
        for (StableDiffusionComponents.Text text : components.texts()) {
            CLIPTextModel model = new CLIPTextModel(text.config());
            boolean second = text.part().endsWith("_2");
            boolean xl = components.isXL();
            String place = xl ? "conditioner.embedders." + (two && second ? 1 : 0) + "." : "cond_stage_model.";
            boolean openClip = xl ? second : text.config().hiddenAct().equals("gelu");
            all.add(
                    openClip
                            ? SingleFileNames.openClip(model, place + "model.")
                            : SingleFileNames.clip(model, place + "transformer."));
        }
        return all;
    }

    /** The same model must come out of a file that has nothing but these names and shapes. */
    private void requireReadable(Path file, List<List<SingleFileNames.Stored>> layout) {
        Map<String, int[]> shapes = new LinkedHashMap<>();
        layout.forEach(part -> part.forEach(stored -> shapes.put(stored.name(), stored.shape())));
        SingleFile.Contents read = SingleFile.read(file, shapes);
        requireSame("unet", components.unet(), read.unet());
        requireSame("vae", components.vae(), read.vae());
        for (int i = 0; i < components.texts().size(); i++) {
            StableDiffusionComponents.Text text = components.texts().get(i);
            requireSame(text.part(), text.config(), read.texts().get(i).config());
            CLIPTokenizer tokenizer = text.tokenizer();
            String pad = read.texts().get(i).padToken();
            if (!tokenizer.vocabulary().equals(CLIPTokenizer.standard(END).vocabulary())
                    || !tokenizer.padToken().equals(pad)) {
                throw new DiffusionException(components.name() + ": expected CLIP's own tokenizer with the pad_token \""
                        + pad + "\", found another, which a single file cannot hold; write a folder");
            }
        }
    }

    private void requireSame(String part, Object ours, Object read) {
        for (RecordComponent component : ours.getClass().getRecordComponents()) {
            try {
                Object a = component.getAccessor().invoke(ours);
                Object b = component.getAccessor().invoke(read);
                if (!IRRELEVANT.contains(component.getName()) && !Objects.equals(a, b)) {
                    throw new DiffusionException(
                            "%s: the %s's %s is %s, but a single file would be read as %s; write a folder"
                                    .formatted(components.name(), part, component.getName(), a, b));
                }
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException(e);
            }
        }
    }

    private TensorData data(WeightSource.Reader reader, SingleFileNames.Stored stored) {
        DType target = dtype != null
                ? dtype
                : switch (reader.precision(stored.parameters().getFirst())) {
                    case "F16" -> DType.F16;
                    case "BF16" -> DType.BF16;
                    default -> DType.F32; // exact for quantised blocks too
                };
        return TensorData.lazy(target, stored.shape(), () -> {
            int size = 0;
            for (Tensor parameter : stored.parameters()) {
                size += parameter.size();
            }
            float[] values = new float[size];
            int at = 0;
            for (Tensor parameter : stored.parameters()) {
                reader.fill(parameter, MemorySegment.ofArray(values).asSlice(4L * at, 4L * parameter.size()));
                at += parameter.size();
            }
            if (target == DType.F16) {
                requireHalf(stored.name(), values);
            }
            progress.accept(size);
            return stored.transposed() ? transposed(values, stored.shape()) : values;
        });
    }

    private static void requireHalf(String name, float[] values) {
        for (float value : values) {
            if (Math.abs(value) > LARGEST_HALF) {
                throw new DiffusionException("--dtype: " + name + " holds " + value + ", beyond fp16's largest number "
                        + LARGEST_HALF + "; take bf16 or fp32");
            }
        }
    }

    /** The transpose of a matrix, of the shape given. */
    private static float[] transposed(float[] values, int[] shape) {
        float[] turned = new float[values.length];
        for (int i = 0; i < shape[0]; i++) {
            for (int j = 0; j < shape[1]; j++) {
                turned[i * shape[1] + j] = values[j * shape[0] + i];
            }
        }
        return turned;
    }
}
