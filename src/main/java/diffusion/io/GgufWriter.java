package diffusion.io;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Writes GGUF files, version 3, atomically, one tensor in memory at a time. */
final class GgufWriter {
    private static final int VERSION = 3;
    private static final int STRING = 8;
    private static final int ALIGNMENT = 32;
    private static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private record Item(String name, GgmlType type, TensorData data) {
        long bytes() {
            return data.elements() / type.block() * type.bytes();
        }
    }

    private GgufWriter() {}

    /** Matrices are quantised where their rows are whole blocks; other weights of two axes or more become F16, the rest F32. */
    static void write(Path path, Map<String, TensorData> tensors, Map<String, String> metadata, GgmlType type) {
        List<Item> items = new ArrayList<>();
        tensors.forEach((name, data) -> items.add(new Item(name, typeOf(data.shape(), type), data)));
        AtomicFiles.write(path, out -> {
            long at = 0;
            byte[] header = header(items, metadata);
            out.write(header);
            at += header.length;
            for (Item item : items) {
                at += pad(out, at);
                writeTensor(out, item);
                at += item.bytes();
            }
            pad(out, at);
        });
    }

    private static GgmlType typeOf(int[] shape, GgmlType wanted) {
        if (shape.length < 2) {
            return GgmlType.F32;
        }
        return shape[shape.length - 1] % wanted.block() == 0 ? wanted : GgmlType.F16;
    }

    private static int pad(OutputStream out, long at) throws IOException {
        int rest = (int) ((ALIGNMENT - at % ALIGNMENT) % ALIGNMENT);
        out.write(new byte[rest]);
        return rest;
    }

    private static byte[] header(List<Item> items, Map<String, String> metadata) throws IOException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        out.write(TensorFile.GGUF_MAGIC.getBytes(StandardCharsets.US_ASCII));
        writeInt(out, VERSION);
        writeLong(out, items.size());
        writeLong(out, metadata.size());
        for (Map.Entry<String, String> pair : new TreeMap<>(metadata).entrySet()) {
            writeText(out, pair.getKey());
            writeInt(out, STRING);
            writeText(out, pair.getValue());
        }
        long offset = 0;
        for (Item item : items) {
            writeText(out, item.name);
            int[] shape = item.data.shape();
            writeInt(out, shape.length);
            for (int i = shape.length - 1; i >= 0; i--) { // the fastest axis comes first there
                writeLong(out, shape[i]);
            }
            writeInt(out, item.type.id());
            writeLong(out, offset);
            offset += (item.bytes() + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
        }
        pad(out, out.size());
        return out.toByteArray();
    }

    private static void writeInt(OutputStream out, int value) throws IOException {
        out.write(ByteBuffer.allocate(4)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putInt(value)
                .array());
    }

    private static void writeLong(OutputStream out, long value) throws IOException {
        out.write(ByteBuffer.allocate(8)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(value)
                .array());
    }

    private static void writeText(OutputStream out, String text) throws IOException {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        writeLong(out, bytes.length);
        out.write(bytes);
    }

    private static void writeTensor(OutputStream out, Item item) throws IOException {
        if (item.data.dtype() != DType.F32) {
            throw new DiffusionException(
                    "tensor " + item.name + ": found " + item.data.dtype() + ", expected floats for a GGUF file");
        }
        MemorySegment values = item.data.bytes(item.name);
        int n = item.type.block();
        float[] block = new float[n];
        ByteBuffer buffer = ByteBuffer.allocate(item.type.bytes()).order(ByteOrder.LITTLE_ENDIAN);
        for (long at = 0; at < item.data.elements(); at += n) {
            MemorySegment.copy(values, FLOAT, at * Float.BYTES, block, 0, n);
            buffer.clear();
            item.type.write(block, buffer);
            out.write(buffer.array());
        }
    }
}
