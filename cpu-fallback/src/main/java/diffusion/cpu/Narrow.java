package diffusion.cpu;

import static diffusion.cpu.Memory.ALL;
import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.ORDER;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import diffusion.io.GgmlType;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.IntVector;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorSpecies;

/**
 * Floats in fewer bytes: two vectors of 16-bit floats, four of bytes or eight of nibbles share a vector of ints, lane by lane, so that
 * what widens them are shifts and no lane changes its place.
 *
 * <p>Widening is exact: 16-bit floats are floats, and a signed integer times the scale of its block is rounded as everywhere.
 */
final class Narrow {
    /** Elements of a block with one scale. */
    static final int BLOCK = 32;

    /** Scales of panels of 12 rows come in vectors of any width after so many. */
    private static final int SPREAD = 4 * Tile.ROWS;

    private static final VectorSpecies<Integer> INTS = IntVector.SPECIES_PREFERRED;
    private static final int SIGN = 0x80000000;
    private static final int MAGNITUDE = 0x7fff0000;
    private static final int BFLOAT = 0xffff0000;

    /** What the exponents of floats and 16-bit floats differ by; it makes subnormal numbers right too. */
    private static final float REBIAS = 0x1p112f;

    private Narrow() {}

    /** Vectors that share one. */
    static int shared(GgmlType type) {
        return switch (type) {
            case F16, BF16 -> 2;
            case Q8_0 -> 4;
            case Q4_0 -> 8;
            default -> 1;
        };
    }

    /** Floats that working memory needs for scales beside those that are widened. */
    static int spare() {
        return SPREAD + LANES + 8 * LANES;
    }

    /** Vectors of ints that {@code floats} floats take. */
    static long vectors(GgmlType type, long floats) {
        int together = shared(type) * LANES;
        return (floats + together - 1) / together;
    }

    /** {@code floats} floats of whole vectors, in two bytes each; writes up to a vector more. */
    static void widen(GgmlType type, long to, long from, long floats) {
        if (type == GgmlType.F16) {
            widenHalf(to, from, vectors(type, floats));
        } else {
            widenBfloat(to, from, vectors(type, floats));
        }
    }

    private static void widenHalf(long to, long from, long vectors) {
        for (long i = 0; i < vectors; i++, from += VECTOR, to += 2 * VECTOR) {
            IntVector both = ints(from);
            store(to, half(both.lanewise(VectorOperators.LSHL, 16)));
            store(to + VECTOR, half(both));
        }
    }

    private static FloatVector half(IntVector upper) {
        IntVector magnitude = upper.and(MAGNITUDE)
                .lanewise(VectorOperators.LSHR, 3)
                .reinterpretAsFloats()
                .mul(REBIAS)
                .reinterpretAsInts();
        return upper.and(SIGN).or(magnitude).reinterpretAsFloats();
    }

    private static void widenBfloat(long to, long from, long vectors) {
        for (long i = 0; i < vectors; i++, from += VECTOR, to += 2 * VECTOR) {
            IntVector both = ints(from);
            store(to, both.lanewise(VectorOperators.LSHL, 16).reinterpretAsFloats());
            store(to + VECTOR, both.and(BFLOAT).reinterpretAsFloats());
        }
    }

    /** The way back, for floats that are exactly of the type, or integers; reads whole groups of vectors. */
    static void narrow(GgmlType type, long to, long from, long floats) {
        long vectors = vectors(type, floats);
        switch (type) {
            case F16 -> narrowHalf(to, from, vectors);
            case BF16 -> narrowBfloat(to, from, vectors);
            case Q8_0 -> narrowIntegers(to, from, vectors, 8);
            case Q4_0 -> narrowIntegers(to, from, vectors, 4);
            default -> throw new IllegalArgumentException("no narrow type: " + type);
        }
    }

    private static void narrowHalf(long to, long from, long vectors) {
        for (long i = 0; i < vectors; i++, from += 2 * VECTOR, to += VECTOR) {
            IntVector lower = upperHalf(load(from)).lanewise(VectorOperators.LSHR, 16);
            upperHalf(load(from + VECTOR)).or(lower).intoMemorySegment(ALL, to, ORDER);
        }
    }

    private static IntVector upperHalf(FloatVector v) {
        IntVector magnitude = v.abs().mul(1 / REBIAS).reinterpretAsInts().lanewise(VectorOperators.LSHL, 3);
        return v.reinterpretAsInts().and(SIGN).or(magnitude.and(MAGNITUDE));
    }

    private static void narrowBfloat(long to, long from, long vectors) {
        for (long i = 0; i < vectors; i++, from += 2 * VECTOR, to += VECTOR) {
            IntVector lower = load(from).reinterpretAsInts().lanewise(VectorOperators.LSHR, 16);
            load(from + VECTOR).reinterpretAsInts().and(BFLOAT).or(lower).intoMemorySegment(ALL, to, ORDER);
        }
    }

    private static void narrowIntegers(long to, long from, long vectors, int bits) {
        for (long i = 0; i < vectors; i++, to += VECTOR) {
            IntVector all = IntVector.zero(INTS);
            for (int shift = 0; shift < Integer.SIZE; shift += bits, from += VECTOR) {
                IntVector one = (IntVector) load(from).convert(VectorOperators.F2I, 0);
                all = all.or(one.and((1 << bits) - 1).lanewise(VectorOperators.LSHL, shift));
            }
            all.intoMemorySegment(ALL, to, ORDER);
        }
    }

    /**
     * Blocks of integers times their scales.
     *
     * @param scales {@code width} of each block
     * @param width rows or columns of the panel: an element's scale is that of its row or column
     * @param spread working memory for {@link #spare} floats
     */
    static void widen(GgmlType type, long to, long from, long scales, int blocks, int width, long spread) {
        int vectors = (int) vectors(type, (long) BLOCK * width);
        boolean spreads = width % (2 * LANES) != 0;
        long end = (spreads ? SPREAD : width) * (long) Float.BYTES;
        for (int b = 0; b < blocks; b++) {
            long s = scales + (long) b * width * Float.BYTES;
            if (spreads) {
                spread(spread, s);
                s = spread;
            }
            long source = from + (long) b * vectors * VECTOR;
            long target = to + (long) b * BLOCK * width * Float.BYTES;
            if (type == GgmlType.Q8_0) {
                widenBytes(target, source, vectors, s, end);
            } else {
                widenNibbles(target, source, vectors, s, end);
            }
        }
    }

    /** The 12 scales four times in a row: what a vector writes beyond them is written again. */
    private static void spread(long to, long scales) {
        for (int i = 0; i < SPREAD; i += Tile.ROWS) {
            for (int j = 0; j < Tile.ROWS; j += LANES) {
                store(to + (long) (i + j) * Float.BYTES, load(scales + (long) j * Float.BYTES));
            }
        }
    }

    private static void widenBytes(long to, long from, int vectors, long scales, long end) {
        long s = 0;
        for (int i = 0; i < vectors; i++, from += VECTOR, to += 4 * VECTOR) {
            IntVector all = ints(from);
            for (int shift = 24; shift >= 0; shift -= 8) {
                IntVector one = all.lanewise(VectorOperators.LSHL, shift).lanewise(VectorOperators.ASHR, 24);
                store(to + (3 - shift / 8) * VECTOR, scaled(one, scales + s));
                s = s + VECTOR == end ? 0 : s + VECTOR;
            }
        }
    }

    private static void widenNibbles(long to, long from, int vectors, long scales, long end) {
        long s = 0;
        for (int i = 0; i < vectors; i++, from += VECTOR, to += 8 * VECTOR) {
            IntVector all = ints(from);
            for (int shift = 28; shift >= 0; shift -= 4) {
                IntVector one = all.lanewise(VectorOperators.LSHL, shift).lanewise(VectorOperators.ASHR, 28);
                // Plus zero: what a file's zero is, times a negative scale, has no sign there.
                store(to + (7 - shift / 4) * VECTOR, scaled(one, scales + s).add(0f));
                s = s + VECTOR == end ? 0 : s + VECTOR;
            }
        }
    }

    private static FloatVector scaled(IntVector integers, long scales) {
        return ((FloatVector) integers.convert(VectorOperators.I2F, 0)).mul(load(scales));
    }

    private static IntVector ints(long address) {
        return IntVector.fromMemorySegment(INTS, ALL, address, ORDER);
    }
}
