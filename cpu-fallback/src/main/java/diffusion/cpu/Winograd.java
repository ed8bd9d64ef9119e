package diffusion.cpu;

import static diffusion.cpu.Interleave.even;
import static diffusion.cpu.Interleave.lower;
import static diffusion.cpu.Interleave.next;
import static diffusion.cpu.Interleave.odd;
import static diffusion.cpu.Interleave.upper;
import static diffusion.cpu.Memory.SPECIES;
import static diffusion.cpu.Memory.VECTOR;
import static diffusion.cpu.Memory.at;
import static diffusion.cpu.Memory.get;
import static diffusion.cpu.Memory.load;
import static diffusion.cpu.Memory.step;
import static diffusion.cpu.Memory.store;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;

/**
 * The transforms of 3x3 convolutions by minimal filtering, F(m x m, 3 x 3) of Winograd 1980 in the form of Lavin and Gray
 * 2016: Y = A^T [(G g G^T) * (B^T d B)] A.
 *
 * <p>How the work is divided into methods is for the compiler's sake: it does not inline one of more than 325 bytes of code, and
 * where it does inline, it may run out of nodes half-way through and box every vector from there on, which takes six times
 * as long. So what is large stands alone, and what is small stands together.
 *
 * <p>Lanes are neighbouring pixels while columns are transformed and neighbouring tiles while rows are.
 *
 * <p>F4 interpolates at 0, +-5/8, +-3/2 and infinity instead of the usual 0, +-1, +-2 and infinity: B^T stays exact in
 * binary and the error falls to a quarter (3e-6 of the largest output over 320 channels, direct sums 1e-6).
 */
enum Winograd {
    /** 2x2 outputs from 16 products instead of 36. */
    F2(2) {
        @Override
        void innerWeights(long u, long uStep, long w, int vectors, int row) {
            long step = step(uStep);
            FloatVector f0 = constant(G2[row][0]);
            FloatVector f1 = constant(G2[row][1]);
            FloatVector f2 = constant(G2[row][2]);
            for (int i = 0; i < vectors; i++, w += 9 * VECTOR, u += VECTOR) {
                long from = at(w);
                FloatVector g0 = column(from, f0, f1, f2);
                FloatVector g1 = column(from + VECTOR, f0, f1, f2);
                FloatVector g2 = column(from + 2 * VECTOR, f0, f1, f2);
                spread2(at(u), step, g0, g1, g2);
            }
        }

        @Override
        void outerWeights(long u, long uStep, long w, int vectors, float factor) {
            long step = step(uStep);
            for (int i = 0; i < vectors; i++, w += 9 * VECTOR, u += VECTOR) {
                long from = at(w);
                spread2(at(u), step, load(from), load(from + VECTOR), load(from + 2 * VECTOR));
            }
        }
    },

    /** 4x4 outputs from 36 products instead of 144. */
    F4(4) {
        @Override
        void innerWeights(long u, long uStep, long w, int vectors, int row) {
            long step = step(uStep);
            FloatVector f0 = constant(G4[row][0]);
            FloatVector f1 = constant(G4[row][1]);
            FloatVector f2 = constant(G4[row][2]);
            for (int i = 0; i < vectors; i++, w += 9 * VECTOR, u += VECTOR) {
                long from = at(w);
                FloatVector g0 = column(from, f0, f1, f2);
                FloatVector g1 = column(from + VECTOR, f0, f1, f2);
                FloatVector g2 = column(from + 2 * VECTOR, f0, f1, f2);
                spread4(at(u), step, g0, g1, g2);
            }
        }

        @Override
        void outerWeights(long u, long uStep, long w, int vectors, float factor) {
            long step = step(uStep);
            FloatVector f = constant(factor);
            for (int i = 0; i < vectors; i++, w += 9 * VECTOR, u += VECTOR) {
                long from = at(w);
                FloatVector g0 = load(from).mul(f);
                FloatVector g1 = load(from + VECTOR).mul(f);
                FloatVector g2 = load(from + 2 * VECTOR).mul(f);
                spread4(at(u), step, g0, g1, g2);
            }
        }
    };

    /** The interpolation points of F4, +-A and +-B, and their squares. */
    private static final float A = 0.625f;

    private static final float B = 1.5f;
    private static final float A2 = A * A;
    private static final float B2 = B * B;

    /** Of so many channels, the weights for the 12 outputs of a panel fill vectors of any width. */
    private static final int CHANNELS = 4;

    /** G: powers of the points over the products of their differences. */
    private static final float[][] G2 = {{1, 0, 0}, {0.5f, 0.5f, 0.5f}, {0.5f, -0.5f, 0.5f}, {0, 0, 1}};

    private static final float[][] G4 = {
        {1 / (A2 * B2), 0, 0},
        powers(A, 2 * A2 * (A2 - B2)),
        powers(-A, 2 * A2 * (A2 - B2)),
        powers(B, 2 * B2 * (B2 - A2)),
        powers(-B, 2 * B2 * (B2 - A2)),
        {0, 0, 1}
    };

    /** Its numbers, which the compiler knows as long as they are no elements of arrays: rows 0, 1 (and 2), 3 (and 4). */
    private static final float FIRST = G4[0][0];

    private static final float A_0 = G4[1][0];
    private static final float A_1 = G4[1][1];
    private static final float A_2 = G4[1][2];
    private static final float B_0 = G4[3][0];
    private static final float B_1 = G4[3][1];
    private static final float B_2 = G4[3][2];

    private static float[] powers(double point, double divisor) {
        return new float[] {(float) (1 / divisor), (float) (point / divisor), (float) (point * point / divisor)};
    }

    /** Outputs of a tile, down and across. */
    final int outputs;

    /** Inputs of a tile, down and across. */
    final int inputs;

    Winograd(int outputs) {
        this.outputs = outputs;
        inputs = outputs + 2;
    }

    /** Products of a tile. */
    int products() {
        return inputs * inputs;
    }

    /**
     * B^T d for columns of pixels, a vector at a time.
     *
     * @param from rows of pixels, {@code step} bytes apart
     * @param to {@code inputs} rows, {@code toStep} bytes apart
     */
    final void inputColumns(long from, long fromStep, long to, long toStep, int count) {
        long step = step(fromStep);
        long next = step(toStep);
        if (this == F2) {
            for (int i = 0; i < count; i++, from += VECTOR, to += VECTOR) {
                long d = at(from);
                long y = at(to);
                FloatVector d1 = load(d + step);
                FloatVector d2 = load(d + 2 * step);
                store(y, load(d).sub(d2));
                store(y + next, d1.add(d2));
                store(y + 2 * next, d2.sub(d1));
                store(y + 3 * next, load(d + 3 * step).sub(d1));
            }
            return;
        }
        for (int i = 0; i < count; i++, from += VECTOR, to += VECTOR) {
            long d = at(from);
            long y = at(to);
            FloatVector d1 = load(d + step);
            FloatVector d2 = load(d + 2 * step);
            FloatVector d3 = load(d + 3 * step);
            FloatVector d4 = load(d + 4 * step);
            store(y, load(d).fma(constant(A2 * B2), d2.fma(constant(-(A2 + B2)), d4)));
            FloatVector even = d2.fma(constant(-B2), d4);
            FloatVector odd = d1.fma(constant(-B2), d3);
            store(y + next, odd.fma(constant(A), even));
            store(y + 2 * next, odd.fma(constant(-A), even));
            even = d2.fma(constant(-A2), d4);
            odd = d1.fma(constant(-A2), d3);
            store(y + 3 * next, odd.fma(constant(B), even));
            store(y + 4 * next, odd.fma(constant(-B), even));
            FloatVector d5 = load(d + 5 * step);
            store(y + 5 * next, d1.fma(constant(A2 * B2), d3.fma(constant(-(A2 + B2)), d5)));
        }
    }

    /**
     * d B for a vector of tiles.
     *
     * @param from the {@code inputs} rows of {@link #inputColumns}, at the first tile's first output; a tile reads one
     *     pixel more on each side
     * @param to {@code inputs * inputs} products, {@code toStep} apart
     * @param edges where rows begin and end: the pixels beyond are zeros
     * @param tile the first tile's place in these
     */
    final void inputRows(long from, long step, long to, long toStep, RowEdges edges, int tile) {
        if (this == F2) {
            inputRows2(from, step, to, toStep, edges, tile);
        } else {
            inputRows4(from, step, to, toStep, edges, tile);
        }
    }

    private static void inputRows2(long from, long fromStep, long to, long toStep, RowEdges edges, int tile) {
        long next = step(toStep);
        VectorMask<Float> begin = edges.begin(tile);
        VectorMask<Float> end = edges.end(tile);
        for (int i = 0; i < 4; i++, from += fromStep, to += 4 * toStep) {
            long pixels = at(from - Float.BYTES);
            long product = at(to);
            FloatVector a = load(pixels);
            FloatVector b = load(pixels + VECTOR);
            FloatVector d0 = even(a, b);
            FloatVector d1 = odd(a, b);
            FloatVector d2 = next(d0, get(pixels + 2 * VECTOR));
            FloatVector d3 = next(d1, get(pixels + 2 * VECTOR + Float.BYTES)).blend(0f, end);
            store(product, d0.blend(0f, begin).sub(d2));
            store(product + next, d1.add(d2));
            store(product + 2 * next, d2.sub(d1));
            store(product + 3 * next, d3.sub(d1));
        }
    }

    private static void inputRows4(long from, long fromStep, long to, long toStep, RowEdges edges, int tile) {
        long next = step(toStep);
        VectorMask<Float> begin = edges.begin(tile);
        VectorMask<Float> end = edges.end(tile);
        for (int i = 0; i < 6; i++, from += fromStep, to += 6 * toStep) {
            long pixels = at(from - Float.BYTES);
            long product = at(to);
            FloatVector a = load(pixels);
            FloatVector b = load(pixels + VECTOR);
            FloatVector c = load(pixels + 2 * VECTOR);
            FloatVector d = load(pixels + 3 * VECTOR);
            FloatVector p = even(a, b);
            FloatVector q = even(c, d);
            FloatVector d0 = even(p, q);
            FloatVector d2 = odd(p, q);
            p = odd(a, b);
            q = odd(c, d);
            FloatVector d1 = even(p, q);
            FloatVector d3 = odd(p, q);
            FloatVector d4 = next(d0, get(pixels + 4 * VECTOR));
            FloatVector d5 = next(d1, get(pixels + 4 * VECTOR + Float.BYTES)).blend(0f, end);
            d0 = d0.blend(0f, begin);
            store(product, d0.fma(constant(A2 * B2), d2.fma(constant(-(A2 + B2)), d4)));
            FloatVector even = d2.fma(constant(-B2), d4);
            FloatVector odd = d1.fma(constant(-B2), d3);
            store(product + next, odd.fma(constant(A), even));
            store(product + 2 * next, odd.fma(constant(-A), even));
            even = d2.fma(constant(-A2), d4);
            odd = d1.fma(constant(-A2), d3);
            store(product + 3 * next, odd.fma(constant(B), even));
            store(product + 4 * next, odd.fma(constant(-B), even));
            store(product + 5 * next, d1.fma(constant(A2 * B2), d3.fma(constant(-(A2 + B2)), d5)));
        }
    }

    /** m A for a vector of tiles, as {@code inputs} rows of pixels; see {@link #inputRows}. */
    final void outputRows(long from, long fromStep, long to, long toStep) {
        long step = step(fromStep);
        if (this == F2) {
            for (int i = 0; i < 4; i++, from += 4 * fromStep, to += toStep) {
                long m = at(from);
                long row = at(to);
                FloatVector m1 = load(m + step);
                FloatVector m2 = load(m + 2 * step);
                FloatVector y0 = load(m).add(m1.add(m2));
                FloatVector y1 = m1.sub(m2).add(load(m + 3 * step));
                store(row, lower(y0, y1));
                store(row + VECTOR, upper(y0, y1));
            }
            return;
        }
        for (int i = 0; i < 6; i++, from += 6 * fromStep, to += toStep) {
            long m = at(from);
            long row = at(to);
            FloatVector m1 = load(m + step);
            FloatVector m2 = load(m + 2 * step);
            FloatVector m3 = load(m + 3 * step);
            FloatVector m4 = load(m + 4 * step);
            FloatVector even = m1.add(m2);
            FloatVector odd = m1.sub(m2);
            FloatVector even2 = m3.add(m4);
            FloatVector odd2 = m3.sub(m4);
            FloatVector y0 = load(m).add(even.add(even2));
            FloatVector y1 = odd.fma(constant(A), odd2.mul(B));
            FloatVector y2 = even.fma(constant(A2), even2.mul(B2));
            FloatVector y3 = odd.fma(constant(A * A2), odd2.fma(constant(B * B2), load(m + 5 * step)));
            FloatVector p = lower(y0, y2);
            FloatVector q = lower(y1, y3);
            store(row, lower(p, q));
            store(row + VECTOR, upper(p, q));
            p = upper(y0, y2);
            q = upper(y1, y3);
            store(row + 2 * VECTOR, lower(p, q));
            store(row + 3 * VECTOR, upper(p, q));
        }
    }

    /** A^T m for columns of pixels, to {@code outputs} rows, all plus {@code added}; see {@link #inputColumns}. */
    final void outputColumns(long from, long fromStep, long to, long toStep, int count, float added) {
        long step = step(fromStep);
        long next = step(toStep);
        FloatVector bias = constant(added);
        if (this == F2) {
            for (int i = 0; i < count; i++, from += VECTOR, to += VECTOR) {
                long m = at(from);
                long y = at(to);
                FloatVector m1 = load(m + step);
                FloatVector m2 = load(m + 2 * step);
                store(y, load(m).add(m1.add(m2)).add(bias));
                store(y + next, m1.sub(m2).add(load(m + 3 * step)).add(bias));
            }
            return;
        }
        for (int i = 0; i < count; i++, from += VECTOR, to += VECTOR) {
            long m = at(from);
            long y = at(to);
            FloatVector m1 = load(m + step);
            FloatVector m2 = load(m + 2 * step);
            FloatVector m3 = load(m + 3 * step);
            FloatVector m4 = load(m + 4 * step);
            FloatVector even = m1.add(m2);
            FloatVector odd = m1.sub(m2);
            FloatVector even2 = m3.add(m4);
            FloatVector odd2 = m3.sub(m4);
            store(y, load(m).add(even.add(even2)).add(bias));
            store(y + next, odd.fma(constant(A), odd2.mul(B)).add(bias));
            store(y + 2 * next, even.fma(constant(A2), even2.mul(B2)).add(bias));
            FloatVector cubes = odd2.fma(constant(B * B2), load(m + 5 * step));
            store(y + 3 * next, odd.fma(constant(A * A2), cubes).add(bias));
        }
    }

    /**
     * One row of G g G^T for a panel of 12 outputs.
     *
     * @param u the first of its {@code inputs} panels [channels][12], {@code uStep} bytes apart
     * @param w weights as {@link #pack} leaves them
     * @param vectors of a panel for one tap, see {@link #padded}
     */
    final void weights(long u, long uStep, long w, int vectors, int row) {
        if (row == 0) {
            outerWeights(u, uStep, w, vectors, this == F4 ? FIRST : 1);
        } else if (row == inputs - 1) {
            outerWeights(u, uStep, w + 6 * VECTOR, vectors, 1);
        } else {
            innerWeights(u, uStep, w, vectors, row);
        }
    }

    /** See {@link #weights}: a row that needs all taps. */
    abstract void innerWeights(long u, long uStep, long w, int vectors, int row);

    /** See {@link #weights}: the first row or the last, which are the first or the last three taps times a factor. */
    abstract void outerWeights(long u, long uStep, long w, int vectors, float factor);

    private static void spread2(long u, long step, FloatVector g0, FloatVector g1, FloatVector g2) {
        FloatVector even = g0.add(g2).mul(0.5f);
        FloatVector odd = g1.mul(0.5f);
        store(u, g0);
        store(u + step, even.add(odd));
        store(u + 2 * step, even.sub(odd));
        store(u + 3 * step, g2);
    }

    private static void spread4(long u, long step, FloatVector g0, FloatVector g1, FloatVector g2) {
        store(u, g0.mul(constant(FIRST)));
        FloatVector even = g2.fma(constant(A_2), g0.mul(constant(A_0)));
        store(u + step, g1.fma(constant(A_1), even));
        store(u + 2 * step, g1.fma(constant(-A_1), even));
        even = g2.fma(constant(B_2), g0.mul(constant(B_0)));
        store(u + 3 * step, g1.fma(constant(B_1), even));
        store(u + 4 * step, g1.fma(constant(-B_1), even));
        store(u + 5 * step, g2);
    }

    /**
     * Packs weights, panels of 12 outputs: a panel's [channels][12] cut into vectors, those of all nine taps side by side.
     * Channels and outputs beyond the last are zeros.
     *
     * @param from the first tap of the first channel of the first output
     * @param outStride floats from one output to the next
     * @param inStride floats from one channel to the next
     * @param turned whether the filter is turned by half a circle, as a gradient's is
     */
    static void pack(
            long to, long from, int outs, int ins, long outStride, long inStride, boolean turned, int first, int last) {
        for (int panel = first; panel < last; panel++) {
            long at = to + panel * packedPanel(ins) * Float.BYTES;
            long source = from + panel * Tile.ROWS * outStride * Float.BYTES;
            int outputs = Math.min(Tile.ROWS, outs - panel * Tile.ROWS);
            for (int start = 0; start < padded(ins) * Tile.ROWS; start += Memory.LANES) {
                for (int tap = 0; tap < 9; tap++) {
                    int place = turned ? 8 - tap : tap;
                    for (int e = start; e < start + Memory.LANES; e++, at += Float.BYTES) {
                        int c = e / Tile.ROWS;
                        int i = e % Tile.ROWS;
                        boolean present = c < ins && i < outputs;
                        Memory.set(
                                at, present ? get(source + (i * outStride + c * inStride + place) * Float.BYTES) : 0);
                    }
                }
            }
        }
    }

    /** Floats of a packed panel of 12 outputs. */
    static long packedPanel(int ins) {
        return 9L * Tile.ROWS * padded(ins);
    }

    /** Channels with those that fill up the last {@link #CHANNELS}. */
    static int padded(int ins) {
        return Gemm.panels(ins, CHANNELS) * CHANNELS;
    }

    private static FloatVector column(long w, FloatVector f0, FloatVector f1, FloatVector f2) {
        return load(w + 6 * VECTOR).fma(f2, load(w + 3 * VECTOR).fma(f1, load(w).mul(f0)));
    }

    private static FloatVector constant(float value) {
        return FloatVector.broadcast(SPECIES, value);
    }
}
