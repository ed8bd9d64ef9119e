package diffusion.cpu;

import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.nio.ByteOrder;
import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;
import jdk.incubator.vector.VectorShuffle;
import jdk.incubator.vector.VectorSpecies;

/**
 * Vectors and scalars at absolute addresses of off-heap memory.
 *
 * <p>One static segment spans the address space: its liveness is a constant to the compiler, and so are its bounds. Whether an
 * address lies within them is still asked at every access, unless a loop counts it up or {@link #at} has said that it is not
 * negative: without that nearly half of the matrix kernel's instructions ask. The price: a wrong address crashes, so addresses
 * come only from {@link diffusion.backend.MemoryPlan} and {@link Scratch}. Every tensor is padded to 64 bytes, so loops over
 * whole tensors may run past the end to a full vector.
 */
final class Memory {
    static final VectorSpecies<Float> SPECIES = FloatVector.SPECIES_PREFERRED;

    /** Lanes of a vector. */
    static final int LANES = SPECIES.length();

    /** Bytes of a vector. */
    static final int VECTOR = LANES * Float.BYTES;

    /** The address space. */
    static final MemorySegment ALL = MemorySegment.NULL.reinterpret(Long.MAX_VALUE);

    static final ByteOrder ORDER = ByteOrder.nativeOrder();
    static final ValueLayout.OfFloat FLOAT = ValueLayout.JAVA_FLOAT_UNALIGNED;

    /** The bits of an address, see {@link #at}, and of a distance. */
    static final long ADDRESSES = -1L >>> 2;

    static final long STEPS = -1L >>> 24;

    private static final VectorShuffle<Float> HALF = rotation(LANES / 2);
    private static final VectorShuffle<Float> QUARTER = rotation(LANES / 4);
    private static final VectorShuffle<Float> EIGHTH = rotation(LANES / 8);
    private static final VectorShuffle<Float> SIXTEENTH = rotation(LANES / 16);

    private Memory() {}

    /**
     * The same address, of which the compiler knows that it lies within {@link #ALL}, and so do those up to 2^61 bytes behind it:
     * they are read and written unchecked.
     */
    static long at(long address) {
        return address & ADDRESSES;
    }

    /** The same distance, which is not negative and less than 2^40 bytes, of which the compiler knows that; see {@link #at}. */
    static long step(long bytes) {
        return bytes & STEPS;
    }

    static FloatVector load(long address) {
        return FloatVector.fromMemorySegment(SPECIES, ALL, address, ORDER);
    }

    static FloatVector load(long address, VectorMask<Float> mask) {
        return FloatVector.fromMemorySegment(SPECIES, ALL, address, ORDER, mask);
    }

    static void store(long address, FloatVector vector) {
        vector.intoMemorySegment(ALL, address, ORDER);
    }

    static void store(long address, FloatVector vector, VectorMask<Float> mask) {
        vector.intoMemorySegment(ALL, address, ORDER, mask);
    }

    static float get(long address) {
        return ALL.get(FLOAT, address);
    }

    static void set(long address, float value) {
        ALL.set(FLOAT, address, value);
    }

    /** The first {@code count} lanes, count from 1 to LANES. */
    static VectorMask<Float> first(int count) {
        return VectorMask.fromLong(SPECIES, -1L >>> (64 - count));
    }

    static void copy(long from, long to, long floats) {
        MemorySegment.copy(ALL, from, ALL, to, floats * Float.BYTES);
    }

    static void copy(float[] from, long to) {
        MemorySegment.copy(from, 0, ALL, FLOAT, to, from.length);
    }

    static void copy(long from, float[] to) {
        MemorySegment.copy(ALL, FLOAT, from, to, 0, to.length);
    }

    static void zero(long address, long floats) {
        ALL.asSlice(address, floats * Float.BYTES).fill((byte) 0);
    }

    /**
     * The sum of the lanes, halves first; in an order of our own, because that of {@code reduceLanes} differs between
     * interpreted and compiled code, and with it the last bits of everything.
     */
    static float sum(FloatVector v) {
        FloatVector sum = v.add(v.rearrange(HALF));
        sum = sum.add(sum.rearrange(QUARTER));
        if (LANES > 4) {
            sum = sum.add(sum.rearrange(EIGHTH));
        }
        if (LANES > 8) {
            sum = sum.add(sum.rearrange(SIXTEENTH));
        }
        return sum.lane(0);
    }

    private static VectorShuffle<Float> rotation(int lanes) {
        return VectorShuffle.iota(SPECIES, lanes, 1, true);
    }

    /**
     * e^x to about 1e-7 relative: x = n ln 2 + r, a polynomial in r, and n put into the exponent. Limits are held by comparison and
     * choice: {@code min} and {@code max} of vectors are many instructions, for the sake of zeros' signs.
     */
    static FloatVector exp(FloatVector x) {
        FloatVector clamped = x.blend(88.3f, x.compare(VectorOperators.GT, 88.3f));
        clamped = clamped.blend(-87.3f, x.compare(VectorOperators.LT, -87.3f));
        FloatVector shifted =
                clamped.fma(FloatVector.broadcast(SPECIES, 1.44269504f), FloatVector.broadcast(SPECIES, 12582912f));
        FloatVector n = shifted.sub(12582912f);
        FloatVector r = n.fma(FloatVector.broadcast(SPECIES, -0.693359375f), clamped);
        r = n.fma(FloatVector.broadcast(SPECIES, 2.12194440e-4f), r);
        FloatVector p = FloatVector.broadcast(SPECIES, 1.9875691500e-4f);
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.3981999507e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 8.3334519073e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 4.1665795894e-2f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.6666665459e-1f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 5.0000001201e-1f));
        p = p.fma(r.mul(r), r).add(1f);
        FloatVector power = shifted.reinterpretAsInts()
                .sub(0x4B400000 - 127)
                .lanewise(VectorOperators.LSHL, 23)
                .reinterpretAsFloats();
        return p.mul(power);
    }

    /** 2^x to about 1e-7 relative for x from -126 to 127, and 2^-126 below: a polynomial in the fraction, and n into the exponent. */
    static FloatVector exp2(FloatVector x) {
        FloatVector clamped = x.blend(-126f, x.compare(VectorOperators.LT, -126f));
        FloatVector shifted = clamped.add(12582912f);
        FloatVector r = clamped.sub(shifted.sub(12582912f));
        FloatVector p = FloatVector.broadcast(SPECIES, 1.534581242594868e-4f);
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1.3399930903688073e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 9.618489071726799e-3f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 5.550328642129898e-2f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 0.24022646248340607f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 0.6931471824645996f));
        p = p.fma(r, FloatVector.broadcast(SPECIES, 1f));
        return p.reinterpretAsInts()
                .add(shifted.reinterpretAsInts().lanewise(VectorOperators.LSHL, 23))
                .reinterpretAsFloats();
    }

    /** 1 / (1 + e^-x). */
    static FloatVector sigmoid(FloatVector x) {
        return FloatVector.broadcast(SPECIES, 1f).div(onePlusExp(x));
    }

    /** x / (1 + e^-x). */
    static FloatVector silu(FloatVector x) {
        return x.div(onePlusExp(x));
    }

    private static FloatVector onePlusExp(FloatVector x) {
        FloatVector power = x.mul(-1.44269504f);
        return exp2(power.blend(126f, power.compare(VectorOperators.GT, 126f))).add(1f);
    }
}
