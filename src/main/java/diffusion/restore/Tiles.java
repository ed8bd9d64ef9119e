package diffusion.restore;

import java.util.Arrays;

/**
 * A picture of any size as overlapping squares of one size, and back: where squares overlap, they are blended with weights
 * that rise from their edges. A picture smaller than a square is continued by reflection.
 */
final class Tiles {
    private final int height;
    private final int width;
    private final int size;
    private final int[] tops;
    private final int[] lefts;
    private final float[] ramp;

    /** A quarter of a square overlaps with each neighbour, or more where the sizes demand it. */
    Tiles(int height, int width, int size) {
        this.height = height;
        this.width = width;
        this.size = size;
        int overlap = size / 4;
        tops = starts(height, size, overlap);
        lefts = starts(width, size, overlap);
        ramp = new float[size];
        for (int i = 0; i < size; i++) {
            ramp[i] = Math.min(overlap + 1, Math.min(i + 1, size - i)) / (overlap + 1f);
        }
    }

    private static int[] starts(int length, int size, int overlap) {
        int count = length <= size ? 1 : Math.ceilDiv(length - overlap, size - overlap);
        int[] starts = new int[count];
        for (int i = 1; i < count; i++) {
            starts[i] = (int) Math.round((double) i * (length - size) / (count - 1));
        }
        return starts;
    }

    int count() {
        return tops.length * lefts.length;
    }

    /** Copies square {@code tile} of the plane at {@code offset}. */
    void cut(float[] plane, int offset, int tile, float[] out, int at) {
        int top = tops[tile / lefts.length];
        int left = lefts[tile % lefts.length];
        for (int i = 0; i < size; i++) {
            int row = offset + Reflection.inside(top + i, height) * width;
            for (int j = 0; j < size; j++) {
                out[at + i * size + j] = plane[row + Reflection.inside(left + j, width)];
            }
        }
    }

    /** The plane made of all its squares, which lie {@code stride} values apart from {@code at} on. */
    void blend(float[] squares, int at, int stride, float[] plane, int offset) {
        float[] weights = new float[height * width];
        Arrays.fill(plane, offset, offset + weights.length, 0);
        for (int tile = 0; tile < count(); tile++) {
            int top = tops[tile / lefts.length];
            int left = lefts[tile % lefts.length];
            for (int i = 0; i < Math.min(size, height); i++) {
                for (int j = 0; j < Math.min(size, width); j++) {
                    int pixel = (top + i) * width + left + j;
                    float weight = ramp[i] * ramp[j];
                    weights[pixel] += weight;
                    plane[offset + pixel] += weight * squares[at + tile * stride + i * size + j];
                }
            }
        }
        for (int i = 0; i < weights.length; i++) {
            plane[offset + i] /= weights[i];
        }
    }
}
