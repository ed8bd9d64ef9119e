package diffusion.io;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * A GGUF file, version 2 or 3, as llama.cpp and stable-diffusion.cpp write them: weights as numbers or in quantised blocks,
 * which {@link #fill} widens. Any thread may read.
 */
public final class Gguf implements TensorFile {
    private static final ValueLayout.OfInt I32 = ValueLayout.JAVA_INT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfLong I64 = ValueLayout.JAVA_LONG_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);
    private static final ValueLayout.OfFloat NATIVE = ValueLayout.JAVA_FLOAT;
    private static final int MAX_AXES = 4;
    private static final int MAX_TEXT = 1 << 20;
    private static final int MAX_NESTING = 4;
    private static final int STRING = 8;
    private static final int ARRAY = 9;
    /** Bytes of the value types 0 to 12; zero for texts and arrays. */
    private static final int[] VALUE_BYTES = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

    private record Entry(GgmlType type, int[] shape, long offset, long elements) {
        long bytes() {
            return elements / type.block() * type.bytes();
        }
    }

    private final Path path;
    private final FileChannel channel;
    private final long size;
    private final Map<String, Entry> entries = new LinkedHashMap<>();
    private final Map<String, String> metadata = new LinkedHashMap<>();
    private MemorySegment header = MemorySegment.NULL; // the file, while its header is read
    private long at = TensorFile.GGUF_MAGIC.length();
    private long dataStart;

    private Gguf(Path path, FileChannel channel) throws IOException {
        this.path = path;
        this.channel = channel;
        size = channel.size();
    }

    /**
     * Opens a file.
     *
     * @throws DiffusionException when it is missing, truncated, of another version, or holds an unknown element type
     */
    public static Gguf open(Path path) {
        try {
            FileChannel channel = FileChannel.open(path, StandardOpenOption.READ);
            boolean opened = false;
            try (Arena arena = Arena.ofConfined()) {
                Gguf file = new Gguf(path, channel);
                file.header = channel.map(FileChannel.MapMode.READ_ONLY, 0, file.size, arena);
                file.readHeader();
                opened = true;
                return file;
            } finally {
                if (!opened) {
                    channel.close();
                }
            }
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check the path", e);
        } catch (IndexOutOfBoundsException e) {
            throw new DiffusionException(path + " ends within its header; download it again", e);
        }
    }

    /**
     * Writes float tensors: matrices as {@code type} where their rows are whole blocks, other weights of two axes or more as
     * F16, the rest as F32.
     */
    public static void write(Path path, Map<String, TensorData> tensors, Map<String, String> metadata, GgmlType type) {
        GgufWriter.write(path, tensors, metadata, type);
    }

    private void readHeader() {
        int version = int32();
        if (version != 2 && version != 3) {
            throw new DiffusionException(path + ": found GGUF version " + version + ", expected 2 or 3");
        }
        long tensors = count("tensors");
        long pairs = count("metadata");
        long alignment = 32;
        for (long i = 0; i < pairs; i++) {
            String key = text();
            String value = value(int32(), 0);
            metadata.put(key, value);
            if (key.equals("general.alignment")) {
                alignment = alignment(value);
            }
        }
        for (long i = 0; i < tensors; i++) {
            readEntry();
        }
        dataStart = (at + alignment - 1) / alignment * alignment;
        entries.forEach((name, entry) -> {
            if (entry.offset < 0 || entry.offset > size - dataStart - entry.bytes()) {
                throw new DiffusionException(path + ": tensor " + name + " lies beyond the end of the file, which has "
                        + size + " bytes; download it again");
            }
        });
    }

    private long alignment(String value) {
        try {
            long found = Long.parseLong(value);
            if (found > 0 && found <= 1 << 20) {
                return found;
            }
        } catch (NumberFormatException _) {
            // said below
        }
        throw new DiffusionException(path + ": found general.alignment " + value + ", expected a positive number");
    }

    private void readEntry() {
        String name = text();
        if (name.isEmpty() || name.chars().anyMatch(Character::isISOControl)) {
            throw new DiffusionException(
                    path + ": tensor " + entries.size() + " has no readable name; the file is damaged");
        }
        int axes = int32();
        if (axes < 0 || axes > MAX_AXES) {
            throw new DiffusionException(
                    path + ": tensor " + name + " has " + axes + " axes, expected at most " + MAX_AXES);
        }
        int[] shape = new int[axes];
        long elements = 1;
        for (int i = axes - 1; i >= 0; i--) { // the fastest axis comes first there
            long size = int64();
            if (size < 1 || size > Integer.MAX_VALUE || elements > Integer.MAX_VALUE / size) {
                throw new DiffusionException(path + ": tensor " + name + " has an axis of " + size
                        + " elements, expected 1 or more and fewer than 2^31 in all");
            }
            shape[i] = (int) size;
            elements *= size;
        }
        int id = int32();
        GgmlType type = GgmlType.find(id);
        if (type == null) {
            throw new DiffusionException(path + ": tensor " + name + " has the element type " + id
                    + ", expected one of " + Arrays.toString(GgmlType.values()) + "; quantise it to one of these");
        }
        if (elements % type.block() != 0) {
            throw new DiffusionException(path + ": tensor " + name + " has " + elements
                    + " elements, expected whole blocks of " + type.block() + " for " + type);
        }
        entries.put(name, new Entry(type, shape, int64(), elements));
    }

    private long count(String what) {
        long n = int64();
        if (n < 0 || n > size) {
            throw new DiffusionException(path + ": found a count of " + n + " " + what + ", more than the file has room"
                    + " for; download it again");
        }
        return n;
    }

    private int int32() {
        at += Integer.BYTES;
        return header.get(I32, at - Integer.BYTES);
    }

    private long int64() {
        at += Long.BYTES;
        return header.get(I64, at - Long.BYTES);
    }

    private String text() {
        long n = int64();
        if (n < 0 || n > MAX_TEXT) {
            throw new DiffusionException(path + ": found a text of " + n + " bytes in the header, expected at most "
                    + MAX_TEXT + "; the file is damaged");
        }
        byte[] bytes = header.asSlice(at, n).toArray(ValueLayout.JAVA_BYTE);
        at += n;
        return new String(bytes, StandardCharsets.UTF_8);
    }

    /** A value as text; of arrays, which hold vocabularies and the like, only the length. */
    private String value(int type, int depth) {
        if (type == STRING) {
            return text();
        }
        if (type == ARRAY) {
            if (depth == MAX_NESTING) {
                throw new DiffusionException(path + ": found metadata arrays nested deeper than " + MAX_NESTING
                        + ", which no program writes; the file is damaged");
            }
            int of = int32();
            long n = count("values");
            for (long i = 0; i < n; i++) {
                value(of, depth + 1);
            }
            return n + " values";
        }
        if (type < 0 || type >= VALUE_BYTES.length) {
            throw new DiffusionException(path + ": found a metadata value of type " + type + ", expected 0 to "
                    + (VALUE_BYTES.length - 1) + "; the file is damaged");
        }
        long from = at;
        at += VALUE_BYTES[type];
        return switch (type) {
            case 0, 7 -> String.valueOf(header.get(ValueLayout.JAVA_BYTE, from) & 0xff);
            case 1 -> String.valueOf(header.get(ValueLayout.JAVA_BYTE, from));
            case 2, 3 ->
                String.valueOf(header.get(ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN), from));
            case 4 -> Integer.toUnsignedString(header.get(I32, from));
            case 5 -> String.valueOf(header.get(I32, from));
            case 6 -> String.valueOf(Float.intBitsToFloat(header.get(I32, from)));
            case 12 -> String.valueOf(Double.longBitsToDouble(header.get(I64, from)));
            default -> String.valueOf(header.get(I64, from));
        };
    }

    private Entry entry(String name) {
        Entry entry = entries.get(name);
        if (entry == null) {
            throw new DiffusionException(
                    path + " has no tensor " + name + "; it has " + entries.size() + " others, is it the right file?");
        }
        return entry;
    }

    @Override
    public Set<String> names() {
        return Collections.unmodifiableSet(entries.keySet());
    }

    @Override
    public boolean contains(String name) {
        return entries.containsKey(name);
    }

    @Override
    public int[] shape(String name) {
        return entry(name).shape.clone();
    }

    @Override
    public String precision(String name) {
        return entry(name).type.name();
    }

    @Override
    public void fill(String name, long first, MemorySegment to) {
        Entry entry = entry(name);
        GgmlType type = entry.type;
        long end = first + to.byteSize() / Float.BYTES;
        long start = first / type.block();
        long blocks = (end + type.block() - 1) / type.block() - start;
        try (Arena arena = Arena.ofConfined()) {
            MemorySegment data = map(entry, start, blocks, arena);
            switch (type) {
                case F32 -> MemorySegment.copy(data, F32, 0, to, NATIVE, 0, end - first);
                case F16 -> Widening.widen(DType.F16, data, to);
                case BF16 -> Widening.widen(DType.BF16, data, to);
                default -> unpack(type, data, first - start * type.block(), to);
            }
        }
    }

    @Override
    public void blocks(String name, long first, MemorySegment to) {
        Entry entry = entry(name);
        try (Arena arena = Arena.ofConfined()) {
            to.copyFrom(map(entry, first / entry.type.block(), to.byteSize() / entry.type.bytes(), arena));
        }
    }

    /** These blocks only: mapped pages count as memory of the process. */
    private MemorySegment map(Entry entry, long firstBlock, long blocks, Arena arena) {
        long bytes = entry.type.bytes();
        try {
            return channel.map(
                    FileChannel.MapMode.READ_ONLY,
                    dataStart + entry.offset + firstBlock * bytes,
                    blocks * bytes,
                    arena);
        } catch (IOException e) {
            throw new DiffusionException("cannot read " + path + ": " + e.getMessage() + "; check the disk", e);
        }
    }

    /** Elements of blocks, without the first {@code skip}. */
    private static void unpack(GgmlType type, MemorySegment data, long skip, MemorySegment to) {
        float[] block = new float[type.block()];
        long n = to.byteSize() / Float.BYTES;
        long at = -skip;
        for (long i = 0; at < n; i++, at += block.length) {
            type.read(data, i * type.bytes(), block);
            int from = (int) Math.max(0, -at);
            int count = (int) Math.min(block.length, n - at) - from;
            MemorySegment.copy(block, from, to, NATIVE, (at + from) * Float.BYTES, count);
        }
    }

    @Override
    public Map<String, String> metadata() {
        return Collections.unmodifiableMap(metadata);
    }

    @Override
    public void close() {
        try {
            channel.close();
        } catch (IOException e) {
            throw new DiffusionException("cannot close " + path + ": " + e.getMessage() + "; check the disk", e);
        }
    }
}
