package diffusion.model;

import diffusion.graph.Parameters;
import diffusion.graph.Tensor;
import diffusion.io.DiffusionException;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import diffusion.io.TensorFile;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.NotDirectoryException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import java.util.function.Predicate;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;

/** Where the weights of one model lie: a safetensors file (or the index of several) or a GGUF file, and how its names are to be read. */
public final class WeightSource {
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT;
    private static final int SHOWN = 5;
    private static final int RUN = 1 << 18;
    private static final int INFINITY = Float.floatToRawIntBits(Float.POSITIVE_INFINITY);
    private static final Pattern TEXT_LAYER = Pattern.compile("encoder\\.layers\\.\\d+\\.(self_attn|mlp|layer_norm)");

    /**
     * The place of a parameter: a tensor of the file, or one of equal parts of it along its first axis.
     *
     * @param transposed whether the file holds the transposed matrix
     */
    public record Part(String stored, int index, int of, boolean transposed) {
        /** All of a tensor. */
        public static Part whole(String stored) {
            return new Part(stored, 0, 1, false);
        }
    }

    /** What the names in a file mean. */
    @FunctionalInterface
    public interface Naming {
        /** Names the parameters that a stored tensor holds: none, if it belongs to something else. */
        void parameters(String stored, BiConsumer<String, Part> into);
    }

    /** Receives a weight: the tensor, and what writes its elements as floats into memory, in general {@link Elements}. */
    @FunctionalInterface
    public interface Sink {
        /** See {@code Program.fill}. */
        void accept(Tensor parameter, Consumer<MemorySegment> values);
    }

    private static final Pattern VARIANT =
            Pattern.compile("(diffusion_pytorch_model|model)\\.(\\w+\\.safetensors|safetensors\\.index\\.\\w+\\.json)");

    private final Path path;
    private final Naming naming;

    /** Weights in a file. */
    public WeightSource(Path path, Naming naming) {
        this.path = path;
        this.naming = naming;
    }

    /** The weights of a component's folder, under the names of its class or those it had before. */
    public static WeightSource inFolder(Path folder) {
        return new WeightSource(file(folder), WeightSource::current);
    }

    /** The weights in a file, under the names of its class or those it had before. */
    public static WeightSource inFile(Path file) {
        return new WeightSource(file, WeightSource::current);
    }

    private static Path file(Path folder) {
        for (String stem : List.of("diffusion_pytorch_model", "model")) {
            for (String end : List.of(
                    ".safetensors", ".safetensors.index.json", ".fp16.safetensors", ".safetensors.index.fp16.json")) {
                Path path = folder.resolve(stem + end);
                if (Files.exists(path)) {
                    return path;
                }
            }
        }
        List<Path> variants = variants(folder);
        if (variants.size() == 1) {
            return variants.getFirst();
        }
        if (variants.size() > 1) {
            throw new DiffusionException(folder + ": expected one set of weights, found "
                    + variants.stream()
                            .map(path -> String.valueOf(path.getFileName()))
                            .collect(Collectors.joining(", "))
                    + "; rename the one that is meant to diffusion_pytorch_model.safetensors");
        }
        boolean pickled = Files.exists(folder.resolve("diffusion_pytorch_model.bin"))
                || Files.exists(folder.resolve("pytorch_model.bin"));
        throw new DiffusionException(folder + ": expected diffusion_pytorch_model.safetensors, found "
                + (pickled
                        ? "only a pickled .bin, which can run code and is not read; convert it to safetensors first"
                        : "no weights"));
    }

    /** Weights, or the indices of several files, of variants such as non_ema. */
    private static List<Path> variants(Path folder) {
        try (Stream<Path> files = Files.list(folder)) {
            return files.filter(path ->
                            VARIANT.matcher(String.valueOf(path.getFileName())).matches())
                    .sorted()
                    .toList();
        } catch (NoSuchFileException | NotDirectoryException e) {
            return List.of(); // the same as none
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + folder + ": " + e.getMessage() + "; check its mode", e);
        }
    }

    /** The names diffusers and transformers give today; tables of positions, which old files hold, are no weights. */
    private static void current(String stored, BiConsumer<String, Part> into) {
        if (stored.endsWith(".position_ids")) {
            return;
        }
        String name = stored;
        if (stored.contains("attentions.")) {
            name = stored.replace(".query.", ".to_q.")
                    .replace(".key.", ".to_k.")
                    .replace(".value.", ".to_v.")
                    .replace(".proj_attn.", ".to_out.0.");
        } else if (stored.startsWith("embeddings.")
                || TEXT_LAYER.matcher(stored).lookingAt()
                || stored.startsWith("final_layer_norm.")) {
            name = "text_model." + stored;
        }
        into.accept(name, Part.whole(stored));
    }

    /** The original names of a U-Net's weights in single-file checkpoints; see {@link SingleFile}. */
    public static Naming originalUNet(int layers) {
        return OriginalNames.unet(layers);
    }

    /** The file. */
    public Path path() {
        return path;
    }

    /** Reads all weights; see {@link #load(Parameters, Predicate, Sink)}. */
    public void load(Parameters parameters, Sink sink) {
        load(parameters, _ -> true, sink);
    }

    /**
     * Reads weights. Every parameter must be there in its shape and finite, and nothing else may be, also where only some
     * are wanted.
     */
    public void load(Parameters parameters, Predicate<Tensor> wanted, Sink sink) {
        try (Reader reader = open(parameters)) {
            for (Tensor parameter : parameters.all()) {
                if (wanted.test(parameter)) {
                    sink.accept(parameter, reader.elements(parameter));
                }
            }
        }
    }

    /** Opens the file to read weights one by one; fails as {@link #load(Parameters, Predicate, Sink)} does. */
    public Reader open(Parameters parameters) {
        TensorFile file = TensorFile.open(path);
        try {
            Map<String, Part> parts = parts(file);
            List<String> problems = problems(parameters, file, parts);
            if (!problems.isEmpty()) {
                throw new DiffusionException(path + ": the weights do not fit the model's config.json: "
                        + String.join("; ", problems.subList(0, Math.min(SHOWN, problems.size())))
                        + (problems.size() > SHOWN ? "; and " + (problems.size() - SHOWN) + " more" : ""));
            }
            return new Reader(file, parts);
        } catch (RuntimeException e) {
            file.close();
            throw e;
        }
    }

    /** An open file whose weights fit a model. */
    public final class Reader implements AutoCloseable {
        private final TensorFile file;
        private final Map<String, Part> parts;

        private Reader(TensorFile file, Map<String, Part> parts) {
            this.file = file;
            this.parts = parts;
        }

        /** Writes a weight's elements as floats in native order. */
        public void fill(Tensor parameter, MemorySegment to) {
            Part part = part(parameter);
            long n = parameter.size();
            if (part.transposed) {
                fillTransposed(part, parameter, to);
            } else {
                // Runs that stay in a core's cache while they are converted and looked at.
                IntStream.range(0, (int) ((n + RUN - 1) / RUN)).parallel().forEach(run -> {
                    long from = (long) run * RUN;
                    MemorySegment some = to.asSlice(from * Float.BYTES, Math.min(RUN, n - from) * Float.BYTES);
                    file.fill(part.stored, part.index * n + from, some);
                    requireFinite(parameter.name(), some);
                });
            }
        }

        /** A weight's elements, readable until this reader is closed. */
        Consumer<MemorySegment> elements(Tensor parameter) {
            Part part = part(parameter);
            if (part.transposed) {
                return to -> fill(parameter, to);
            }
            long start = (long) part.index * parameter.size();
            return new Elements() {
                @Override
                public GgmlType type() {
                    return file.type(part.stored);
                }

                @Override
                public void floats(long first, MemorySegment to) {
                    file.fill(part.stored, start + first, to);
                    requireFinite(parameter.name(), to);
                }

                @Override
                public void blocks(long first, MemorySegment to) {
                    file.blocks(part.stored, start + first, to);
                }

                @Override
                public void accept(MemorySegment to) {
                    fill(parameter, to);
                }
            };
        }

        private void fillTransposed(Part part, Tensor parameter, MemorySegment to) {
            int rows = parameter.dim(0);
            int columns = parameter.sizeFrom(1);
            float[] all = new float[rows * columns];
            MemorySegment stored = MemorySegment.ofArray(all);
            file.fill(part.stored, (long) part.index * all.length, stored);
            requireFinite(parameter.name(), stored);
            for (int i = 0; i < rows; i++) {
                for (int j = 0; j < columns; j++) {
                    to.setAtIndex(FLOAT, (long) i * columns + j, all[j * rows + i]);
                }
            }
        }

        /** How a weight is stored, such as F16. */
        public String precision(Tensor parameter) {
            return file.precision(part(parameter).stored);
        }

        private Part part(Tensor parameter) {
            return Objects.requireNonNull(parts.get(parameter.name()));
        }

        @Override
        public void close() {
            file.close();
        }
    }

    /** What keeps the weights from fitting: missing, unexpected and wrongly shaped parameters; empty if all is well. */
    public List<String> problems(Parameters parameters) {
        try (TensorFile file = TensorFile.open(path)) {
            return problems(parameters, file, parts(file));
        }
    }

    /** The element types of the stored weights, such as F16, with the number of elements of each. */
    public Map<String, Long> precision() {
        try (TensorFile file = TensorFile.open(path)) {
            Map<String, Long> elements = new TreeMap<>();
            for (Part part : parts(file).values()) {
                long size =
                        Arrays.stream(file.shape(part.stored)).asLongStream().reduce(1, (a, b) -> a * b);
                elements.merge(file.precision(part.stored), size / part.of, Long::sum);
            }
            return elements;
        }
    }

    /** Bytes that weights of two bytes or of blocks of small integers take less as they are than as floats. */
    public long savedBytes() {
        return precision().entrySet().stream()
                .mapToLong(entry -> {
                    long saved = switch (entry.getKey()) {
                        case "F16", "BF16" -> 16;
                        case "Q8_0" -> 23; // with a float for a scale
                        case "Q4_0" -> 27;
                        default -> 0;
                    };
                    return entry.getValue() * saved / Byte.SIZE;
                })
                .sum();
    }

    /** What the file says of itself. */
    public Map<String, String> metadata() {
        try (TensorFile file = TensorFile.open(path)) {
            return Map.copyOf(file.metadata());
        }
    }

    private static List<String> problems(Parameters parameters, TensorFile file, Map<String, Part> parts) {
        List<String> problems = new ArrayList<>();
        for (Tensor parameter : parameters.all()) {
            Part part = parts.get(parameter.name());
            if (part == null) {
                problems.add("missing " + parameter.name());
            } else if (!fits(shape(file, part), parameter.shape())) {
                problems.add("%s is %s, expected %s"
                        .formatted(
                                parameter.name(),
                                Arrays.toString(shape(file, part)),
                                Arrays.toString(parameter.shape())));
            }
        }
        for (String name : parts.keySet()) {
            if (parameters.find(name) == null) {
                problems.add("unexpected " + name);
            }
        }
        return problems;
    }

    private static int[] shape(TensorFile file, Part part) {
        int[] shape = file.shape(part.stored);
        if (part.transposed && shape.length == 2) {
            shape = new int[] {shape[1], shape[0]};
        }
        if (shape.length > 0 && shape[0] % part.of == 0) {
            shape[0] /= part.of;
        }
        return shape;
    }

    /** Whether the shapes are equal but for axes of one element at the end: 1x1 convolutions are linear layers. */
    private static boolean fits(int[] found, int[] expected) {
        return Arrays.equals(trim(found), trim(expected));
    }

    private static int[] trim(int[] shape) {
        int rank = shape.length;
        while (rank > 1 && shape[rank - 1] == 1) {
            rank--;
        }
        return Arrays.copyOf(shape, rank);
    }

    private Map<String, Part> parts(TensorFile file) {
        Map<String, Part> parts = new LinkedHashMap<>();
        for (String stored : file.names()) {
            naming.parameters(stored, (name, part) -> {
                Part other = parts.put(name, part);
                if (other != null) {
                    throw new DiffusionException(path + ": the weights hold both " + other.stored + " and "
                            + part.stored + ", old and new name of one parameter; remove one of them");
                }
            });
        }
        return parts;
    }

    private void requireFinite(String name, MemorySegment values) {
        int[] bits = new int[4096];
        long n = values.byteSize() / Float.BYTES;
        for (long i = 0; i < n; i += bits.length) {
            int count = (int) Math.min(bits.length, n - i);
            MemorySegment.copy(values, ValueLayout.JAVA_INT, i * Float.BYTES, bits, 0, count);
            int largest = 0;
            for (int j = 0; j < count; j++) {
                largest = Math.max(largest, bits[j] & Integer.MAX_VALUE);
            }
            if (largest >= INFINITY) {
                float value = 0;
                for (int j = 0; Float.isFinite(value); j++) {
                    value = Float.intBitsToFloat(bits[j]);
                }
                throw new DiffusionException(
                        path + ": expected finite weights, found " + value + " in " + name + "; the file is damaged");
            }
        }
    }
}
