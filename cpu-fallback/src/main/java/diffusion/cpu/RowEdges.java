package diffusion.cpu;

import jdk.incubator.vector.FloatVector;
import jdk.incubator.vector.VectorMask;
import jdk.incubator.vector.VectorOperators;

/**
 * Which tiles of a run begin a row and which end one: 1 for those that do. Masks are made of these floats, as making them of
 * bits is slow.
 */
record RowEdges(float[] begin, float[] end) {
    /** Rows of {@code across} tiles, up to {@code tiles} of them. */
    static RowEdges of(int across, int tiles) {
        float[] begin = new float[tiles];
        float[] end = new float[tiles];
        for (int tile = 0; tile < tiles; tile++) {
            begin[tile] = tile % across == 0 ? 1 : 0;
            end[tile] = tile % across == across - 1 ? 1 : 0;
        }
        return new RowEdges(begin, end);
    }

    /** Lanes of a vector of tiles that begin a row. */
    VectorMask<Float> begin(int tile) {
        return FloatVector.fromArray(Memory.SPECIES, begin, tile).compare(VectorOperators.NE, 0f);
    }

    /** Lanes of a vector of tiles that end a row. */
    VectorMask<Float> end(int tile) {
        return FloatVector.fromArray(Memory.SPECIES, end, tile).compare(VectorOperators.NE, 0f);
    }
}
