package diffusion.cpu;

import static diffusion.cpu.Memory.LANES;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.broadcast;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;

/**
 * The one kernel under every matrix product and convolution: a tile of 12 rows by two vectors of columns.
 *
 * <p>Each element is the sum over k, in order, of one fused multiply-add; its bits depend on nothing else. The body is
 * straight-line because vectors that cross a call that is not inlined, or an array, are boxed.
 */
final class Tile {
    /** Rows. */
    static final int ROWS = 12;

    /** Columns: two vectors. */
    static final int COLUMNS = 2 * LANES;

    private Tile() {}

    /**
     * c[i][j] = (accumulate ? c[i][j] : 0) + sum over k of a[k][i] * b[k][j].
     *
     * @param c address of the tile, rows {@code COLUMNS} floats apart
     * @param a address of a[0][0]; the 12 values of one k lie side by side
     * @param aStride bytes from a[k] to a[k + 1]
     * @param b address that the offsets count from
     * @param offsets byte offset of row b[k]
     * @param first index of the offset of k = 0
     * @param depth number of k
     */
    static void multiply(
            long c, long a, long aStride, long b, long[] offsets, int first, int depth, boolean accumulate) {
        FloatVector c00;
        FloatVector c01;
        FloatVector c10;
        FloatVector c11;
        FloatVector c20;
        FloatVector c21;
        FloatVector c30;
        FloatVector c31;
        FloatVector c40;
        FloatVector c41;
        FloatVector c50;
        FloatVector c51;
        FloatVector c60;
        FloatVector c61;
        FloatVector c70;
        FloatVector c71;
        FloatVector c80;
        FloatVector c81;
        FloatVector c90;
        FloatVector c91;
        FloatVector ca0;
        FloatVector ca1;
        FloatVector cb0;
        FloatVector cb1;
        if (accumulate) {
            c00 = load(c + 0);
            c01 = load(c + 1 * VECTOR);
            c10 = load(c + 2 * VECTOR);
            c11 = load(c + 3 * VECTOR);
            c20 = load(c + 4 * VECTOR);
            c21 = load(c + 5 * VECTOR);
            c30 = load(c + 6 * VECTOR);
            c31 = load(c + 7 * VECTOR);
            c40 = load(c + 8 * VECTOR);
            c41 = load(c + 9 * VECTOR);
            c50 = load(c + 10 * VECTOR);
            c51 = load(c + 11 * VECTOR);
            c60 = load(c + 12 * VECTOR);
            c61 = load(c + 13 * VECTOR);
            c70 = load(c + 14 * VECTOR);
            c71 = load(c + 15 * VECTOR);
            c80 = load(c + 16 * VECTOR);
            c81 = load(c + 17 * VECTOR);
            c90 = load(c + 18 * VECTOR);
            c91 = load(c + 19 * VECTOR);
            ca0 = load(c + 20 * VECTOR);
            ca1 = load(c + 21 * VECTOR);
            cb0 = load(c + 22 * VECTOR);
            cb1 = load(c + 23 * VECTOR);
        } else {
            FloatVector zero = FloatVector.zero(SPECIES);
            c00 = zero;
            c01 = zero;
            c10 = zero;
            c11 = zero;
            c20 = zero;
            c21 = zero;
            c30 = zero;
            c31 = zero;
            c40 = zero;
            c41 = zero;
            c50 = zero;
            c51 = zero;
            c60 = zero;
            c61 = zero;
            c70 = zero;
            c71 = zero;
            c80 = zero;
            c81 = zero;
            c90 = zero;
            c91 = zero;
            ca0 = zero;
            ca1 = zero;
            cb0 = zero;
            cb1 = zero;
        }
        long p = a;
        for (int k = 0; k < depth; k++) {
            long q = b + offsets[first + k];
            FloatVector b0 = load(q);
            FloatVector b1 = load(q + VECTOR);
            FloatVector v = broadcast(p);
            c00 = v.fma(b0, c00);
            c01 = v.fma(b1, c01);
            v = broadcast(p + 4);
            c10 = v.fma(b0, c10);
            c11 = v.fma(b1, c11);
            v = broadcast(p + 8);
            c20 = v.fma(b0, c20);
            c21 = v.fma(b1, c21);
            v = broadcast(p + 12);
            c30 = v.fma(b0, c30);
            c31 = v.fma(b1, c31);
            v = broadcast(p + 16);
            c40 = v.fma(b0, c40);
            c41 = v.fma(b1, c41);
            v = broadcast(p + 20);
            c50 = v.fma(b0, c50);
            c51 = v.fma(b1, c51);
            v = broadcast(p + 24);
            c60 = v.fma(b0, c60);
            c61 = v.fma(b1, c61);
            v = broadcast(p + 28);
            c70 = v.fma(b0, c70);
            c71 = v.fma(b1, c71);
            v = broadcast(p + 32);
            c80 = v.fma(b0, c80);
            c81 = v.fma(b1, c81);
            v = broadcast(p + 36);
            c90 = v.fma(b0, c90);
            c91 = v.fma(b1, c91);
            v = broadcast(p + 40);
            ca0 = v.fma(b0, ca0);
            ca1 = v.fma(b1, ca1);
            v = broadcast(p + 44);
            cb0 = v.fma(b0, cb0);
            cb1 = v.fma(b1, cb1);
            p += aStride;
        }
        store(c + 0, c00);
        store(c + 1 * VECTOR, c01);
        store(c + 2 * VECTOR, c10);
        store(c + 3 * VECTOR, c11);
        store(c + 4 * VECTOR, c20);
        store(c + 5 * VECTOR, c21);
        store(c + 6 * VECTOR, c30);
        store(c + 7 * VECTOR, c31);
        store(c + 8 * VECTOR, c40);
        store(c + 9 * VECTOR, c41);
        store(c + 10 * VECTOR, c50);
        store(c + 11 * VECTOR, c51);
        store(c + 12 * VECTOR, c60);
        store(c + 13 * VECTOR, c61);
        store(c + 14 * VECTOR, c70);
        store(c + 15 * VECTOR, c71);
        store(c + 16 * VECTOR, c80);
        store(c + 17 * VECTOR, c81);
        store(c + 18 * VECTOR, c90);
        store(c + 19 * VECTOR, c91);
        store(c + 20 * VECTOR, ca0);
        store(c + 21 * VECTOR, ca1);
        store(c + 22 * VECTOR, cb0);
        store(c + 23 * VECTOR, cb1);
    }
}
