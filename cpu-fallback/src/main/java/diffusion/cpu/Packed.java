package diffusion.cpu;

import diffusion.graph.Tensor;
import diffusion.io.Elements;
import diffusion.io.GgmlType;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;

/**
 * A weight in the order kernels read it, in panels; as a step, it packs if the parameter has changed.
 *
 * <p>Panels are floats or, where the weight is kept packed only, may be narrow: then they are widened a piece at a time.
 */
final class Packed implements Crew.Step {
    /** Packs some panels of the weight at {@code source}. */
    @FunctionalInterface
    interface Packer {
        void pack(long source, long target, int fromPanel, int toPanel);
    }

    private static final ValueLayout.OfShort SCALE =
            ValueLayout.JAVA_SHORT_UNALIGNED.withOrder(ByteOrder.LITTLE_ENDIAN);

    /** Elements that are read from a file at a time, about. */
    private static final long RUN = 1 << 18;

    final Tensor tensor;
    private final Weights.Use use;
    private final long source; // 0 if it is kept packed only
    private final boolean mayBeNarrow;
    private final long panelFloats;
    private final int panels;
    private final Packer packer;
    private boolean stale;
    private long address; // of floats or of what is narrow; 0 before there are any
    private long bytes;
    private long panelBytes;
    private long scales; // [panels][blocks of a row][rows of a panel]
    private GgmlType type = GgmlType.F32;

    Packed(Tensor tensor, Weights.Use use, long source, boolean narrow, long floats, int panels, Packer packer) {
        this.tensor = tensor;
        this.use = use;
        this.source = source;
        mayBeNarrow = source == 0 && narrow;
        this.panels = panels;
        this.packer = packer;
        panelFloats = floats / panels;
        stale = source != 0;
    }

    boolean isPackedOnly() {
        return source == 0;
    }

    boolean isPlaced() {
        return address != 0;
    }

    /** Whether it may come to be narrow. */
    boolean mayBeNarrow() {
        return mayBeNarrow;
    }

    /** Whether panels are widened on each use, so that uses had better be few. */
    boolean isNarrow() {
        return type != GgmlType.F32;
    }

    /** Floats of all panels. */
    long floats() {
        return panelFloats * panels;
    }

    /** Bytes that it takes, or will take if it is kept as floats. */
    long bytes() {
        return isPlaced() ? bytes : size(GgmlType.F32);
    }

    void changed() {
        stale = true;
    }

    @Override
    public boolean needed() {
        return stale;
    }

    @Override
    public void run(int worker, int workers) {
        packer.pack(source, address, Crew.from(panels, worker, workers), Crew.from(panels, worker + 1, workers));
    }

    @Override
    public void finished() {
        stale = false;
    }

    /**
     * The address of some floats of a panel: their own, or {@code wide}, where they are widened to.
     *
     * @param from a multiple of 32 rows of the panel
     * @param wide working memory of {@link #wideFloats} floats
     */
    long panel(int panel, long from, long floats, long wide) {
        if (type == GgmlType.F32) {
            return address + (panel * panelFloats + from) * Float.BYTES;
        }
        long at = address + panel * panelBytes + from / Narrow.shared(type) * Float.BYTES;
        if (scales == 0) {
            Narrow.widen(type, wide, at, floats);
        } else {
            int width = width();
            long block = (long) Narrow.BLOCK * width;
            long s = scales + (panel * panelFloats + from) / block * width * Float.BYTES;
            long spread = wide + floats * Float.BYTES;
            Narrow.widen(type, wide, at, s, (int) (floats / block), width, spread);
        }
        return wide;
    }

    /** Working memory for so many floats of a panel at a time: none, if they are never narrow. */
    long wideFloats(long floats) {
        return mayBeNarrow ? floats + Narrow.spare() : 0;
    }

    /** Rows or columns of a panel. */
    private int width() {
        return use == Weights.Use.LINEAR ? Tile.COLUMNS : Tile.ROWS;
    }

    private int inputs() {
        return tensor.sizeFrom(1);
    }

    /** The narrowest type that this holds weights in which are stored as {@code stored}. */
    GgmlType typeFor(GgmlType stored) {
        return switch (stored) {
            case F16, BF16 -> stored;
            case Q8_0, Q4_0 -> {
                boolean matrix = use == Weights.Use.LINEAR || use == Weights.Use.CONVOLUTION && tensor.sizeFrom(2) == 1;
                yield matrix && inputs() % Narrow.BLOCK == 0 ? stored : GgmlType.F32;
            }
            default -> GgmlType.F32;
        };
    }

    /** Bytes as a type, with room for vectors to run past the end. */
    long size(GgmlType of) {
        return (panels * (panelBytes(of) + scaleBytes(of)) + 1024 + 63) / 64 * 64;
    }

    private long panelBytes(GgmlType of) {
        return of == GgmlType.F32
                ? panelFloats * Float.BYTES
                : Narrow.vectors(of, panelFloats) * Memory.LANES * Integer.BYTES;
    }

    private long scaleBytes(GgmlType of) {
        return of.block() == 1 ? 0 : panelFloats / Narrow.BLOCK * Float.BYTES;
    }

    void place(GgmlType as, long at) {
        type = as;
        address = at;
        bytes = size(as);
        panelBytes = panelBytes(as);
        scales = as.block() == 1 ? 0 : at + panels * panelBytes;
    }

    GgmlType type() {
        return type;
    }

    /** Working memory in bytes for each part that fills. */
    long stagedBytes() {
        return (run() * (width() * (long) inputs() + panelFloats) + 1024) * Float.BYTES;
    }

    /** Panels that are filled at a time. */
    private int run() {
        return Math.clamp(RUN / panelFloats, 1, panels);
    }

    /** Fills some panels, by way of {@link #stagedBytes} at {@code staged}. */
    void fill(Elements elements, long staged, int part, int parts) {
        int last = Crew.from(panels, part + 1, parts);
        for (int p = Crew.from(panels, part, parts); p < last; p += run()) {
            read(elements, staged, p, Math.min(last, p + run()));
        }
    }

    private void read(Elements elements, long staged, int first, int end) {
        long start = (long) first * width() * inputs();
        long count = Math.min((long) end * width() * inputs(), tensor.size()) - start;
        long packed = staged + (count + 256) * Float.BYTES;
        if (type.block() > 1) {
            integers(elements, start, count, staged, packed, first);
        } else {
            elements.floats(start, Memory.ALL.asSlice(staged, count * Float.BYTES));
        }
        long origin = staged - start * Float.BYTES;
        if (type == GgmlType.F32) {
            packer.pack(origin, address, first, end);
            return;
        }
        packer.pack(origin, packed - first * panelFloats * Float.BYTES, first, end);
        for (int p = first; p < end; p++) {
            long from = packed + (p - first) * panelFloats * Float.BYTES;
            Narrow.narrow(type, address + p * panelBytes, from, panelFloats);
        }
    }

    /** Integers of blocks as floats, scales to their places; {@code stored} is for the blocks. */
    private void integers(Elements elements, long start, long count, long to, long stored, int firstPanel) {
        MemorySegment blocks = Memory.ALL.asSlice(stored, count / Narrow.BLOCK * type.bytes());
        elements.blocks(start, blocks);
        int across = inputs() / Narrow.BLOCK;
        for (long b = 0; b < count / Narrow.BLOCK; b++) {
            long at = b * type.bytes();
            float scale = Float.float16ToFloat(blocks.get(SCALE, at));
            if (!Float.isFinite(scale)) {
                elements.floats(start, Memory.ALL.asSlice(to, count * Float.BYTES)); // says what is wrong
            }
            int row = (int) (b / across);
            long place = ((long) (firstPanel + row / width()) * across + b % across) * width() + row % width();
            Memory.set(scales + place * Float.BYTES, scale);
            for (int j = 0; j < Narrow.BLOCK; j++) {
                int half = j % (Narrow.BLOCK / 2);
                int integer = type == GgmlType.Q8_0
                        ? blocks.get(ValueLayout.JAVA_BYTE, at + 2 + j)
                        : (blocks.get(ValueLayout.JAVA_BYTE, at + 2 + half) >> (j == half ? 0 : 4) & 15) - 8;
                Memory.set(to + (b * Narrow.BLOCK + j) * Float.BYTES, integer);
            }
        }
    }

    /** Packs all from floats of the whole weight. */
    void pack(long floats, int part, int parts) {
        packer.pack(floats, address, Crew.from(panels, part, parts), Crew.from(panels, part + 1, parts));
    }

    /** Reads back a weight that is kept packed only: packing the numbers of its elements tells where each one went. */
    void read(MemorySegment numbers, MemorySegment places, MemorySegment wide, float[] into) {
        for (int i = 0; i < tensor.size(); i++) {
            numbers.setAtIndex(ValueLayout.JAVA_INT, i, i + 1);
        }
        packer.pack(numbers.address(), places.address(), 0, panels);
        for (int p = 0; p < panels; p++) {
            long values = panel(p, 0, panelFloats, wide.address());
            for (long i = 0; i < panelFloats; i++) {
                int number = places.getAtIndex(ValueLayout.JAVA_INT, p * panelFloats + i);
                if (number > 0) {
                    into[number - 1] = Memory.get(values + i * Float.BYTES);
                }
            }
        }
    }
}
