package diffusion.cpu;

import static diffusion.cpu.Memory.ADDRESSES;
import static diffusion.cpu.Memory.ALL;
import static diffusion.cpu.Memory.FLOAT;
import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.ORDER;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.STEPS;
import static diffusion.cpu.Memory.VECTOR;

import java.lang.foreign.Arena;
import jdk.incubator.vector.FloatVector;

/**
 * The one kernel under every matrix product and convolution: a tile of 12 rows by two vectors of columns.
 *
 * <p>Each element is the bias plus, in order of k, one fused multiply-add each; its bits depend on nothing else.
 *
 * <p>The body is straight-line and calls the Vector API itself: the compiler's budget for inlining other methods runs out
 * in a body of this size, and a vector that crosses a call that is not inlined is boxed (50 times slower, seen here). A
 * body that also loaded c was too large for the first compiler, and then the second never got to see it. Addresses are cut as
 * {@link Memory#at} does, so that loads are not checked.
 */
final class Tile {
    /** Rows. */
    static final int ROWS = 12;

    /** Rows of the smaller kernel. */
    static final int FEW_ROWS = 4;

    /** Columns: two vectors. */
    static final int COLUMNS = 2 * LANES;

    /** Bytes between the rows of a tile that stands alone. */
    static final long STRIDE = (long) COLUMNS * Float.BYTES;

    /** Address of a row of zeros. */
    static final long NO_BIAS = NativeMemory.allocate(Arena.global(), STRIDE);

    private Tile() {}

    /**
     * c[i][j] = bias[j] + sum over k of a[k][i] * b[k][j].
     *
     * @param c address of c[0][0]
     * @param cStride bytes from c[i] to c[i + 1]
     * @param bias address of one number per column, {@link #NO_BIAS} if there is none
     * @param a address of a[0][0]; the 12 values of one k lie side by side
     * @param aStride bytes from a[k] to a[k + 1]
     * @param b address that the offsets count from
     * @param offsets byte offset of row b[k]
     * @param depth number of k
     */
    static void multiply(long c, long cStride, long bias, long a, long aStride, long b, long[] offsets, int depth) {
        FloatVector bias0 = FloatVector.fromMemorySegment(SPECIES, ALL, bias, ORDER);
        FloatVector bias1 = FloatVector.fromMemorySegment(SPECIES, ALL, bias + VECTOR, ORDER);
        FloatVector c00 = bias0;
        FloatVector c01 = bias1;
        FloatVector c10 = bias0;
        FloatVector c11 = bias1;
        FloatVector c20 = bias0;
        FloatVector c21 = bias1;
        FloatVector c30 = bias0;
        FloatVector c31 = bias1;
        FloatVector c40 = bias0;
        FloatVector c41 = bias1;
        FloatVector c50 = bias0;
        FloatVector c51 = bias1;
        FloatVector c60 = bias0;
        FloatVector c61 = bias1;
        FloatVector c70 = bias0;
        FloatVector c71 = bias1;
        FloatVector c80 = bias0;
        FloatVector c81 = bias1;
        FloatVector c90 = bias0;
        FloatVector c91 = bias1;
        FloatVector ca0 = bias0;
        FloatVector ca1 = bias1;
        FloatVector cb0 = bias0;
        FloatVector cb1 = bias1;
        long rows = a;
        for (int k = 0; k < depth; k++) {
            long p = rows & ADDRESSES;
            long q = (b + offsets[k]) & ADDRESSES;
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
            rows += aStride;
        }
        long row = c & ADDRESSES;
        long step = cStride & STEPS;
        c00.intoMemorySegment(ALL, row, ORDER);
        c01.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c10.intoMemorySegment(ALL, row, ORDER);
        c11.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c20.intoMemorySegment(ALL, row, ORDER);
        c21.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c30.intoMemorySegment(ALL, row, ORDER);
        c31.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c40.intoMemorySegment(ALL, row, ORDER);
        c41.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c50.intoMemorySegment(ALL, row, ORDER);
        c51.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c60.intoMemorySegment(ALL, row, ORDER);
        c61.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c70.intoMemorySegment(ALL, row, ORDER);
        c71.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c80.intoMemorySegment(ALL, row, ORDER);
        c81.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        c90.intoMemorySegment(ALL, row, ORDER);
        c91.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        ca0.intoMemorySegment(ALL, row, ORDER);
        ca1.intoMemorySegment(ALL, row + VECTOR, ORDER);
        row += step;
        cb0.intoMemorySegment(ALL, row, ORDER);
        cb1.intoMemorySegment(ALL, row + VECTOR, ORDER);
    }

    /** The same of the first {@link #FEW_ROWS} rows: a third of the work for the last rows of a matrix. */
    static void multiplyFew(long c, long cStride, long bias, long a, long aStride, long b, long[] offsets, int depth) {
        FloatVector bias0 = FloatVector.fromMemorySegment(SPECIES, ALL, bias, ORDER);
        FloatVector bias1 = FloatVector.fromMemorySegment(SPECIES, ALL, bias + VECTOR, ORDER);
        FloatVector c00 = bias0;
        FloatVector c01 = bias1;
        FloatVector c10 = bias0;
        FloatVector c11 = bias1;
        FloatVector c20 = bias0;
        FloatVector c21 = bias1;
        FloatVector c30 = bias0;
        FloatVector c31 = bias1;
        long rows = a;
        for (int k = 0; k < depth; k++) {
            long p = rows & ADDRESSES;
            long q = (b + offsets[k]) & ADDRESSES;
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
            rows += aStride;
        }
        long row = c & ADDRESSES;
        long step = cStride & STEPS;
        c00.intoMemorySegment(ALL, row, ORDER);
        c01.intoMemorySegment(ALL, row + VECTOR, ORDER);
        c10.intoMemorySegment(ALL, row + step, ORDER);
        c11.intoMemorySegment(ALL, row + step + VECTOR, ORDER);
        c20.intoMemorySegment(ALL, row + 2 * step, ORDER);
        c21.intoMemorySegment(ALL, row + 2 * step + VECTOR, ORDER);
        c30.intoMemorySegment(ALL, row + 3 * step, ORDER);
        c31.intoMemorySegment(ALL, row + 3 * step + VECTOR, ORDER);
    }
}
