package diffusion.io;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes safetensors files: tensors in the reference's order (wide types first, then by name), the header padded with
 * spaces to 8 bytes, atomically, one megabyte at a time.
 */
final class SafeTensorsWriter {
    private static final int CHUNK = 1 << 20;
    private static final ValueLayout.OfFloat F32 = ValueLayout.JAVA_FLOAT_UNALIGNED;

    private SafeTensorsWriter() {}

    private record Item(String name, DType dtype, TensorData data) {
        long bytes() {
            return Math.multiplyExact(data.elements(), dtype.bytes());
        }
    }

    static void write(Path path, Map<String, TensorData> tensors, Map<String, String> metadata, DType dtype) {
        if (dtype != DType.F32 && dtype != DType.F16 && dtype != DType.BF16) {
            throw new DiffusionException("cannot write weights as " + dtype + "; expected F32, F16 or BF16");
        }
        List<Item> items = tensors.entrySet().stream()
                .map(e -> new Item(e.getKey(), e.getValue().writtenAs(dtype), e.getValue()))
                .sorted(Comparator.comparingInt((Item item) -> -item.dtype().bytes())
                        .thenComparing(Item::dtype)
                        .thenComparing(Item::name))
                .toList();
        AtomicFiles.writeChannel(path, channel -> {
            AtomicFiles.writeFully(channel, ByteBuffer.wrap(header(items, metadata)));
            ByteBuffer buffer = ByteBuffer.allocateDirect(CHUNK).order(ByteOrder.LITTLE_ENDIAN);
            for (Item item : items) {
                writeTensor(channel, buffer, item);
            }
        });
    }

    /** Length, JSON and padding. */
    private static byte[] header(List<Item> items, Map<String, String> metadata) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        bytes.write(new byte[8]);
        try (JsonGenerator json = new JsonFactory().createGenerator(bytes)) {
            json.writeStartObject();
            if (!metadata.isEmpty()) {
                json.writeObjectFieldStart("__metadata__");
                for (Map.Entry<String, String> entry : new TreeMap<>(metadata).entrySet()) {
                    json.writeStringField(entry.getKey(), entry.getValue());
                }
                json.writeEndObject();
            }
            long position = 0;
            for (Item item : items) {
                json.writeObjectFieldStart(item.name);
                json.writeStringField("dtype", item.dtype.name());
                json.writeFieldName("shape");
                int[] shape = item.data.shape();
                json.writeArray(shape, 0, shape.length);
                json.writeFieldName("data_offsets");
                json.writeArray(new long[] {position, position + item.bytes()}, 0, 2);
                json.writeEndObject();
                position += item.bytes();
            }
            json.writeEndObject();
        }
        while (bytes.size() % 8 != 0) {
            bytes.write(' ');
        }
        byte[] header = bytes.toByteArray();
        ByteBuffer.wrap(header).order(ByteOrder.LITTLE_ENDIAN).putLong(0, header.length - 8L);
        return header;
    }

    private static void writeTensor(FileChannel channel, ByteBuffer buffer, Item item) throws IOException {
        MemorySegment source = item.data.bytes(item.name);
        if (item.data.dtype() != DType.F32) {
            for (long at = 0; at < source.byteSize(); at += CHUNK) {
                long n = Math.min(CHUNK, source.byteSize() - at);
                buffer.clear();
                MemorySegment.copy(source, at, MemorySegment.ofBuffer(buffer), 0, n);
                AtomicFiles.writeFully(channel, buffer.limit((int) n));
            }
            return;
        }
        long count = item.data.elements();
        int chunk = CHUNK / item.dtype.bytes();
        for (long at = 0; at < count; at += chunk) {
            int n = (int) Math.min(chunk, count - at);
            buffer.clear();
            for (int i = 0; i < n; i++) {
                float value = source.get(F32, 4 * (at + i));
                switch (item.dtype) {
                    case F16 -> buffer.putShort(Float.floatToFloat16(value));
                    case BF16 -> buffer.putShort(DType.floatToBfloat16(value));
                    default -> buffer.putFloat(value);
                }
            }
            AtomicFiles.writeFully(channel, buffer.flip());
        }
    }
}
