package diffusion.cpu;

import static diffusion.cpu.Memory.ALL;
import static diffusion.cpu.Memory.FLOAT;
import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.ORDER;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;

import jdk.incubator.vector.FloatVector;

/**
 * The one kernel under every matrix product and convolution: a tile of 12 rows by two vectors of columns.
 *
 * <p>Each element is the sum over k, in order, of one fused multiply-add; its bits depend on nothing else.
 *
 * <p>The body is straight-line and calls the Vector API itself: the compiler's budget for inlining other methods runs out
 * in a body of this size, and a vector that crosses a call that is not inlined is boxed (50 times slower, seen here). A
 * body that also loaded c was too large for the first compiler, and then the second never got to see it.
 */
final class Tile {
    /** Rows. */
    static final int ROWS = 12;

    /** Columns: two vectors. */
    static final int COLUMNS = 2 * LANES;

    private Tile() {}

    /**
     * c[i][j] = sum over k of a[k][i] * b[k][j].
     *
     * @param c address of the tile, rows {@code COLUMNS} floats apart
     * @param a address of a[0][0]; the 12 values of one k lie side by side
     * @param aStride bytes from a[k] to a[k + 1]
     * @param b address that the offsets count from
     * @param offsets byte offset of row b[k]
     * @param depth number of k
     */
    static void multiply(long c, long a, long aStride, long b, long[] offsets, int depth) {
        FloatVector zero = FloatVector.zero(SPECIES);
        FloatVector c00 = zero;
        FloatVector c01 = zero;
        FloatVector c10 = zero;
        FloatVector c11 = zero;
        FloatVector c20 = zero;
        FloatVector c21 = zero;
        FloatVector c30 = zero;
        FloatVector c31 = zero;
        FloatVector c40 = zero;
        FloatVector c41 = zero;
        FloatVector c50 = zero;
        FloatVector c51 = zero;
        FloatVector c60 = zero;
        FloatVector c61 = zero;
        FloatVector c70 = zero;
        FloatVector c71 = zero;
        FloatVector c80 = zero;
        FloatVector c81 = zero;
        FloatVector c90 = zero;
        FloatVector c91 = zero;
        FloatVector ca0 = zero;
        FloatVector ca1 = zero;
        FloatVector cb0 = zero;
        FloatVector cb1 = zero;
        long p = a;
        for (int k = 0; k < depth; k++) {
            long q = b + offsets[k];
            FloatVector b0 = FloatVector.fromMemorySegment(SPECIES, ALL, q, ORDER);
            FloatVector b1 = FloatVector.fromMemorySegment(SPECIES, ALL, q + VECTOR, ORDER);
            FloatVector v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p));
            c00 = v.fma(b0, c00);
            c01 = v.fma(b1, c01);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 4));
            c10 = v.fma(b0, c10);
            c11 = v.fma(b1, c11);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 8));
            c20 = v.fma(b0, c20);
            c21 = v.fma(b1, c21);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 12));
            c30 = v.fma(b0, c30);
            c31 = v.fma(b1, c31);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 16));
            c40 = v.fma(b0, c40);
            c41 = v.fma(b1, c41);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 20));
            c50 = v.fma(b0, c50);
            c51 = v.fma(b1, c51);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 24));
            c60 = v.fma(b0, c60);
            c61 = v.fma(b1, c61);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 28));
            c70 = v.fma(b0, c70);
            c71 = v.fma(b1, c71);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 32));
            c80 = v.fma(b0, c80);
            c81 = v.fma(b1, c81);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 36));
            c90 = v.fma(b0, c90);
            c91 = v.fma(b1, c91);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 40));
            ca0 = v.fma(b0, ca0);
            ca1 = v.fma(b1, ca1);
            v = FloatVector.broadcast(SPECIES, ALL.get(FLOAT, p + 44));
            cb0 = v.fma(b0, cb0);
            cb1 = v.fma(b1, cb1);
            p += aStride;
        }
        c00.intoMemorySegment(ALL, c, ORDER);
        c01.intoMemorySegment(ALL, c + 1 * VECTOR, ORDER);
        c10.intoMemorySegment(ALL, c + 2 * VECTOR, ORDER);
        c11.intoMemorySegment(ALL, c + 3 * VECTOR, ORDER);
        c20.intoMemorySegment(ALL, c + 4 * VECTOR, ORDER);
        c21.intoMemorySegment(ALL, c + 5 * VECTOR, ORDER);
        c30.intoMemorySegment(ALL, c + 6 * VECTOR, ORDER);
        c31.intoMemorySegment(ALL, c + 7 * VECTOR, ORDER);
        c40.intoMemorySegment(ALL, c + 8 * VECTOR, ORDER);
        c41.intoMemorySegment(ALL, c + 9 * VECTOR, ORDER);
        c50.intoMemorySegment(ALL, c + 10 * VECTOR, ORDER);
        c51.intoMemorySegment(ALL, c + 11 * VECTOR, ORDER);
        c60.intoMemorySegment(ALL, c + 12 * VECTOR, ORDER);
        c61.intoMemorySegment(ALL, c + 13 * VECTOR, ORDER);
        c70.intoMemorySegment(ALL, c + 14 * VECTOR, ORDER);
        c71.intoMemorySegment(ALL, c + 15 * VECTOR, ORDER);
        c80.intoMemorySegment(ALL, c + 16 * VECTOR, ORDER);
        c81.intoMemorySegment(ALL, c + 17 * VECTOR, ORDER);
        c90.intoMemorySegment(ALL, c + 18 * VECTOR, ORDER);
        c91.intoMemorySegment(ALL, c + 19 * VECTOR, ORDER);
        ca0.intoMemorySegment(ALL, c + 20 * VECTOR, ORDER);
        ca1.intoMemorySegment(ALL, c + 21 * VECTOR, ORDER);
        cb0.intoMemorySegment(ALL, c + 22 * VECTOR, ORDER);
        cb1.intoMemorySegment(ALL, c + 23 * VECTOR, ORDER);
    }
}
