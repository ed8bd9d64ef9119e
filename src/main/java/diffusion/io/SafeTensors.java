package diffusion.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.jspecify.annotations.Nullable;

/**
 * A safetensors checkpoint mapped into memory: one file, or all files of a {@code *.safetensors.index.json}.
 *
 * <p>Nothing is read before it is asked for, and {@link #fill} and {@link #floats} unmap what they have read, so that a
 * large file never counts as memory of this process. Segments of {@link #data} are valid until {@link #close}. Any thread
 * may read.
 */
public final class SafeTensors implements TensorFile {
    private static final ValueLayout.OfFloat NATIVE = ValueLayout.JAVA_FLOAT;
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfDouble F64 =
            ValueLayout.JAVA_DOUBLE_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfShort I16 = ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfByte I8 = ValueLayout.JAVA_BYTE;

    private final Path path;
    private final Arena arena = Arena.ofShared();
    private final List<FileChannel> channels = new ArrayList<>();
    private final Map<String, Tensor> tensors = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();

    private record Tensor(SafeTensorsHeader.Entry entry, FileChannel channel, long start) {
        long bytes() {
            return entry.end() - entry.begin();
        }
    }

    private SafeTensors(Path path) {
        this.path = path;
    }

    /**
     * Opens a {@code .safetensors} file or a {@code .safetensors.index.json} (or {@code .index.fp16.json}) with its shards.
     *
     * @throws DiffusionException when the file is missing, truncated, not safetensors, or its header is inconsistent
     */
    public static SafeTensors open(Path path) {
        SafeTensors opened = new SafeTensors(path);
        try {
            if (path.toString().endsWith(".json")) {
                opened.mapShards();
            } else {
                opened.mapFile(path, null);
            }
            return opened;
        } catch (DiffusionException e) {
            opened.close();
            throw e;
        }
    }

    /** Writes tensors to one file, F32 ones converted to {@code dtype}; see {@link SafeTensorsWriter}. */
    public static void write(Path path, Map<String, TensorData> tensors, Map<String, String> metadata, DType dtype) {
        SafeTensorsWriter.write(path, tensors, metadata, dtype);
    }

    /** Tensor names in the order of the header. */
    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(tensors.keySet());
    }

    /** Whether a tensor of that name is here. */
    @Override
    public boolean contains(String name) {
        return tensors.containsKey(name);
    }

    /** The {@code __metadata__} of the file (of all shards together). */
    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    /** Element type of a tensor. */
    public DType dtype(String name) {
        return tensor(name).entry.dtype();
    }

    @Override
    public String precision(String name) {
        return dtype(name).name();
    }

    /** Shape of a tensor; a scalar has none. */
    @Override
    public int[] shape(String name) {
        return tensor(name).entry.shape().clone();
    }

    /** The bytes of a tensor as they lie in the file: little-endian, row-major, not necessarily aligned. */
    public MemorySegment data(String name) {
        Tensor tensor = tensor(name);
        return map(tensor, 0, tensor.bytes(), arena);
    }

    private MemorySegment map(Tensor tensor, long from, long bytes, Arena owner) {
        try {
            return tensor.channel.map(FileChannel.MapMode.READ_ONLY, tensor.start + from, bytes, owner);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check the disk", e);
        }
    }

    /** {@inheritDoc} F16 and BF16 widen exactly, F64 and integers round to the nearest float. */
    @Override
    public void fill(String name, long first, MemorySegment to) {
        Tensor tensor = tensor(name);
        DType dtype = tensor.entry.dtype();
        long n = to.byteSize() / Float.BYTES;
        try (Arena temporary = Arena.ofConfined()) {
            MemorySegment data = map(tensor, first * dtype.bytes(), n * dtype.bytes(), temporary);
            switch (dtype) {
                case F32 -> MemorySegment.copy(data, F32, 0, to, NATIVE, 0, n);
                case F16, BF16 -> Widening.widen(dtype, data, to);
                case F64 -> {
                    for (long i = 0; i < n; i++) {
                        to.setAtIndex(NATIVE, i, (float) data.get(F64, 8 * i));
                    }
                }
                case I64, I32, I16, I8, U32, U16, U8, BOOL -> {
                    for (long i = 0; i < n; i++) {
                        to.setAtIndex(NATIVE, i, (float) integer(dtype, data, i));
                    }
                }
                case U64, F8_E4M3, F8_E5M2 -> throw unreadable(name, tensor, "floats");
            }
        }
    }

    @Override
    public void blocks(String name, long first, MemorySegment to) {
        Tensor tensor = tensor(name);
        try (Arena temporary = Arena.ofConfined()) {
            to.copyFrom(map(tensor, first * tensor.entry.dtype().bytes(), to.byteSize(), temporary));
        }
    }

    /** {@link #fill} into a new array. */
    public float[] floats(String name) {
        float[] out = new float[elements(name, tensor(name))];
        fill(name, MemorySegment.ofArray(out));
        return out;
    }

    /** A copy of an integer or boolean tensor. */
    public long[] longs(String name) {
        Tensor tensor = tensor(name);
        long[] out = new long[elements(name, tensor)];
        switch (tensor.entry.dtype()) {
            case I64, I32, I16, I8, U32, U16, U8, BOOL -> {
                try (Arena temporary = Arena.ofConfined()) {
                    MemorySegment data = map(tensor, 0, tensor.bytes(), temporary);
                    Arrays.setAll(out, i -> integer(tensor.entry.dtype(), data, i));
                }
            }
            case F64, F32, F16, BF16, U64, F8_E4M3, F8_E5M2 -> throw unreadable(name, tensor, "integers");
        }
        return out;
    }

    /** Unmaps the files; segments handed out before are no longer readable. */
    @Override
    public void close() {
        if (arena.scope().isAlive()) {
            arena.close();
        }
        for (FileChannel channel : channels) {
            try {
                channel.close();
            } catch (IOException e) {
                throw new DiffusionException("cannot close " + path + ": " + e.getMessage() + "; check the disk", e);
            }
        }
    }

    private static long integer(DType dtype, MemorySegment data, long i) {
        return switch (dtype) {
            case I64 -> data.get(I64, 8L * i);
            case I32 -> data.get(I32, 4L * i);
            case U32 -> Integer.toUnsignedLong(data.get(I32, 4L * i));
            case I16 -> data.get(I16, 2L * i);
            case U16 -> Short.toUnsignedLong(data.get(I16, 2L * i));
            case I8 -> data.get(I8, i);
            case U8, BOOL -> Byte.toUnsignedLong(data.get(I8, i));
            case U64, F64, F32, F16, BF16, F8_E4M3, F8_E5M2 ->
                throw new IllegalArgumentException("not an integer type: " + dtype);
        };
    }

    private int elements(String name, Tensor tensor) {
        long count = tensor.bytes() / tensor.entry.dtype().bytes();
        if (count > Integer.MAX_VALUE - 8) {
            throw new DiffusionException(path + ": tensor " + name + " has " + count
                    + " elements, expected fewer than 2^31 for a Java array; read its memory segment instead");
        }
        return (int) count;
    }

    private DiffusionException unreadable(String name, Tensor tensor, String what) {
        return new DiffusionException(path + ": tensor " + name + " is " + tensor.entry.dtype()
                + ", which cannot be read as " + what + "; convert it to F32, F16 or BF16");
    }

    private Tensor tensor(String name) {
        Tensor tensor = tensors.get(name);
        if (tensor == null) {
            throw new DiffusionException(
                    path + " has no tensor " + name + "; it has " + tensors.size() + " others, is it the right file?");
        }
        return tensor;
    }

    private void mapShards() {
        Map<String, Set<String>> shards = SafeTensorsIndex.read(path);
        for (Map.Entry<String, Set<String>> shard : shards.entrySet()) {
            Path file = path.resolveSibling(shard.getKey());
            mapFile(file, shard.getValue());
            List<String> missing = new ArrayList<>(shard.getValue());
            missing.removeAll(tensors.keySet());
            if (!missing.isEmpty()) {
                throw new DiffusionException(file + " lacks " + missing.size() + " tensors that " + path.getFileName()
                        + " lists, the first being " + missing.getFirst() + "; download it again");
            }
        }
    }

    /** Maps one file; with {@code wanted} only those of its tensors that an index lists. */
    private void mapFile(Path file, @Nullable Set<String> wanted) {
        if (Files.isDirectory(file)) {
            throw new DiffusionException(file + " is a folder, expected a .safetensors file");
        }
        try {
            FileChannel channel = FileChannel.open(file, StandardOpenOption.READ);
            channels.add(channel);
            SafeTensorsHeader header = SafeTensorsHeader.read(file, channel);
            Set<String> keep = new LinkedHashSet<>(header.entries().keySet());
            if (wanted != null) {
                keep.retainAll(wanted);
            }
            for (String name : keep) {
                SafeTensorsHeader.Entry entry = header.entries().get(name);
                if (entry != null) {
                    long at = header.dataStart() + entry.begin();
                    tensors.put(name, new Tensor(entry, channel, at));
                }
            }
            metadata.putAll(header.metadata());
        } catch (NoSuchFileException e) {
            throw new DiffusionException("no such file: " + file + "; check the path", e);
        } catch (AccessDeniedException e) {
            throw new DiffusionException("no permission to read " + file + "; check the file's mode", e);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + file + ": " + e.getMessage() + "; check the disk", e);
        }
    }
}
